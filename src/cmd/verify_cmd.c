/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern verify`: asks the daemon when one answers, so that its cache is shared; otherwise works alone without one. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/ask.h"
#include "cmd/batch.h"
#include "cmd/daemon_conf.h"
#include "cmd/verify_print.h"
#include "control/control.h"

/* What one verification without a daemon needs. */
struct alone {
	struct verify_conf conf;
	struct ip_set test_networks; /* what conf.dial_networks points to when it is not the configuration's */
	struct dns_conf dns;
	struct group root;
	struct tls_context *tls;
	struct resolver *resolver;
	struct store *store;
	struct verify *verify;
};
struct verifying {
	struct cmd *cmd;
	struct conf *conf;
	char socket_path[4096];
	bool has_daemon;
	struct buf out;
	int status;
};

/* --dns with a port names a test set-up: loopback may be dialled there, as the lab's configuration allows. */
static bool test_network_allow(struct alone *a, struct err *err)
{
	struct ip_set *set = &a->test_networks;
	char text[IP_TEXT_MAX + 4];

	for (size_t i = 0; i < a->conf.dial_networks.n; i++) {
		if (!ip_set_add(set, ip_net_text(a->conf.dial_networks.nets[i], text), err))
			return false;
	}
	if (!ip_set_add(set, STR("127.0.0.0/8"), err))
		return false;
	a->conf.dial_networks = *set;
	return true;
}

static bool alone_open(struct alone *a, const struct verifying *v, struct str dns_script, int64_t port, struct err *err)
{
	struct verify_deps deps;

	*a = (struct alone){0};
	group_init(&a->root, "verify");
	a->conf = *(const struct verify_conf *)conf_get(v->conf, &verify_section);
	a->dns = *(const struct dns_conf *)conf_get(v->conf, &dns_section);
	if (v->cmd->timeout > 0)
		a->conf.work = a->conf.wait = v->cmd->timeout;
	if (a->conf.wait < a->conf.work)
		a->conf.wait = a->conf.work;
	a->conf.mode = VERIFY_MODE_ENFORCE;
	if (v->cmd->resolver)
		a->dns.resolver = str_from(v->cmd->resolver);
	if (port > 0)
		a->conf.port = port;
	if (dns_script.n > 0 && port > 0 && !test_network_allow(a, err))
		return false;
	a->resolver = dns_script.n > 0 ? resolver_open_script(&a->dns, dns_script, err) : resolver_open(&a->dns, err);
	a->store = a->resolver ? store_open(NULL, NULL, err) : NULL;
	a->tls = a->store ? tls_client_context(err) : NULL;
	if (!a->tls)
		return false;
	deps = (struct verify_deps){.resolver = a->resolver, .store = a->store, .tls = a->tls,
	                            .host = daemon_host(v->conf)};
	return verify_open(&a->conf, &deps, &a->verify, err);
}

WAITS static void alone_close(struct alone *a)
{
	group_cancel(&a->root);
	verify_close(a->verify);
	group_done(&a->root);
	if (a->store)
		store_close(a->store);
	resolver_close(a->resolver);
	tls_context_unref(a->tls);
	ip_set_done(&a->test_networks);
}

WAITS static bool verify_alone(const struct verifying *v, const struct address *address, struct str dns_script,
                               int64_t port, struct arena *arena, struct verify_answer *out, struct err *err)
{
	struct alone *a = arena_new(arena, struct alone);
	struct evidence nobody = {0};
	bool ok = alone_open(a, v, dns_script, port, err) && verify_address(a->verify, address, &nobody, out, err);

	if (ok)
		out->dialogue = arena_str(arena, out->dialogue);
	alone_close(a);
	return ok;
}

/* The daemon's answer to `verify --json` is the line's answer, without its braces and address. */
WAITS static bool daemon_line(const struct verifying *v, struct str address, struct buf *out, struct err *err)
{
	struct str words[] = {STR("verify"), address};
	auto_buf struct buf answer;
	int status;

	buf_init(&answer, 1 << 20);
	if (!control_ask(v->socket_path, words, 2, true, &answer, &status, err))
		return false;
	struct str text = str_trim(buf_view(&answer));
	size_t at = str_find(text, STR("\"verdict\""));
	if (at == text.n)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%.*s", STR_ARG(text));
	buf_str(out, str_slice(text, at, text.n - 1));
	return true;
}

WAITS static bool verify_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	const struct verifying *v = arg;
	auto_arena struct arena arena;
	struct str text = batch_text(line, "address");
	const json_t *dns = json_object_get(line, "dns"), *port = json_object_get(line, "port");
	auto_free char *script = dns ? json_dumps(dns, JSON_COMPACT) : NULL;
	struct verify_answer answer;
	struct address address;

	arena_init(&arena, 1 << 20);
	if (text.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "address: a string is needed");
	if (port && (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > 65535))
		return err_perm(err, CAUSE_PROTOCOL, "port: a number from 1 to 65535 is needed");
	if (dns && !json_is_array(dns))
		return err_perm(err, CAUSE_PROTOCOL, "dns: a list of [name, type, value] is needed");
	if (!address_parse(&arena, text, true, &address, err))
		return err_context(err, "address");
	if (!script && !port && v->has_daemon)
		return daemon_line(v, text, out, err);
	if (!verify_alone(v, &address, script ? str_from(script) : STR_NONE, port ? json_integer_value(port) : 0, &arena,
	                  &answer, err))
		return false;
	verify_answer_members(&answer, out);
	return true;
}

static bool dns_file_read(struct cmd *c, struct buf *out, struct err *err)
{
	char piece[2048];
	size_t n;
	FILE *f = fopen(c->dns_file, "re");

	if (!f)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: cannot be read", c->dns_file);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	fclose(f);
	return buf_ok(out) || err_perm(err, CAUSE_LOCAL_ERROR, "%s: over 16 MiB", c->dns_file);
}

WAITS static int verify_one(struct verifying *v)
{
	struct cmd *c = v->cmd;
	auto_buf struct buf script;
	struct str words[] = {STR("verify"), str_from(c->words[0])};
	struct verify_answer answer;
	struct address address;
	uint64_t port = 0;
	struct err err;
	int status;

	buf_init(&script, 16 << 20);
	if (!address_parse(c->arena, words[1], true, &address, &err))
		return cmd_fail(EXIT_USAGE, "%s: %s", c->words[0], err.text);
	if (c->port && (!str_to_u64(str_from(c->port), 65535, &port) || port == 0))
		return cmd_fail(EXIT_USAGE, "--port %s: a number from 1 to 65535", c->port);
	if (!c->dns_file && !c->resolver && !c->port &&
	    control_ask(v->socket_path, words, 2, c->as_json, &v->out, &status, &err))
		return status;
	if (c->dns_file && !dns_file_read(c, &script, &err))
		return cmd_fail_err(EXIT_NO_INPUT, &err);
	if (!verify_alone(v, &address, buf_view(&script), (int64_t)port, c->arena, &answer, &err))
		return cmd_fail_err(EXIT_UNKNOWN, &err);
	return verify_answer_print(words[1], &answer, c->as_json, &v->out);
}

WAITS static void verify_fiber(void *arg)
{
	struct verifying *v = arg;
	auto_buf struct buf ignored;
	struct str mode = STR("mode");
	struct err err;
	int status;

	buf_init(&ignored, 65536);
	if (!v->cmd->as_batch) {
		v->status = verify_one(v);
		return;
	}
	v->has_daemon = control_ask(v->socket_path, &mode, 1, true, &ignored, &status, &err);
	v->status = batch_run(verify_line, v);
}

int cmd_verify(struct cmd *c)
{
	struct verifying v = {.cmd = c, .status = EXIT_INTERNAL};
	struct rt_options options = {0};
	struct err err;

	if (!c->as_batch && c->n != 1)
		return cmd_fail(EXIT_USAGE, "verify: give one address, or --batch with JSON lines on standard input");
	v.conf = daemon_conf_load(c->config, &err);
	if (!v.conf)
		return cmd_fail_err(EXIT_USAGE, &err);
	daemon_socket_path(conf_get(v.conf, &daemon_section), v.socket_path, sizeof(v.socket_path));
	buf_init(&v.out, 1 << 20);
	if (!rt_run(&options, verify_fiber, &v, &err))
		v.status = cmd_fail_err(EXIT_INTERNAL, &err);
	fwrite(v.out.p, 1, v.out.n, stdout);
	buf_done(&v.out);
	conf_unref(v.conf);
	return v.status;
}
