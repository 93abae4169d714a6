/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a transaction: begun at MAIL, ended with a trail, forgotten whole. */
#include "base/log.h"
#include "base/mem.h"
#include "gate/session.h"

#include <assert.h>
#include <stdlib.h>

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {
		[SESSION_GREETING] = "greeting", [SESSION_COMMAND] = "command", [SESSION_DATA] = "data",
		[SESSION_HELD] = "held",         [SESSION_STORING] = "storing", [SESSION_ENDING] = "ending",
	};
	return names[state];
}

void transaction_begin(struct session *s)
{
	assert(!s->tx);
	struct transaction *tx = mem_new(struct transaction);
	char ref[SPOOL_ID_MAX];
	arena_init(&tx->arena, (size_t)s->set->conf->session_memory);
	tx->id = spool_next_id(s->set->deps.spool);
	tx->ref = arena_str(&tx->arena, spool_id_text(tx->id, ref));
	tx->begun = rt_now();
	tx->ends = tx->begun + s->set->conf->transaction;
	trail_init(&tx->trail, &tx->arena, rt_wall());
	tx->trail.ref = tx->ref;
	tx->trail.client = s->client;
	tx->trail.helo = str_from(s->helo);
	dot_reader_init(&tx->dot);
	s->tx = tx;
	s->gate->n_transactions++;
}

void transaction_count_memory(struct session *s)
{
	struct transaction *tx = s->tx;
	size_t now = tx->body ? spool_body_memory(tx->body) : 0;
	if (now == tx->memory)
		return;
	s->gate->memory += now - tx->memory;
	tx->memory = now;
	metric_set(s->gate->metrics.memory, (double)s->gate->memory);
}

size_t session_memory(const struct session *s)
{
	return sizeof *s + (s->tx ? sizeof *s->tx + s->tx->arena.used + s->tx->memory : 0);
}

void session_clear(struct session *s)
{
	struct transaction *tx = s->tx;
	if (!tx)
		return;
	spool_body_drop(tx->body);
	tx->body = NULL;
	transaction_count_memory(s);
	sender_check_done(&tx->check);
	arena_done(&tx->arena);
	free(tx);
	s->tx = NULL;
	s->gate->n_transactions--;
	if (s->gate->is_draining)
		cond_broadcast(&s->gate->quieter);
}

static struct str recipients_text(struct transaction *tx)
{
	size_t room = 1;
	for (size_t i = 0; i < tx->n_rcpts; i++)
		room += tx->rcpts[i].address.n + 1;
	char *text = arena_alloc(&tx->arena, room), *p = text;
	for (size_t i = 0; i < tx->n_rcpts; i++) {
		if (i)
			*p++ = ' ';
		memcpy(p, tx->rcpts[i].address.p, tx->rcpts[i].address.n);
		p += tx->rcpts[i].address.n;
	}
	return (struct str){text, (size_t)(p - text)};
}

static void log_end(const struct session *s)
{
	const struct transaction *tx = s->tx;
	char client[IP_TEXT_MAX];
	if (!log_is_on(LOG_INFO_))
		return;
	log_event(LOG_INFO_, "message", LOG_S("id", tx->ref), LOG_S("client", ip_text(s->client, client)),
	          LOG_C("helo", s->helo), LOG_S("from", tx->sender), LOG_I("rcpts", (int64_t)tx->n_rcpts),
	          LOG_S("to", tx->n_rcpts ? tx->rcpts[0].address : STR_NONE), LOG_I("refused_rcpts", (int64_t)tx->n_refused),
	          LOG_I("size", (int64_t)tx->dot.bytes), LOG_C("verdict", verdict_name(tx->verdict)),
	          LOG_S("cause", tx->cause ? cause_name(tx->cause) : STR_NONE), LOG_S("reply", tx->reply),
	          LOG_I("ms", (rt_now() - tx->begun) / USEC_MS));
}

void transaction_close_trail(struct transaction *tx, enum verdict verdict)
{
	tx->verdict = verdict;
	tx->trail.sender = tx->sender;
	if (!tx->trail.recipients.p)
		tx->trail.recipients = recipients_text(tx);
	tx->trail.verdict = verdict;
	tx->trail.reply = tx->reply;
}

void transaction_end(struct session *s, enum verdict verdict)
{
	struct transaction *tx = s->tx;
	transaction_close_trail(tx, verdict);
	if (s->set->deps.history)
		history_put(s->set->deps.history, &tx->trail);
	metric_inc(s->gate->metrics.transactions[verdict]);
	log_end(s);
	session_clear(s);
}
