/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a verb's DNS answers come from: the network, --dns, or a batch line's own script. */
#include "cmd/asking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "cmd/daemon_conf.h"

#define SCRIPT_MAX (16 << 20)

bool asking_open(struct asking *a, struct cmd *c, struct err *err)
{
	*a = (struct asking){.cmd = c, .conf = daemon_conf_load(c->config, err)};
	if (!a->conf)
		return false;
	a->dns = *(const struct dns_conf *)conf_get(a->conf, &dns_section);
	if (c->resolver)
		a->dns.resolver = str_from(c->resolver);
	if (c->timeout > 0)
		a->dns.timeout = c->timeout;
	return true;
}

void asking_close(struct asking *a)
{
	resolver_close(a->network);
	conf_unref(a->conf);
}

bool asking_script_read(const char *path, struct buf *out, struct err *err)
{
	char piece[2048];
	size_t n;
	FILE *f = fopen(path, "re");

	if (!f)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	fclose(f);
	return buf_ok(out) || err_perm(err, CAUSE_LOCAL_ERROR, "%s: over 16 MiB", path);
}

static bool network_open(struct asking *a, struct err *err)
{
	auto_buf struct buf script = {.max = SCRIPT_MAX};

	if (a->network)
		return true;
	if (a->cmd->dns_file && !asking_script_read(a->cmd->dns_file, &script, err))
		return false;
	a->network = a->cmd->dns_file ? resolver_open_script(&a->dns, buf_view(&script), err) : resolver_open(&a->dns, err);
	return a->network != NULL;
}

bool asking_resolver(struct asking *a, const json_t *line, struct resolver **out, struct err *err)
{
	const json_t *dns = line ? json_object_get(line, "dns") : NULL;

	if (dns) {
		*out = resolver_open_json(&a->dns, dns, err);
		return *out != NULL;
	}
	if (!network_open(a, err))
		return false;
	*out = a->network;
	return true;
}

void asking_done(struct asking *a, struct resolver *r)
{
	if (r != a->network)
		resolver_close(r);
}

bool asking_now(const struct cmd *c, struct wall *out)
{
	*out = rt_wall();
	return !c->now || wall_parse_rfc3339(str_from(c->now), out);
}

void json_lines(struct buf *out, struct str text)
{
	struct str line;
	bool is_first = true;

	buf_char(out, '[');
	while (str_cut(&text, '\n', &line)) {
		if (!is_first)
			buf_char(out, ',');
		buf_json(out, line);
		is_first = false;
	}
	buf_char(out, ']');
}
