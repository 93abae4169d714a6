/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon answers about its queue. */
#include "cause/cause.h"
#include "cmd/cmd.h"
#include "cmd/daemon_verbs.h"

struct printing {
	struct buf *out;
	bool as_json;
	size_t n;
	struct wall now;
};

static const char *item_state(const struct queue_item *i)
{
	if (i->is_on_hold)
		return "on hold";
	if (i->is_active)
		return "sending";
	if (i->has_kept && i->rcpts_open == 0)
		return "kept";
	return i->attempts > 0 ? "deferred" : "queued";
}

static void item_json(struct buf *out, const struct queue_item *i)
{
	char id[SPOOL_ID_MAX], accepted[WALL_FORMAT_MAX], next[WALL_FORMAT_MAX];

	buf_printf(out, "{\"id\":\"%.*s\",\"state\":\"%s\",\"sender\":", STR_ARG(spool_id_text(i->id, id)), item_state(i));
	buf_json(out, i->sender);
	buf_printf(out, ",\"recipients_open\":%zu,\"recipients\":%zu,\"size\":%llu,\"attempts\":%u,\"accepted\":\"%.*s\","
	           "\"next_attempt\":\"%.*s\",\"site\":", i->rcpts_open, i->rcpts_all, (unsigned long long)i->size, i->attempts,
	           STR_ARG(wall_rfc3339(i->accepted, accepted)), STR_ARG(wall_rfc3339(i->next_attempt, next)));
	buf_json(out, i->site);
	buf_str(out, STR(",\"last_reply\":"));
	buf_json(out, i->last_reply);
	buf_char(out, '}');
}

static void item_text(struct buf *out, const struct queue_item *i, struct wall now)
{
	char id[SPOOL_ID_MAX], age[32], due[32];
	usec_t until = wall_diff(i->next_attempt, now);

	duration_text(wall_diff(now, i->accepted), age);
	duration_text(until > 0 ? until : 0, due);
	buf_printf(out, "%.*s  %-8s %7llu  %-10s <%.*s>\n", STR_ARG(spool_id_text(i->id, id)), item_state(i),
	           (unsigned long long)i->size, age, STR_ARG(i->sender));
	buf_printf(out, "    %zu of %zu recipients open, for %.*s", i->rcpts_open, i->rcpts_all, STR_ARG(i->site));
	if (i->rcpts_open > 0 && !i->is_active && !i->is_on_hold)
		buf_printf(out, "; next attempt in %s", due);
	buf_char(out, '\n');
	if (i->last_reply.n > 0)
		buf_printf(out, "    last answer: %.*s\n", STR_ARG(i->last_reply));
}

static void item_print(void *arg, const struct queue_item *item)
{
	struct printing *p = arg;

	if (p->as_json) {
		if (p->n > 0)
			buf_char(p->out, ',');
		item_json(p->out, item);
	} else {
		item_text(p->out, item, p->now);
	}
	p->n++;
}

int answer_queue_list(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct printing p = {out, request->as_json, 0, rt_wall()};

	if (p.as_json)
		buf_char(out, '[');
	queue_each(d->queue, item_print, &p);
	if (p.as_json)
		buf_str(out, STR("]\n"));
	else if (p.n == 0)
		buf_str(out, STR("The queue is empty.\n"));
	return EXIT_FINE;
}

static const char *const state_names[] = {"queued", "deferred", "delivered", "failed", "failed, kept"};

static void rcpt_print(struct buf *out, const struct spool_rcpt *r, bool as_json)
{
	char next[WALL_FORMAT_MAX];

	if (!as_json) {
		buf_printf(out, "  <%.*s>  %s, %u attempts", STR_ARG(r->address), state_names[r->state], r->attempts);
		if (r->state == RCPT_DEFERRED)
			buf_printf(out, ", because of %.*s, next %.*s", STR_ARG(cause_name((enum cause_id)r->cause)),
			           STR_ARG(wall_rfc3339(r->next_attempt, next)));
		buf_char(out, '\n');
		if (r->last_reply.n > 0)
			buf_printf(out, "      %.*s\n", STR_ARG(r->last_reply));
		return;
	}
	buf_str(out, STR("{\"address\":"));
	buf_json(out, r->address);
	buf_printf(out, ",\"state\":\"%s\",\"attempts\":%u,\"cause\":\"%.*s\",\"last_reply\":", state_names[r->state], r->attempts,
	           STR_ARG(cause_name((enum cause_id)r->cause)));
	buf_json(out, r->last_reply);
	buf_char(out, '}');
}

static bool id_of(const struct control_request *request, struct spool_id *out)
{
	return request->n > 0 && spool_id_parse(request->words[0], out);
}

int answer_queue_show(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct spool_id id;
	struct spool_envelope e;
	struct queue_item item;
	struct err err;

	if (!id_of(request, &id))
		return answer_usage(out, "queue show: give the ID that `postern queue list` shows");
	if (!queue_find(d->queue, id, &item)) {
		buf_str(out, STR("postern: no such message in the queue; `postern why ID` tells what became of it\n"));
		return EXIT_WARNING;
	}
	if (request->as_json)
		item_json(out, &item);
	else
		item_text(out, &item, rt_wall());
	if (!spool_read_envelope(d->spool, id, request->arena, &e, &err)) {
		buf_clear(out);
		return answer_err(out, EXIT_UNKNOWN, &err);
	}
	if (request->as_json) {
		out->n--; /* the closing brace comes back behind the recipients */
		buf_str(out, STR(",\"rcpts\":["));
	}
	for (size_t i = 0; i < e.n_rcpts; i++) {
		if (i > 0 && request->as_json)
			buf_char(out, ',');
		rcpt_print(out, &e.rcpts[i], request->as_json);
	}
	if (request->as_json)
		buf_str(out, STR("]}\n"));
	return EXIT_FINE;
}

static int done(const struct control_request *request, bool is_done, const struct err *err, const char *text,
                struct buf *out)
{
	if (!is_done)
		return answer_err(out, EXIT_FAULT, err);
	buf_printf(out, request->as_json ? "{\"ok\":true}\n" : "%s\n", text);
	return EXIT_FINE;
}

int answer_queue_hold(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct spool_id id;
	struct err err;
	struct str why = request_option(request, "why");

	if (!id_of(request, &id))
		return answer_usage(out, "queue hold: give the ID that `postern queue list` shows");
	bool ok = queue_hold(d->queue, id, why.n > 0 ? why : STR("held by the operator"), &err);
	return done(request, ok, &err, "Held until `postern queue release`.", out);
}

int answer_queue_release(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct spool_id id;
	struct err err;

	if (!id_of(request, &id))
		return answer_usage(out, "queue release: give the ID that `postern queue list` shows");
	bool ok = queue_release(d->queue, id, &err);
	return done(request, ok, &err, "Released.", out);
}

int answer_queue_retry(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct spool_id id = {0};
	struct err err;

	if (request->n == 0 || (!str_eq(request->words[0], STR("all")) && !id_of(request, &id)))
		return answer_usage(out, "queue retry: give an ID, or all");
	bool ok = queue_retry(d->queue, id, &err);
	return done(request, ok, &err, "On its way.", out);
}

int answer_queue_remove(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct spool_id id;
	struct err err;

	if (!id_of(request, &id))
		return answer_usage(out, "queue remove: give the ID that `postern queue list` shows");
	bool ok = queue_remove(d->queue, id, &err);
	return done(request, ok, &err, "Removed for good.", out);
}
