/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern check-config`: what is written, and whether the world around it agrees: name, PTR, contact, files, routes. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "cmd/findings.h"
#include "cmd/identity.h"
#include "dns/dns.h"
#include "gate/gate.h"
#include "rt/tls.h"

struct checking {
	struct cmd *cmd;
	struct conf *conf;
	const struct daemon_conf *daemon;
	const struct gate_conf *gate;
	const struct verify_conf *verify;
	struct str host;
	struct findings found;
};

static void check_verify(struct checking *k)
{
	struct str contact = k->daemon->contact;
	struct findings *f = &k->found;

	if (k->verify->mode == VERIFY_MODE_OFF) {
		finding_add(f, FINDING_WARN, "verify", NULL, "sender verification is off");
		return;
	}
	if (contact.n == 0)
		finding_add(f, FINDING_PASS, "contact", NULL, "postmaster@%.*s answers for our probes", STR_ARG(k->host));
	else if (str_find_char(contact, '@') == contact.n)
		finding_add(f, FINDING_FAULT, "contact", "write it as name@domain", "%.*s is not an address", STR_ARG(contact));
	else
		finding_add(f, FINDING_PASS, "contact", NULL, "%.*s answers for our probes", STR_ARG(contact));
	if (k->verify->source.ip.family == 0)
		finding_add(f, FINDING_WARN, "probe_source", "a dedicated one (verify.source) keeps a listing away from it",
		            "probes share the address of our mail");
	for (size_t i = 0; i < k->verify->dial_networks.n; i++) {
		char text[IP_TEXT_MAX + 4];
		finding_add(f, FINDING_WARN, "dial_networks", "right for a lab only",
		            "%.*s may be dialled although no stranger's mail should lead there",
		            STR_ARG(ip_net_text(k->verify->dial_networks.nets[i], text)));
	}
}

static void check_tls(struct checking *k)
{
	const char *certificate, *key;
	struct err err;

	if (k->gate->tls_certificate.n == 0) {
		finding_add(&k->found, FINDING_WARN, "tls", NULL, "no certificate: a self-signed one is made at each start");
		return;
	}
	certificate = arena_cstr(k->cmd->arena, k->gate->tls_certificate);
	key = arena_cstr(k->cmd->arena, k->gate->tls_key);
	struct tls_context *tls = tls_server_context(certificate, key, &err);
	if (tls)
		finding_add(&k->found, FINDING_PASS, "tls", NULL, "%s", certificate);
	else
		finding_add(&k->found, FINDING_FAULT, "tls", NULL, "%s", err.text);
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
			finding_add(&k->found, FINDING_FAULT, "recipients", NULL, "%.*s: %s: %s (all its mail would be 451)",
			            STR_ARG(route->domain), file, strerror(errno));
	}
	if (local == 0)
		finding_add(&k->found, FINDING_WARN, "routes", "add `route \"example.org\" { local = yes … }`",
		            "no domain is ours: until then all mail is refused as relaying");
	else
		finding_add(&k->found, FINDING_PASS, "routes", NULL, "we receive for %zu domains", local);
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
	struct resolver *resolver = resolver_open(&dns, &err);
	if (!resolver) {
		finding_add(&k->found, FINDING_FAULT, "dns", NULL, "%s", err.text);
		return;
	}
	identity_check_host(&k->found, resolver, k->host);
	identity_check_reverse(&k->found, resolver, k->conf, k->host, k->cmd->arena);
	resolver_close(resolver);
}

static int print_sample(void)
{
	auto_buf struct buf out;

	buf_init(&out, 4 << 20);
	conf_print_sample(daemon_sections, &out);
	fwrite(out.p, 1, out.n, stdout);
	return EXIT_FINE;
}

int cmd_check_config(struct cmd *c)
{
	struct checking k = {.cmd = c};
	struct rt_options options = {0};
	struct err err;

	if (c->print_sample)
		return print_sample();
	k.conf = daemon_conf_load(c->config, &err);
	if (!k.conf)
		return cmd_fail_err(EXIT_FAULT, &err);
	k.daemon = conf_get(k.conf, &daemon_section);
	k.gate = conf_get(k.conf, &gate_section);
	k.verify = conf_get(k.conf, &verify_section);
	k.host = daemon_host(k.conf);
	findings_init(&k.found, c->as_json, c->has_colour);
	finding_add(&k.found, FINDING_PASS, "file", NULL, "%s", conf_path(k.conf) ? conf_path(k.conf) : "no file: the built-in defaults");
	bool is_done = rt_run(&options, check_fiber, &k, &err);
	int status = findings_finish(&k.found, EXIT_WARNING);
	conf_unref(k.conf);
	return is_done ? status : cmd_fail_err(EXIT_INTERNAL, &err);
}
