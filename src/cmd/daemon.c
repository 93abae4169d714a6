/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the services in the order of the layers, closes them in reverse, and swaps configurations. */
#include "cmd/daemon.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/metric.h"
#include "cmd/daemon_metrics.h"
#include "cmd/log_sink.h"
#include "cmd/notify.h"

#define ROUTES_MAX 10000

static void generation_free(struct generation *g)
{
	if (!g)
		return;
	recipients_close(g->recipients);
	domains_free(g->domains);
	conf_unref(g->conf);
	free(g);
}

static struct generation *generation_new(struct conf *conf, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	const struct route_conf **routes = calloc(ROUTES_MAX, sizeof(*routes));
	size_t n = 0;

	if (!g || !routes)
		abort();
	g->conf = conf;
	g->daemon = conf_get(conf, &daemon_section);
	g->gate = conf_get(conf, &gate_section);
	g->verify = conf_get(conf, &verify_section);
	g->queue = conf_get(conf, &queue_section);
	while (n < ROUTES_MAX && (routes[n] = conf_get_titled(conf, &route_section, n)) != NULL)
		n++;
	g->domains = domains_new(routes, n, err);
	free(routes);
	if (!g->domains) {
		g->conf = NULL;
		generation_free(g);
		return NULL;
	}
	return g;
}

/* Addresses of this machine and those the operator added: a probe or a delivery to them would be a loop. */
static bool own_addresses_find(const struct daemon_conf *conf, struct ip_set *out, struct err *err)
{
	struct ifaddrs *all = NULL;
	char text[IP_TEXT_MAX + 4];
	struct ip ip;
	uint16_t port;

	if (getifaddrs(&all) == 0) {
		for (struct ifaddrs *i = all; i; i = i->ifa_next) {
			if (i->ifa_addr && ip_from_sockaddr(i->ifa_addr, &ip, &port) &&
			    !ip_set_add(out, ip_text(ip, text), err))
				break;
		}
		freeifaddrs(all);
	}
	for (size_t i = 0; i < conf->own_addresses.n; i++) {
		if (!ip_set_add(out, ip_net_text(conf->own_addresses.nets[i], text), err))
			return false;
	}
	return true;
}

static bool is_never_asked(void *arg, const struct address *sender, struct ip client)
{
	struct daemon *d = arg;
	struct str why;

	return exceptions_find(d->exceptions, sender, client, NULL, &why) != EXCEPTION_NONE;
}

static void message_recovered(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
	struct daemon *d = arg;

	queue_add(d->queue, id, e, NULL, size);
}

static bool stores_open(struct daemon *d, struct err *err)
{
	const struct daemon_conf *conf = d->now->daemon;
	char directory[4096];

	snprintf(directory, sizeof(directory), "%.*s", STR_ARG(conf->state_directory));
	d->store = store_open(directory, "postern.db", err);
	if (!d->store)
		return false;
	d->history = history_open(d->store, conf->retention, conf->trails_max, err);
	return d->history != NULL;
}

static bool verify_start_service(struct daemon *d, struct err *err)
{
	struct verify_deps deps = {
		.resolver = d->resolver,
		.store = d->store,
		.tls = d->tls,
		.host = d->host,
		.own_addresses = d->own_addresses,
		.is_exempt = is_never_asked,
		.arg = d,
	};

	return verify_open(d->now->verify, &deps, &d->verify, err);
}

WAITS static bool spool_and_queue_open(struct daemon *d, struct err *err)
{
	struct queue_deps deps = {
		.resolver = d->resolver,
		.history = d->history,
		.domains = d->now->domains,
		.verify = d->verify,
		.root = &d->delivery,
		.tls = d->tls,
		.host = d->host,
		.own_addresses = d->own_addresses,
	};

	/* The queue is there before the spool recovers into it. */
	if (!queue_open(d->now->queue, &deps, &d->queue, err))
		return false;
	if (!spool_open(conf_get(d->now->conf, &spool_section), d->disk, &d->root, message_recovered, d, &d->spool, err))
		return false;
	queue_set_spool(d->queue, d->spool);
	return queue_start(d->queue, err);
}

static struct gate_deps gate_deps_of(struct daemon *d, struct generation *g)
{
	return (struct gate_deps){
		.policy_door = conf_get(g->conf, &policy_door_section),
		.resolver = d->resolver,
		.spool = d->spool,
		.queue = d->queue,
		.verify = d->verify,
		.verify_conf = g->verify,
		.recipients = g->recipients,
		.exceptions = d->exceptions,
		.domains = g->domains,
		.history = d->history,
		.root = &d->root,
	};
}

bool daemon_open(struct daemon *d, const char *config_path, struct conf *conf, const int *fds, size_t n_fds,
                 struct err *err)
{
	char socket_path[4096];

	group_init(&d->root, "services");
	group_init(&d->delivery, "delivery");
	group_init(&d->questions, "control");
	cond_init(&d->wake);
	d->config_path = config_path;
	d->started = rt_now();
	d->now = generation_new(conf, err);
	if (!d->now)
		return false;
	d->host = daemon_host(conf);
	d->tls = tls_client_context(err);
	if (!d->tls || !own_addresses_find(d->now->daemon, &d->own_addresses, err) || !stores_open(d, err))
		return false;
	if (!d->resolver)
		d->resolver = resolver_open(conf_get(conf, &dns_section), err);
	if (!d->resolver)
		return false;
	d->exceptions = exceptions_open(d->now->daemon->exceptions);
	if (!verify_start_service(d, err) || !store_start(d->store, &d->root, err))
		return false;
	d->now->recipients = recipients_open(d->now->domains, d->verify, d->resolver, err);
	if (!d->now->recipients || !spool_and_queue_open(d, err))
		return false;
	struct gate_deps deps = gate_deps_of(d, d->now);
	if (!gate_open(d->now->gate, &deps, fds, n_fds, &d->gate, err))
		return false;
	daemon_metrics_open(d);
	if (!metrics_http_open(conf_get(conf, &metrics_section), daemon_metrics_print, d, &d->questions, &d->metrics, err))
		return false;
	daemon_socket_path(d->now->daemon, socket_path, sizeof(socket_path));
	return control_open(socket_path, daemon_verbs, d, &d->questions, &d->control, err);
}

static bool is_same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
	return a->ip.family == b->ip.family && a->port == b->port && (a->ip.family == 0 || ip_eq(a->ip, b->ip));
}

/* *out is what is to be there after the reload: what there is, nothing, or a new port. */
static bool metrics_renew(struct daemon *d, const struct conf *new, struct metrics_http **out, struct err *err)
{
	const struct metrics_conf *before = conf_get(d->now->conf, &metrics_section), *now = conf_get(new, &metrics_section);

	*out = d->metrics;
	return is_same_addr(&before->listen, &now->listen) ||
	       metrics_http_open(now, daemon_metrics_print, d, &d->questions, out, err);
}

static void metrics_swap(struct daemon *d, struct metrics_http *next)
{
	if (next != d->metrics)
		metrics_http_close(d->metrics);
	d->metrics = next;
	daemon_metrics_configured(d);
}

/* Retired generations are kept for longer than any session may live, then freed. */
static void generations_sweep(struct daemon *d)
{
	for (struct generation **at = &d->now->older; *at;) {
		struct generation *g = *at;
		usec_t longest = g->gate->session + g->gate->transaction + g->gate->drain;
		if (rt_now() - g->retired > longest) {
			*at = g->older;
			generation_free(g);
		} else {
			at = &g->older;
		}
	}
}

bool daemon_reload(struct daemon *d, struct err *err)
{
	struct conf *conf = daemon_conf_load(d->config_path, err);
	struct generation *next;

	if (!conf)
		return false;
	next = generation_new(conf, err);
	if (!next) {
		conf_unref(conf);
		return false;
	}
	next->recipients = recipients_open(next->domains, d->verify, d->resolver, err);
	struct gate_deps deps = gate_deps_of(d, next);
	struct metrics_http *metrics = d->metrics;
	if (!next->recipients || !metrics_renew(d, conf, &metrics, err) ||
	    !gate_reconfigure(d->gate, next->gate, &deps, err)) {
		if (metrics != d->metrics)
			metrics_http_close(metrics);
		generation_free(next);
		return false;
	}
	verify_reconfigure(d->verify, next->verify);
	queue_reconfigure(d->queue, next->queue, next->domains);
	d->now->retired = rt_now();
	next->older = d->now;
	d->now = next;
	metrics_swap(d, metrics);
	generations_sweep(d);
	log_sink_reopen();
	log_event(LOG_INFO_, "reloaded", LOG_C("file", conf_path(conf) ? conf_path(conf) : "defaults"));
	return true;
}

void daemon_stop(struct daemon *d, bool keep_listeners)
{
	d->must_stop = true;
	d->keep_listeners = keep_listeners;
	cond_broadcast(&d->wake);
}

WAITS static void drain(struct daemon *d)
{
	struct deadline deadline;

	deadline_push(&deadline, d->now->gate->drain, "drain");
	if (d->gate)
		gate_drain(d->gate, d->keep_listeners);
	if (d->queue)
		queue_drain(d->queue);
	deadline_pop(&deadline);
}

void daemon_close(struct daemon *d)
{
	if (!d->now)
		return;
	control_close(d->control);
	drain(d);
	group_done(&d->questions);
	group_done(&d->delivery);
	gate_close(d->gate);
	queue_close(d->queue);
	verify_close(d->verify);
	if (d->spool)
		spool_close(d->spool);
	if (d->store)
		store_close(d->store);
	group_done(&d->root);
	resolver_close(d->resolver);
	exceptions_close(d->exceptions);
	tls_context_unref(d->tls);
	for (struct generation *g = d->now, *older; g; g = older) {
		older = g->older;
		generation_free(g);
	}
	ip_set_done(&d->own_addresses);
}
