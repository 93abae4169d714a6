/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern check-config`: what is written, and whether the world around it agrees: name, PTR, contact, files, routes. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "dns/dns.h"
#include "gate/gate.h"
#include "rt/tls.h"

struct checking {
	struct cmd *cmd;
	struct conf *conf;
	const struct daemon_conf *daemon;
	const struct gate_conf *gate;
	const struct verify_conf *verify;
	struct resolver *resolver;
	struct str host;
	struct buf out;
	int worst;
	bool is_first;
};

enum state { PASS, WARN, FAULT, UNKNOWN };

static void finding(struct checking *k, enum state state, const char *id, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
static void finding(struct checking *k, enum state state, const char *id, const char *format, ...)
{
	static const char *const marks[] = {"✓", "?", "✖", "?"}, *const names[] = {"pass", "warn", "fail", "unknown"};
	static const int statuses[] = {EXIT_FINE, EXIT_WARNING, EXIT_FAULT, EXIT_WARNING};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (statuses[state] > k->worst)
		k->worst = statuses[state];
	if (k->cmd->as_json) {
		buf_printf(&k->out, "%s{\"id\":\"%s\",\"state\":\"%s\",\"text\":", k->is_first ? "" : ",", id, names[state]);
		buf_json(&k->out, str_from(text));
		buf_char(&k->out, '}');
	} else {
		buf_printf(&k->out, "%s %-16s %s\n", marks[state], id, text);
	}
	k->is_first = false;
}

/* The addresses that strangers may see us come from. */
static size_t outside_addresses(const struct checking *k, struct ip *out, size_t max)
{
	struct ifaddrs *all = NULL;
	size_t n = 0;
	uint16_t port;

	if (k->verify->source.ip.family != 0) {
		out[0] = k->verify->source.ip;
		return 1;
	}
	for (size_t i = 0; i < k->daemon->own_addresses.n && n < max; i++)
		out[n++] = k->daemon->own_addresses.nets[i].ip;
	if (n > 0 || getifaddrs(&all) != 0)
		return n;
	for (struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (i->ifa_addr && ip_from_sockaddr(i->ifa_addr, &out[n], &port) && !ip_is_unusable_target(out[n]))
			n++;
	}
	freeifaddrs(all);
	return n;
}

WAITS static void check_host(struct checking *k)
{
	const struct dns_answer *a = NULL, *aaaa = NULL;
	struct err err;

	if (str_find_char(k->host, '.') == k->host.n) {
		finding(k, FAULT, "host", "%.*s is not a full name; set `host` in the gate section to what your PTR says", STR_ARG(k->host));
		return;
	}
	if (!dns_lookup(k->resolver, k->host, DNS_A, &a, &err) || !dns_lookup(k->resolver, k->host, DNS_AAAA, &aaaa, &err)) {
		finding(k, UNKNOWN, "host", "%.*s: %s", STR_ARG(k->host), err.text);
	} else if (a->outcome == DNS_FOUND || aaaa->outcome == DNS_FOUND) {
		finding(k, PASS, "host", "%.*s resolves", STR_ARG(k->host));
	} else if (a->outcome == DNS_TEMPORARY || a->outcome == DNS_BOGUS) {
		finding(k, UNKNOWN, "host", "%.*s: %s", STR_ARG(k->host), dns_outcome_name(a->outcome));
	} else {
		finding(k, FAULT, "host", "%.*s has no A or AAAA record: many servers will not talk to us", STR_ARG(k->host));
	}
	dns_answer_release(a);
	dns_answer_release(aaaa);
}

WAITS static void check_reverse(struct checking *k)
{
	struct ip ips[8];
	size_t n = outside_addresses(k, ips, 8);
	char text[IP_TEXT_MAX];
	enum dns_outcome outcome;
	struct str name;
	struct err err;

	if (n == 0)
		finding(k, WARN, "ptr", "no public address is known; behind NAT write it as daemon.own_addresses, so that its PTR is checked");
	for (size_t i = 0; i < n; i++) {
		struct str ip = ip_text(ips[i], text);
		if (!dns_iprev(k->resolver, ips[i], k->cmd->arena, &outcome, &name, &err))
			finding(k, UNKNOWN, "ptr", "%.*s: %s", STR_ARG(ip), err.text);
		else if (outcome == DNS_TEMPORARY || outcome == DNS_BOGUS)
			finding(k, UNKNOWN, "ptr", "%.*s: the reverse name could not be looked up", STR_ARG(ip));
		else if (outcome != DNS_FOUND)
			finding(k, FAULT, "ptr", "%.*s has no PTR that leads back to it: ask your provider for %.*s", STR_ARG(ip), STR_ARG(k->host));
		else if (!str_ieq(name, k->host))
			finding(k, WARN, "ptr", "%.*s is %.*s, but we say HELO %.*s", STR_ARG(ip), STR_ARG(name), STR_ARG(k->host));
		else
			finding(k, PASS, "ptr", "%.*s is %.*s, as our HELO says", STR_ARG(ip), STR_ARG(name));
	}
}

static void check_verify(struct checking *k)
{
	struct str contact = k->daemon->contact;

	if (k->verify->mode == VERIFY_MODE_OFF) {
		finding(k, WARN, "verify", "sender verification is off");
		return;
	}
	if (contact.n == 0)
		finding(k, PASS, "contact", "postmaster@%.*s answers for our probes", STR_ARG(k->host));
	else if (str_find_char(contact, '@') == contact.n)
		finding(k, FAULT, "contact", "%.*s is not an address", STR_ARG(contact));
	else
		finding(k, PASS, "contact", "%.*s answers for our probes", STR_ARG(contact));
	if (k->verify->source.ip.family == 0)
		finding(k, WARN, "probe_source", "probes share the address of our mail; a dedicated one (verify.source) keeps a listing away from it");
	for (size_t i = 0; i < k->verify->dial_networks.n; i++) {
		char text[IP_TEXT_MAX + 4];
		finding(k, WARN, "dial_networks", "%.*s may be dialled although no stranger's mail should lead there; right for a lab only",
		        STR_ARG(ip_net_text(k->verify->dial_networks.nets[i], text)));
	}
}

static void check_tls(struct checking *k)
{
	const char *certificate, *key;
	struct err err;

	if (k->gate->tls_certificate.n == 0) {
		finding(k, WARN, "tls", "no certificate: a self-signed one is made at each start");
		return;
	}
	certificate = arena_cstr(k->cmd->arena, k->gate->tls_certificate);
	key = arena_cstr(k->cmd->arena, k->gate->tls_key);
	struct tls_context *tls = tls_server_context(certificate, key, &err);
	if (tls)
		finding(k, PASS, "tls", "%s", certificate);
	else
		finding(k, FAULT, "tls", "%s", err.text);
	tls_context_unref(tls);
}

static void check_routes(struct checking *k)
{
	const struct route_conf *route;
	size_t local = 0;
	const char *file;

	for (size_t i = 0; (route = conf_get_titled(k->conf, &route_section, i)) != NULL; i++) {
		local += route->is_local;
		if (route->recipients != RECIPIENTS_FILE)
			continue;
		file = arena_cstr(k->cmd->arena, route->recipients_file);
		if (access(file, R_OK) != 0)
			finding(k, FAULT, "recipients", "%.*s: %s: %s (all its mail would be 451)", STR_ARG(route->domain), file, strerror(errno));
	}
	if (local == 0)
		finding(k, WARN, "routes", "no domain is ours: add `route \"example.org\" { local = yes … }`; until then all mail is refused as relaying");
	else
		finding(k, PASS, "routes", "we receive for %zu domains", local);
}

WAITS static void check_fiber(void *arg)
{
	struct checking *k = arg;
	struct dns_conf dns = *(const struct dns_conf *)conf_get(k->conf, &dns_section);
	struct err err;

	if (k->cmd->resolver)
		dns.resolver = str_from(k->cmd->resolver);
	check_routes(k);
	check_tls(k);
	check_verify(k);
	k->resolver = resolver_open(&dns, &err);
	if (!k->resolver) {
		finding(k, FAULT, "dns", "%s", err.text);
		return;
	}
	check_host(k);
	check_reverse(k);
	resolver_close(k->resolver);
}

int cmd_check_config(struct cmd *c)
{
	struct checking k = {.cmd = c, .is_first = true};
	struct rt_options options = {0};
	struct err err;

	buf_init(&k.out, 4 << 20);
	if (c->print_sample) {
		conf_print_sample(daemon_sections, &k.out);
		fwrite(k.out.p, 1, k.out.n, stdout);
		buf_done(&k.out);
		return EXIT_FINE;
	}
	k.conf = daemon_conf_load(c->config, &err);
	if (!k.conf) {
		buf_done(&k.out);
		return cmd_fail_err(EXIT_FAULT, &err);
	}
	k.daemon = conf_get(k.conf, &daemon_section);
	k.gate = conf_get(k.conf, &gate_section);
	k.verify = conf_get(k.conf, &verify_section);
	k.host = daemon_host(k.conf);
	if (c->as_json)
		buf_str(&k.out, STR("{\"checks\":["));
	else
		finding(&k, PASS, "file", "%s", conf_path(k.conf) ? conf_path(k.conf) : "no file: the built-in defaults");
	if (!rt_run(&options, check_fiber, &k, &err))
		k.worst = cmd_fail_err(EXIT_INTERNAL, &err);
	if (c->as_json)
		buf_printf(&k.out, "],\"status\":%d}\n", k.worst);
	fwrite(k.out.p, 1, k.out.n, stdout);
	buf_done(&k.out);
	conf_unref(k.conf);
	return k.worst;
}
