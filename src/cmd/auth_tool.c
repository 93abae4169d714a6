/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members and options, messages and keys for the verbs about signatures. */
#include "cmd/auth_tool.h"

#include <errno.h>

#include "base/auto.h"

#define KEYS_MAX 1024

WAITS static bool tool_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	struct auth_tool *t = arg;
	auto_arena struct arena arena;

	arena_init(&arena, 64 << 20);
	if (json_object_get(line, "dns") && !json_is_array(json_object_get(line, "dns")))
		return err_perm(err, CAUSE_PROTOCOL, "dns: a list of [name, type, value] is needed");
	return t->answer(t, line, &arena, out, err);
}

WAITS static void tool_one(struct auth_tool *t)
{
	struct cmd *c = t->asking.cmd;
	auto_buf struct buf out = {.max = 4 << 20};
	struct err err;

	t->for_people = !c->as_json;
	if (!t->for_people)
		buf_char(&out, '{');
	if (!t->answer(t, NULL, c->arena, &out, &err)) {
		t->status = cmd_fail_err(t->failed ? t->failed : EXIT_UNKNOWN, &err);
		return;
	}
	if (!t->for_people)
		buf_str(&out, STR("}\n"));
	fwrite(out.p, 1, out.n, stdout);
}

WAITS static void tool_fiber(void *arg)
{
	struct auth_tool *t = arg;

	if (!asking_now(t->asking.cmd, &t->now))
		t->status = cmd_fail(EXIT_USAGE, "--now %s: a time such as 2026-11-22T08:15:30Z", t->asking.cmd->now);
	else if (t->asking.cmd->as_batch)
		t->status = batch_run(tool_line, t);
	else
		tool_one(t);
	asking_close(&t->asking);
}

int auth_tool_run(struct auth_tool *t, struct cmd *c)
{
	struct rt_options options = {0};
	struct err err;

	t->status = EXIT_INTERNAL;
	if (!asking_open(&t->asking, c, &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	t->keys = dkim_keys_new(KEYS_MAX);
	if (!rt_run(&options, tool_fiber, t, &err))
		t->status = cmd_fail_err(EXIT_INTERNAL, &err);
	dkim_keys_free(t->keys);
	return t->status;
}

struct str auth_tool_text(struct arena *arena, const json_t *line, const char *member, const char *option)
{
	const json_t *value = json_object_get(line, member), *item;
	auto_buf struct buf list = {.max = 65536};
	size_t i;

	if (!line)
		return str_from(option);
	if (json_is_integer(value))
		return arena_printf(arena, "%lld", (long long)json_integer_value(value));
	if (!json_is_array(value))
		return batch_text(line, member);
	json_array_foreach(value, i, item) {
		if (i > 0)
			buf_char(&list, ':');
		buf_str(&list, (struct str){json_string_value(item), json_string_length(item)});
	}
	return arena_str(arena, buf_view(&list));
}

bool auth_tool_number(struct arena *arena, const json_t *line, const char *member, const char *option, uint64_t *out,
                      struct err *err)
{
	struct str text = auth_tool_text(arena, line, member, option);

	if (text.n == 0 && (!line || !json_object_get(line, member)))
		return true;
	return str_to_u64(text, UINT32_MAX * 16ull, out) || err_perm(err, CAUSE_PROTOCOL, "%s: a number is needed", member);
}

/* Seconds since 1970, or RFC 3339. */
static bool time_parse(struct str text, struct wall *out)
{
	uint64_t seconds;

	if (!str_to_u64(text, UINT32_MAX * 16ull, &seconds))
		return wall_parse_rfc3339(text, out);
	out->us = (int64_t)seconds * USEC_S;
	return true;
}

bool auth_tool_now(const struct auth_tool *t, const json_t *line, struct wall *out, struct err *err)
{
	auto_arena struct arena arena;

	arena_init(&arena, 4096);
	struct str text = auth_tool_text(&arena, line, "now", NULL);
	*out = t->now;
	return text.n == 0 || time_parse(text, out) ||
	       err_perm(err, CAUSE_PROTOCOL, "now: a time such as 2026-11-22T08:15:30Z is needed");
}

bool auth_tool_message(struct auth_tool *t, const json_t *line, struct arena *arena, struct mail_input *m,
                       struct err *err)
{
	if (line)
		return mail_input_line(m, arena, line, err);
	t->failed = EXIT_NO_INPUT;
	bool ok = mail_input_open(m, arena, t->asking.cmd->words[0], err);
	t->failed = ok ? 0 : EXIT_NO_INPUT;
	return ok;
}

bool auth_tool_options(struct auth_tool *t, const json_t *line, struct arena *arena, struct dkim_options *out,
                       struct err *err)
{
	const struct cmd *c = t->asking.cmd;
	uint64_t bits = 0;

	if (!auth_tool_now(t, line, &out->now, err) ||
	    !auth_tool_number(arena, line, "min_rsa_bits", c->min_rsa_bits, &bits, err))
		return false;
	out->min_rsa_bits = bits > UINT32_MAX ? UINT32_MAX : (unsigned)bits;
	out->allow_sha1 = line ? json_is_true(json_object_get(line, "allow_sha1")) : c->allow_sha1;
	return true;
}

/* A key stands in the line itself, or in a file. */
static struct dkim_private_key *key_read(struct auth_tool *t, struct str text, struct arena *arena, struct err *err)
{
	auto_buf struct buf content = {.max = 65536};
	FILE *f;

	if (str_find(text, STR("-----BEGIN")) < text.n)
		return dkim_private_key_parse(text, err);
	f = fopen(arena_cstr(arena, text), "re");
	if (!f) {
		int error = errno;
		struct dkim_private_key *key = dkim_private_key_parse(text, err);
		if (!key) {
			err_perm(err, CAUSE_LOCAL_ERROR, "the key %.*s: %s", STR_ARG(str_slice(text, 0, 100)), strerror(error));
			t->failed = EXIT_NO_INPUT;
		}
		return key;
	}
	char *room = buf_reserve(&content, 65536);
	buf_added(&content, fread(room, 1, 65536, f));
	fclose(f);
	struct dkim_private_key *key = dkim_private_key_parse(buf_view(&content), err);
	if (!key)
		err_context(err, "%.*s", STR_ARG(str_slice(text, 0, 100)));
	return key;
}

bool auth_tool_signer(struct auth_tool *t, const json_t *line, struct arena *arena, struct dkim_signer *out,
                      struct wall *now, struct err *err)
{
	const struct cmd *c = t->asking.cmd;
	struct str canon = auth_tool_text(arena, line, "canonicalization", c->canonicalization);
	struct str when = auth_tool_text(arena, line, "timestamp", c->timestamp);
	struct str key = auth_tool_text(arena, line, "key", c->key);

	*out = (struct dkim_signer){
		.domain = arena_lower(arena, auth_tool_text(arena, line, "domain", c->domain)),
		.selector = arena_lower(arena, auth_tool_text(arena, line, "selector", c->selector)),
		.fields = auth_tool_text(arena, line, "headers", c->fields),
	};
	if (!auth_tool_now(t, line, now, err))
		return false;
	if (out->domain.n == 0 || out->selector.n == 0 || key.n == 0)
		return err_perm(err, CAUSE_PROTOCOL, "domain, selector and key are needed");
	if (canon.n > 0 && !dkim_canonicalization_parse(canon, &out->is_header_simple, &out->is_body_simple))
		return err_perm(err, CAUSE_PROTOCOL, "canonicalization: relaxed/relaxed, relaxed/simple, simple/relaxed or simple/simple");
	if (when.n > 0 && !time_parse(when, now))
		return err_perm(err, CAUSE_PROTOCOL, "timestamp: seconds since 1970 are needed");
	out->key = key_read(t, key, arena, err);
	return out->key != NULL;
}

const char *auth_tool_mark(int status)
{
	return status == EXIT_FINE ? "✓" : status == EXIT_FAULT ? "✖" : "?";
}
