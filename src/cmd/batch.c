/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The batch engine: a reader, workers that take lines from its ring, and a ring that keeps the order.
 *
 * Most lines never wait, so one worker answers a whole ring of them without a switch. Before it begins a line it makes
 * sure that another worker is runnable, which goes on with the rest if this line parks its fiber; so there are as many
 * workers as lines that wait, plus one.
 */
#include "cmd/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/json_line.h"

#define IN_FLIGHT  100
#define LINE_MAX_  (16 << 20)
#define ANSWER_MAX (4 << 20)
#define DEPTH_MAX  JSON_LINE_DEPTH_MAX
#define BLOCK      (256 << 10) /* read at once; a pipe gives what it has */
#define OUT_MAX    (2 * IN_FLIGHT * ANSWER_MAX)
#define KEPT_MAX   (64 << 10)  /* of a slot's buffers between lines */
#define CHUNK      (32 << 10)  /* of a slot's JSON; what does not fit is on the heap */

struct slot {
	struct buf text, out;
	struct json_chunk *json; /* of this slot */
	bool is_too_long, is_done;
};
struct batch {
	WAITS bool (*line)(void *arg, const json_t *line, struct buf *out, struct err *err);
	void *arg;
	struct slot slots[IN_FLIGHT];
	size_t head, next, tail; /* lines [head, next) are begun, [next, tail) are not; the slot is the number modulo IN_FLIGHT */
	struct cond moved, work; /* a line was answered; a worker may begin one */
	struct group group;
	unsigned workers, idle;
	bool has_follower;       /* a worker was made runnable and has not run yet */
	bool is_ended;
	bool had_bad_line, has_no_reader;
	struct buf partial;      /* a line that is not whole yet */
	struct buf unescaped;    /* a string of the line that is parsed */
	struct buf out;          /* answers in order, written at the end of the turn */
	struct post flush;
	bool is_flush_due;
};
struct json_chunk {
	size_t used;
	char bytes[CHUNK - sizeof(size_t)];
};
struct reading {
	ssize_t n;
	int error;
	char bytes[BLOCK];
};

AUTO_DEFINE(json, json_t *, json_decref);

struct str batch_text(const json_t *line, const char *member)
{
	const json_t *value = json_object_get(line, member);

	if (!json_is_string(value))
		return STR_NONE;
	return (struct str){json_string_value(value), json_string_length(value)};
}

/* --- JSON's memory ---
 *
 * A line makes dozens of small values that are freed together, which is what malloc is slowest at. While a line is parsed
 * they come from its slot's chunk; freeing them does nothing, and the chunk starts anew with the slot's next line. */

static struct json_chunk *chunks;        /* of all slots, while a batch runs */
static struct json_chunk *chunk_parsing; /* NULL: nothing is parsed, what Jansson wants is anybody's */

static void *json_take(size_t n)
{
	struct json_chunk *c = chunk_parsing;
	size_t rounded = (n + 15) & ~(size_t)15;

	if (!c || rounded < n || rounded > sizeof(c->bytes) - c->used)
		return malloc(n);
	void *p = c->bytes + c->used;
	c->used += rounded;
	return p;
}

static void json_give(void *p)
{
	if ((uintptr_t)p - (uintptr_t)chunks >= IN_FLIGHT * sizeof(*chunks))
		free(p);
}

static void chunk_begin(struct slot *slot)
{
	slot->json->used = 8; /* the bytes begin 8 behind a multiple of 16 */
	chunk_parsing = slot->json;
}

/* Nearly all lines are read in one pass. What is unusual or wrong is Jansson's, which recurses: not too deep. */
static json_t *line_parse(struct batch *b, struct slot *slot, json_error_t *why)
{
	struct str text = buf_view(&slot->text);
	bool is_bad = slot->is_too_long;
	json_t *line = NULL;

	if (!is_bad) {
		chunk_begin(slot);
		line = json_line_read(text, &b->unescaped);
		is_bad = !line && batch_is_too_deep(text);
	}
	if (is_bad) {
		snprintf(why->text, sizeof why->text, "line too long or nested too deep");
	} else if (!line) {
		chunk_begin(slot);
		line = json_loadb(text.p, text.n, JSON_ALLOW_NUL, why);
	}
	chunk_parsing = NULL;
	return line;
}

/* --- one line --- */

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

	buf_str(out, STR("{\"id\":"));
	if (json_is_integer(id)) {
		buf_int(out, json_integer_value(id));
	} else {
		auto_free char *text = id ? json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
		buf_str(out, text ? str_from(text) : STR("null"));
	}
}

static void error_print(const json_t *line, const char *text, struct buf *out)
{
	buf_clear(out);
	id_print(line, out);
	buf_str(out, STR(",\"error\":"));
	buf_json(out, str_from(text));
	buf_str(out, STR("}\n"));
}

WAITS static bool line_answer(struct batch *b, struct slot *slot)
{
	struct err err = {0};
	json_error_t why;
	AUTO(json) json_t *line = line_parse(b, slot, &why);

	if (!json_is_object(line)) {
		error_print(NULL, line ? "a line must be one JSON object" : why.text, &slot->out);
		return false;
	}
	id_print(line, &slot->out);
	buf_char(&slot->out, ',');
	if (!b->line(b->arg, line, &slot->out, &err)) {
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

/* --- answers, in order --- */

static void out_write(struct batch *b)
{
	if (b->out.n > 0 && (fwrite(b->out.p, 1, b->out.n, stdout) != b->out.n || fflush(stdout) != 0))
		b->has_no_reader = true;
	buf_clear(&b->out);
	if (b->out.capacity > 16 * KEPT_MAX)
		buf_done(&b->out);
}

/* Once for all that a turn of the loop has answered: who writes a line and waits for its answer gets it at once, and a
 * long file costs one write for a hundred lines. */
static void out_flush(struct post *post)
{
	struct batch *b = container_of(post, struct batch, flush);

	b->is_flush_due = false;
	out_write(b);
}

static void kept_clear(struct buf *b)
{
	buf_clear(b);
	if (b->capacity > KEPT_MAX)
		buf_done(b);
}

static void done_collect(struct batch *b)
{
	struct slot *slot;

	while (b->head < b->next && (slot = &b->slots[b->head % IN_FLIGHT])->is_done) {
		buf_str(&b->out, buf_view(&slot->out));
		kept_clear(&slot->out);
		kept_clear(&slot->text);
		slot->is_done = false;
		b->head++;
	}
	if (b->out.n > 0 && !b->is_flush_due) {
		b->is_flush_due = true;
		rt_at_turn_end(&b->flush);
	}
	cond_signal(&b->moved);
}

/* --- workers --- */

WAITS static void worker_fiber(void *arg);

/* False: nobody is there to go on, and nobody can be made. */
static bool follower_call(struct batch *b, struct err *err)
{
	if (b->has_follower || b->next == b->tail)
		return true;
	if (b->idle > 0) {
		cond_signal(&b->work);
	} else if (b->workers < IN_FLIGHT) {
		if (!group_go(&b->group, "batch line", worker_fiber, b, err))
			return b->workers > 0;
		b->workers++;
	} else {
		return true; /* all wait; the first that returns goes on */
	}
	b->has_follower = true;
	return true;
}

WAITS static void worker_fiber(void *arg)
{
	struct batch *b = arg;
	struct err err;
	bool is_alive = true;

	while (is_alive) {
		b->has_follower = false;
		while (b->next < b->tail) {
			struct slot *slot = &b->slots[b->next++ % IN_FLIGHT];
			follower_call(b, &err);
			if (!line_answer(b, slot))
				b->had_bad_line = true;
			slot->is_done = true;
			done_collect(b);
		}
		b->idle++;
		is_alive = !b->is_ended && cond_wait(&b->work, "batch line", &err);
		b->idle--;
	}
	b->workers--;
}

/* --- the reader --- */

static void block_read(void *arg)
{
	struct reading *r = arg;

	do
		r->n = read(STDIN_FILENO, r->bytes, sizeof(r->bytes));
	while (r->n < 0 && errno == EINTR);
	r->error = r->n < 0 ? errno : 0;
}

WAITS static bool line_put(struct batch *b, struct str text, bool is_too_long, struct err *err)
{
	if (!is_too_long && str_trim(text).n == 0)
		return true;
	while (b->tail - b->head == IN_FLIGHT)
		if (!follower_call(b, err) || !cond_wait(&b->moved, "batch line", err))
			return false;
	struct slot *slot = &b->slots[b->tail % IN_FLIGHT];
	buf_str(&slot->text, text);
	slot->is_too_long = is_too_long;
	b->tail++;
	return true;
}

WAITS static bool partial_put(struct batch *b, struct err *err)
{
	bool ok = line_put(b, buf_view(&b->partial), !buf_ok(&b->partial), err);

	kept_clear(&b->partial);
	return ok;
}

/* All whole lines of a block; what is left of it waits for the next one. */
WAITS static bool block_put(struct batch *b, struct str rest, struct err *err)
{
	size_t at;

	while ((at = str_find_char(rest, '\n')) < rest.n) {
		struct str line = str_slice(rest, 0, at);
		bool is_whole = b->partial.n == 0 && buf_ok(&b->partial);
		if (!is_whole)
			buf_str(&b->partial, line);
		if (is_whole ? !line_put(b, line, line.n > LINE_MAX_, err) : !partial_put(b, err))
			return false;
		rest = str_skip(rest, at + 1);
	}
	buf_str(&b->partial, rest);
	return follower_call(b, err);
}

WAITS static bool input_run(struct batch *b, struct reading *r, struct err *err)
{
	for (;;) {
		if (!rt_offload("standard input", block_read, r, free, err))
			return false; /* the read goes on by itself, and frees its memory */
		bool is_end = r->n <= 0;
		bool ok = is_end ? partial_put(b, err) && follower_call(b, err)
		                 : block_put(b, (struct str){r->bytes, (size_t)r->n}, err) && !b->has_no_reader;
		if (r->error)
			fprintf(stderr, "postern: standard input: %s\n", strerror(r->error));
		b->had_bad_line |= r->error != 0;
		if (is_end || !ok) {
			free(r);
			return ok;
		}
	}
}

static struct batch *batch_new(void)
{
	struct batch *b = mem_new(struct batch);

	assert(!chunks && "one batch at a time");
	chunks = aligned_alloc(16, IN_FLIGHT * sizeof(*chunks)); /* touched as it is used */
	assert(chunks);
	json_set_alloc_funcs(json_take, json_give);
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		buf_init(&b->slots[i].text, LINE_MAX_);
		buf_init(&b->slots[i].out, ANSWER_MAX);
		b->slots[i].json = &chunks[i];
	}
	buf_init(&b->partial, LINE_MAX_);
	buf_init(&b->unescaped, LINE_MAX_);
	buf_init(&b->out, OUT_MAX);
	cond_init(&b->moved);
	cond_init(&b->work);
	group_init(&b->group, "batch");
	b->flush.fn = out_flush;
	return b;
}

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		buf_done(&b->slots[i].text);
		buf_done(&b->slots[i].out);
	}
	buf_done(&b->partial);
	buf_done(&b->unescaped);
	buf_done(&b->out);
	json_set_alloc_funcs(malloc, free);
	free(chunks);
	chunks = NULL;
	free(b);
}

int batch_run(WAITS bool (*line)(void *arg, const json_t *line, struct buf *out, struct err *err), void *arg)
{
	struct batch *b = batch_new();
	struct err err;

	b->line = line;
	b->arg = arg;
	if (input_run(b, mem_new(struct reading), &err))
		while (b->head < b->tail && cond_wait(&b->moved, "batch line", &err))
			;
	b->is_ended = true;
	group_done(&b->group);
	rt_turn_end_cancel(&b->flush);
	out_write(b);
	int status = b->has_no_reader ? EXIT_INTERNAL : b->had_bad_line ? EXIT_WARNING : EXIT_FINE;
	batch_free(b);
	return status;
}
