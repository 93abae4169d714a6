/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket, both ends: a question in one JSON line, an answer with its exit status in front. */
#include "control/control.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "rt/stream.h"

#define QUESTION_MAX 32768
#define ANSWER_MAX   (64 << 20)
#define WORDS_MAX    32
#define ASK_WITHIN   (20 * USEC_S)
#define SERVE_WITHIN (5 * USEC_MIN)

struct control {
	const struct control_verb *verbs;
	void *arg;
	struct listener *listener;
	struct group *root;
	char *path;
};

struct asking {
	struct control *control;
	struct stream *stream;
};

AUTO_DEFINE(stream, struct stream *, stream_close);
AUTO_DEFINE(json, json_t *, json_decref);

/* Words of the verb, joined, are a prefix of the question's words. */
static bool verb_matches(const char *name, const struct control_request *request, size_t *used)
{
	struct str rest = str_from(name), word;

	*used = 0;
	while (str_next_word(&rest, &word)) {
		if (*used == request->n || !str_eq(word, request->words[*used]))
			return false;
		(*used)++;
	}
	return true;
}

static const struct control_verb *verb_find(const struct control_verb *verbs, const struct control_request *request,
                                            size_t *used)
{
	const struct control_verb *best = NULL;
	size_t n;

	*used = 0;
	for (const struct control_verb *v = verbs; v->name; v++) {
		if (verb_matches(v->name, request, &n) && n > *used) {
			best = v;
			*used = n;
		}
	}
	return best;
}

static bool question_read(struct str line, struct arena *arena, struct control_request *out)
{
	json_error_t why;
	AUTO(json) json_t *json = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	json_t *words = json_object_get(json, "words");
	size_t n = json_array_size(words);

	if (n == 0 || n > WORDS_MAX)
		return false;
	out->words = arena_alloc(arena, n * sizeof(*out->words));
	out->n = n;
	out->arena = arena;
	out->as_json = json_is_true(json_object_get(json, "json"));
	for (size_t i = 0; i < n; i++) {
		json_t *word = json_array_get(words, i);
		if (!json_is_string(word))
			return false;
		out->words[i] = arena_str(arena, (struct str){json_string_value(word), json_string_length(word)});
	}
	return true;
}

WAITS static int answer_make(struct control *c, struct control_request *request, struct buf *out)
{
	size_t used;
	const struct control_verb *verb = verb_find(c->verbs, request, &used);

	if (!verb) {
		buf_printf(out, "postern: the daemon does not know '%.*s'\n", STR_ARG(request->words[0]));
		return 64;
	}
	request->words += used;
	request->n -= used;
	return verb->answer(c->arg, request, out);
}

WAITS static void serve(void *arg)
{
	struct asking *asking = arg;
	struct control *c = asking->control;
	AUTO(stream) struct stream *s = asking->stream;
	auto_buf struct buf out;
	auto_arena struct arena arena;
	struct control_request request;
	struct deadline deadline;
	struct str line;
	struct err err;
	bool is_too_long = false;
	int status = 64;

	free(asking);
	buf_init(&out, ANSWER_MAX);
	arena_init(&arena, 4 * QUESTION_MAX);
	deadline_push(&deadline, SERVE_WITHIN, "control question");
	if (stream_read_line(s, QUESTION_MAX, &line, NULL, &is_too_long, &err)) {
		if (!is_too_long && question_read(line, &arena, &request))
			status = answer_make(c, &request, &out);
		else
			buf_str(&out, STR("postern: that was not a question for the control socket\n"));
		if (!buf_ok(&out)) {
			buf_clear(&out);
			buf_str(&out, STR("postern: the answer is over 64 MiB; ask for less\n"));
			status = 70;
		}
		stream_printf(s, "{\"status\":%d,\"bytes\":%zu}\n", status, out.n);
		stream_write(s, buf_view(&out));
		stream_flush(s, &err);
	}
	deadline_pop(&deadline);
}

WAITS static void accept_loop(void *arg)
{
	struct control *c = arg;
	struct err err;

	for (;;) {
		struct stream *s = listener_accept(c->listener, &err);
		if (!s)
			break;
		struct asking *asking = malloc(sizeof(*asking));
		if (!asking)
			abort();
		*asking = (struct asking){c, s};
		if (!group_go(c->root, "control", serve, asking, &err)) {
			stream_close(s);
			free(asking);
		}
	}
	listener_close(c->listener);
	free(c->path);
	free(c);
}

bool control_open(const char *path, const struct control_verb *verbs, void *arg, struct group *root,
                  struct control **out, struct err *err)
{
	struct conf_addr at = {.path = str_from(path)};
	struct listener *listener;
	struct control *c;

	unlink(path);
	mode_t before = umask(0117);
	listener = listener_open(&at, err);
	umask(before);
	if (!listener)
		return err_context(err, "control socket %s", path);
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct control){verbs, arg, listener, root, strdup(path)};
	if (!group_go(root, "control accept", accept_loop, c, err)) {
		listener_close(listener);
		free(c->path);
		free(c);
		return false;
	}
	*out = c;
	return true;
}

/* The accept fiber owns `c`: cancelling the root group ends it. Here only the name goes, so that nobody asks any more. */
void control_close(struct control *c)
{
	if (c)
		unlink(c->path);
}

static void question_write(struct buf *out, const struct str *words, size_t n, bool as_json)
{
	buf_str(out, STR("{\"words\":["));
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(out, ',');
		buf_json(out, words[i]);
	}
	buf_printf(out, "],\"json\":%s}\n", as_json ? "true" : "false");
}

static bool status_read(struct str line, int *status, size_t *bytes)
{
	json_error_t why;
	AUTO(json) json_t *json = json_loadb(line.p, line.n, 0, &why);
	json_int_t n = json_integer_value(json_object_get(json, "bytes"));

	if (!json_is_integer(json_object_get(json, "status")) || n < 0 || n > ANSWER_MAX)
		return false;
	*status = (int)json_integer_value(json_object_get(json, "status"));
	*bytes = (size_t)n;
	return true;
}

WAITS static bool answer_read(struct stream *s, struct buf *out, int *status, struct err *err)
{
	struct str line;
	size_t bytes;
	bool is_too_long = false;

	if (!stream_read_line(s, 4096, &line, NULL, &is_too_long, err))
		return err_context(err, "answer of the daemon");
	if (is_too_long || !status_read(line, status, &bytes))
		return err_perm(err, CAUSE_LOCAL_ERROR, "the daemon's answer is not in the form of this version");
	while (bytes > 0) {
		struct str got = stream_buffered(s);
		if (got.n == 0) {
			if (!stream_fill(s, err))
				return err_context(err, "answer of the daemon");
			continue;
		}
		got = str_slice(got, 0, bytes);
		buf_str(out, got);
		bytes -= got.n;
		stream_consume(s, got.n);
	}
	return true;
}

bool control_ask(const char *path, const struct str *words, size_t n, bool as_json, struct buf *out, int *status,
                 struct err *err)
{
	auto_buf struct buf question;
	AUTO(stream) struct stream *s = NULL;
	struct dial dial = {.path = path, .label = "the daemon"};
	struct deadline deadline;
	bool is_done = false;

	buf_init(&question, QUESTION_MAX);
	deadline_push(&deadline, ASK_WITHIN, "the daemon's answer");
	s = stream_dial(&dial, err);
	if (s) {
		question_write(&question, words, n, as_json);
		stream_write(s, buf_view(&question));
		is_done = stream_flush(s, err) && answer_read(s, out, status, err);
	}
	deadline_pop(&deadline);
	return is_done;
}
