/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern verify`: asks the daemon when one answers, so that its cache is shared; otherwise works alone without one. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/ask.h"
#include "cmd/asking.h"
#include "cmd/batch.h"
#include "cmd/daemon_conf.h"
#include "cmd/verify_alone.h"
#include "cmd/verify_print.h"
#include "control/control.h"

struct verifying {
	struct cmd *cmd;
	struct conf *conf;
	char socket_path[4096];
	bool has_daemon;
	struct buf out;
	int status;
};

WAITS static bool ask_alone(const struct verifying *v, const struct address *address, struct str dns_script,
                            int64_t port, struct arena *arena, struct verify_answer *out, struct err *err)
{
	struct verify_alone *a = arena_new(arena, struct verify_alone);
	struct evidence nobody = {0};
	bool ok = verify_alone_open(a, v->cmd, v->conf, dns_script, port, err) &&
	          verify_address(a->verify, address, &nobody, out, err);

	if (ok)
		out->dialogue = arena_str(arena, out->dialogue);
	verify_alone_close(a);
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
	if (!ask_alone(v, &address, script ? str_from(script) : STR_NONE, port ? json_integer_value(port) : 0, &arena,
	                  &answer, err))
		return false;
	verify_answer_members(&answer, out);
	return true;
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
	if (str_find_char(words[1], '@') == words[1].n)
		return cmd_fail(EXIT_USAGE, "verify: %s is no address, it has no @; give one such as postmaster@%s", c->words[0], c->words[0]);
	if (!address_parse(c->arena, words[1], true, &address, &err))
		return cmd_fail(EXIT_USAGE, "%s: %s", c->words[0], err.text);
	if (c->port && (!str_to_u64(str_from(c->port), 65535, &port) || port == 0))
		return cmd_fail(EXIT_USAGE, "--port %s: a number from 1 to 65535", c->port);
	if (!c->dns_file && !c->resolver && !c->port &&
	    control_ask(v->socket_path, words, 2, c->as_json, &v->out, &status, &err))
		return status;
	if (c->dns_file && !asking_script_read(c->dns_file, &script, &err))
		return cmd_fail_err(EXIT_NO_INPUT, &err);
	if (!ask_alone(v, &address, buf_view(&script), (int64_t)port, c->arena, &answer, &err))
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
	if (v.out.n > 0)
		fwrite(v.out.p, 1, v.out.n, stdout);
	buf_done(&v.out);
	conf_unref(v.conf);
	return v.status;
}
