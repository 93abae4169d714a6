/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern address check`: is this a well-formed address, and what would the gate say to it in MAIL? */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/batch.h"
#include "cmd/cmd.h"
#include "mail/address.h"
#include "smtp/command.h"

/* The gate's own parser in the gate's own place, so that the answer is the one a client would hear. */
static void address_answer(struct arena *arena, struct str text, struct buf *out, bool *is_valid)
{
	struct address a;
	struct err err;
	struct smtp_mail mail;
	struct smtp_fault fault;
	struct str said = STR("250 2.1.0 Ok");

	*is_valid = address_parse(arena, text, true, &a, &err);
	struct str line = arena_printf(arena, "FROM:<%.*s>%s", STR_ARG(text), *is_valid && a.needs_smtputf8 ? " SMTPUTF8" : "");
	if (!smtp_mail_parse(arena, line, &mail, &fault))
		said = arena_printf(arena, "%d %u.%u.%u %.*s", fault.code, fault.enhanced.class, fault.enhanced.subject,
		                    fault.enhanced.detail, STR_ARG(fault.text));
	buf_printf(out, "\"valid\":%s,\"reason\":", *is_valid ? "true" : "false");
	if (*is_valid)
		buf_str(out, STR("null"));
	else
		buf_json(out, str_from(err.text));
	buf_str(out, STR(",\"local\":"));
	buf_json(out, *is_valid ? a.local : STR_NONE);
	buf_str(out, STR(",\"domain\":"));
	buf_json(out, *is_valid ? a.domain : STR_NONE);
	buf_str(out, STR(",\"ascii_domain\":"));
	buf_json(out, *is_valid ? a.ascii_domain : STR_NONE);
	buf_str(out, STR(",\"smtp_reply\":"));
	buf_json(out, said);
}

WAITS static bool address_line(void *arg, const json_t *line, struct buf *out, struct err *err)
{
	auto_arena struct arena arena;
	bool is_valid;

	arena_init(&arena, 1 << 20);
	if (!json_is_string(json_object_get(line, "address")))
		return err_perm(err, CAUSE_PROTOCOL, "address: a string is needed");
	address_answer(&arena, batch_text(line, "address"), out, &is_valid);
	return true;
}

WAITS static void batch_fiber(void *arg)
{
	*(int *)arg = batch_run(address_line, NULL);
}

int cmd_address_check(struct cmd *c)
{
	struct rt_options options = {0};
	auto_buf struct buf out = {.max = 1 << 20};
	struct address a;
	struct err err;
	bool is_valid;
	int status = EXIT_INTERNAL;

	if (c->as_batch)
		return rt_run(&options, batch_fiber, &status, &err) ? status : cmd_fail_err(EXIT_INTERNAL, &err);
	if (c->n != 1)
		return cmd_fail(EXIT_USAGE, "address check: give one address, or --batch");
	struct str text = str_from(c->words[0]);
	if (c->as_json) {
		address_answer(c->arena, text, &out, &is_valid);
		printf("{\"address\":");
		auto_buf struct buf quoted = {.max = 65536};
		buf_json(&quoted, text);
		printf("%.*s,%.*s}\n", STR_ARG(buf_view(&quoted)), STR_ARG(buf_view(&out)));
		return is_valid ? EXIT_FINE : EXIT_FAULT;
	}
	if (!address_parse(c->arena, text, true, &a, &err)) {
		printf("✖ %.*s: %s\n", STR_ARG(text), err.text);
		return EXIT_FAULT;
	}
	printf("✓ %.*s: local part '%.*s', domain %.*s%s\n", STR_ARG(text), STR_ARG(a.local), STR_ARG(a.ascii_domain),
	       a.needs_smtputf8 ? "; needs SMTPUTF8 on the whole way" : "");
	return EXIT_FINE;
}
