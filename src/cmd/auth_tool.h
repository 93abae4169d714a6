/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs about signatures share: questions and keys, the message, the signer, one line or a batch of them. */
#pragma once

#include "auth/dkim_check.h"
#include "auth/dkim_sign.h"
#include "cmd/asking.h"
#include "cmd/batch.h"
#include "cmd/mail_input.h"

struct auth_tool {
	struct asking asking;
	struct dkim_keys *keys;
	struct wall now;
	int status;
	/* One answer: `line` is NULL when the words and options ask. `out` gets JSON members, or text for people. */
	WAITS bool (*answer)(struct auth_tool *t, const json_t *line, struct arena *arena, struct buf *out, struct err *err);
	bool for_people;
	int failed; /* exit status of a failure; 0: could not find out */
};
/* Runs `answer` once, or for each line of standard input. */
int auth_tool_run(struct auth_tool *t, struct cmd *c);

/* Of the line, else the option's text; a number or a list of a line is made text, list items joined by ':'. */
struct str auth_tool_text(struct arena *arena, const json_t *line, const char *member, const char *option);
bool auth_tool_number(struct arena *arena, const json_t *line, const char *member, const char *option, uint64_t *out,
                      struct err *err);
/* "now" of the line, --now, or the clock. */
bool auth_tool_now(const struct auth_tool *t, const json_t *line, struct wall *out, struct err *err);
bool auth_tool_message(struct auth_tool *t, const json_t *line, struct arena *arena, struct mail_input *m,
                       struct err *err);
bool auth_tool_options(struct auth_tool *t, const json_t *line, struct arena *arena, struct dkim_options *out,
                       struct err *err);
/* domain, selector, key, headers, canonicalization; the key is the caller's to free. */
bool auth_tool_signer(struct auth_tool *t, const json_t *line, struct arena *arena, struct dkim_signer *out,
                      struct wall *now, struct err *err);
/* ✓ ✖ ? in front of a line for people. */
const char *auth_tool_mark(int status);
