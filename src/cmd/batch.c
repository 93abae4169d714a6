/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The batch engine: a reader in the pool, a fiber for each line, a ring that keeps the order. */
#include "cmd/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "cmd/cmd.h"

#define IN_FLIGHT  100
#define LINE_MAX_  (16 << 20)
#define ANSWER_MAX (4 << 20)
#define DEPTH_MAX  32

struct slot {
	struct batch *batch;
	char *text;
	size_t n;
	struct buf out;
	bool is_done;
};
struct batch {
	WAITS bool (*line)(void *arg, const json_t *line, struct buf *out, struct err *err);
	void *arg;
	struct slot slots[IN_FLIGHT];
	size_t head, tail; /* lines [head, tail) are under way; the slot is the number modulo IN_FLIGHT */
	struct cond moved;
	struct group group;
	bool had_bad_line;
};
struct reading {
	char *text;
	size_t capacity;
	ssize_t n;
};

AUTO_DEFINE(json, json_t *, json_decref);

struct str batch_text(const json_t *line, const char *member)
{
	const json_t *value = json_object_get(line, member);

	if (!json_is_string(value))
		return STR_NONE;
	return (struct str){json_string_value(value), json_string_length(value)};
}

/* Jansson recurses on nesting; what is too deep is refused before it sees it. */
bool batch_is_too_deep(struct str text)
{
	const char *p = text.p;
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
		} else if (p[i] == '"') {
			in_string = true;
		} else if (p[i] == '{' || p[i] == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if (p[i] == '}' || p[i] == ']') {
			depth--;
		}
	}
	return false;
}

static void id_print(const json_t *line, struct buf *out)
{
	const json_t *id = json_object_get(line, "id");
	auto_free char *text = id ? json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	buf_printf(out, "{\"id\":%s", text ? text : "null");
}

static void error_print(const json_t *line, const char *text, struct buf *out)
{
	buf_clear(out);
	id_print(line, out);
	buf_str(out, STR(",\"error\":"));
	buf_json(out, str_from(text));
	buf_str(out, STR("}\n"));
}

WAITS static bool line_answer(struct slot *slot)
{
	struct err err = {0};
	json_error_t why;
	bool is_bad = slot->n > LINE_MAX_ || batch_is_too_deep((struct str){slot->text, slot->n});
	AUTO(json) json_t *line = is_bad ? NULL : json_loadb(slot->text, slot->n, JSON_ALLOW_NUL, &why);

	if (!json_is_object(line)) {
		error_print(NULL, is_bad ? "line too long or nested too deep" : line ? "a line must be one JSON object" : why.text,
		            &slot->out);
		return false;
	}
	id_print(line, &slot->out);
	buf_char(&slot->out, ',');
	if (!slot->batch->line(slot->batch->arg, line, &slot->out, &err)) {
		error_print(line, err.text, &slot->out);
		return false;
	}
	buf_str(&slot->out, STR("}\n"));
	if (!buf_ok(&slot->out)) {
		error_print(line, "the answer is too long", &slot->out);
		return false;
	}
	return true;
}

static void done_print(struct batch *b)
{
	struct slot *slot;

	while (b->head < b->tail && (slot = &b->slots[b->head % IN_FLIGHT])->is_done) {
		fwrite(slot->out.p, 1, slot->out.n, stdout);
		buf_done(&slot->out);
		free(slot->text);
		b->head++;
	}
	fflush(stdout);
}

/* Printed as soon as it is its turn: who writes a line and waits for the answer must not wait for the next line. */
WAITS static void line_fiber(void *arg)
{
	struct slot *slot = arg;
	struct batch *b = slot->batch;

	if (!line_answer(slot))
		b->had_bad_line = true;
	slot->is_done = true;
	done_print(b);
	cond_broadcast(&b->moved);
}

static void line_read(void *arg)
{
	struct reading *r = arg;

	r->n = getline(&r->text, &r->capacity, stdin);
}

static void reading_free(void *arg)
{
	struct reading *r = arg;

	free(r->text);
	free(r);
}

WAITS static bool slot_fill(struct batch *b, struct reading *r, struct err *err)
{
	struct slot *slot = &b->slots[b->tail % IN_FLIGHT];

	*slot = (struct slot){.batch = b, .text = r->text, .n = (size_t)r->n};
	r->text = NULL;
	r->capacity = 0;
	buf_init(&slot->out, ANSWER_MAX);
	b->tail++;
	return group_go(&b->group, "batch line", line_fiber, slot, err);
}

int batch_run(WAITS bool (*line)(void *arg, const json_t *line, struct buf *out, struct err *err), void *arg)
{
	struct batch *b = calloc(1, sizeof(*b));
	struct reading *r = calloc(1, sizeof(*r));
	struct err err;

	if (!b || !r)
		abort();
	b->line = line;
	b->arg = arg;
	cond_init(&b->moved);
	group_init(&b->group, "batch");
	while (rt_offload("standard input", line_read, r, reading_free, &err) && r->n > 0) {
		bool is_blank = str_trim((struct str){r->text, (size_t)r->n}).n == 0;
		if (!is_blank && !slot_fill(b, r, &err))
			break;
		while (b->tail - b->head == IN_FLIGHT && cond_wait(&b->moved, "batch line", &err))
			;
	}
	while (b->head < b->tail && cond_wait(&b->moved, "batch line", &err))
		;
	group_done(&b->group);
	int status = b->had_bad_line ? EXIT_WARNING : EXIT_FINE;
	reading_free(r);
	free(b);
	return status;
}
