/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern doctor`: the parts in the order in which one would look. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/asking.h"
#include "cmd/doctor.h"
#include "cmd/identity.h"

#define PROC_FILE_MAX (4 << 20)
#define DNS_WITHIN    (5 * USEC_S) /* a slow answer is a finding, and nobody waits a minute for it */

bool doctor_read(const struct doctor *d, const char *name, struct str *out)
{
	auto_buf struct buf text = {.max = PROC_FILE_MAX};
	char path[4096], piece[2048];
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", d->proc, name);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	fclose(f);
	*out = arena_str(d->cmd->arena, buf_view(&text));
	return true;
}

WAITS static struct resolver *resolver_get(struct doctor *d, struct err *err)
{
	auto_buf struct buf script = {.max = 16 << 20};

	if (!d->cmd->dns_file)
		return resolver_open(&d->dns, err);
	if (!asking_script_read(d->cmd->dns_file, &script, err))
		return NULL;
	return resolver_open_script(&d->dns, buf_view(&script), err);
}

WAITS static void examine(void *arg)
{
	struct doctor *d = arg;
	struct err err;

	asking_now(d->cmd, &d->now); /* checked before */
	doctor_daemon(d);
	doctor_listen(d);
	doctor_machine(d);
	doctor_tls(d);
	d->resolver = resolver_get(d, &err);
	if (!d->resolver)
		finding_add(&d->found, FINDING_FAULT, "dns", NULL, "%s", err.text);
	else
		doctor_dns(d);
	if (d->resolver) {
		identity_check_host(&d->found, d->resolver, d->host);
		identity_check_reverse(&d->found, d->resolver, d->conf, d->host, d->cmd->arena);
		doctor_lists(d);
	}
	doctor_mail(d);
	doctor_gateway(d);
	resolver_close(d->resolver);
}

static void sections_get(struct doctor *d)
{
	d->daemon = conf_get(d->conf, &daemon_section);
	d->gate = conf_get(d->conf, &gate_section);
	d->verify = conf_get(d->conf, &verify_section);
	d->queue = conf_get(d->conf, &queue_section);
	d->spool = conf_get(d->conf, &spool_section);
	d->dns = *(const struct dns_conf *)conf_get(d->conf, &dns_section);
	d->host = daemon_host(d->conf);
	if (d->cmd->resolver)
		d->dns.resolver = str_from(d->cmd->resolver);
	usec_t patience = d->cmd->timeout > 0 ? d->cmd->timeout : DNS_WITHIN;
	if (d->cmd->timeout > 0 || d->dns.timeout > patience)
		d->dns.timeout = patience;
}

int cmd_doctor(struct cmd *c)
{
	struct doctor d = {.cmd = c, .proc = c->proc ? c->proc : "/proc"};
	struct rt_options options = {0};
	struct err err;

	if (c->n > 0)
		return cmd_fail(EXIT_USAGE, "doctor takes no words; --mx HOST names a mail server to try port 25 with");
	d.conf = daemon_conf_load(c->config, &err);
	if (!d.conf)
		return cmd_fail_err(EXIT_FAULT, &err);
	sections_get(&d);
	if (c->now && !wall_parse_rfc3339(str_from(c->now), &d.now))
		return cmd_fail(EXIT_USAGE, "--now %s: a time such as 2026-11-24T09:12:00Z", c->now);
	findings_init(&d.found, c->as_json, c->has_colour);
	finding_add(&d.found, FINDING_PASS, "config", NULL, "%s", conf_path(d.conf) ? conf_path(d.conf) : "no file: the built-in defaults");
	bool is_done = rt_run(&options, examine, &d, &err);
	int status = findings_finish(&d.found, EXIT_UNKNOWN);
	conf_unref(d.conf);
	return is_done ? status : cmd_fail_err(EXIT_INTERNAL, &err);
}
