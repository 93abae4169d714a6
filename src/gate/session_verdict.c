/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole message is here and not yet acknowledged: refuse, defer, or make it durable and say 250. */
#include "gate/say.h"
#include "gate/tags.h"

#include "base/auto.h"
#include "mail/header.h"

#include <assert.h>
#include <stdio.h>

#define TRAIL_MAX (96 << 10)

static enum verdict verdict_of(const struct transaction *tx)
{
	return str_starts(tx->reply, STR("4")) ? VERDICT_DEFER : VERDICT_REJECT;
}

static void set_fault(struct transaction *tx, enum situation fault)
{
	tx->has_fault = true;
	tx->fault = fault;
}

/* What is wrong with the message as such, known only now that it is whole. */
static void check_message(struct session *s, struct header_check *header)
{
	const struct gate_conf *conf = s->set->conf;
	struct transaction *tx = s->tx;
	if (tx->has_fault)
		return;
	if (tx->dot.has_bare_newline_dot) {
		set_fault(tx, SAY_BARE_NEWLINE);
		return;
	}
	header_check(&tx->arena, spool_body_head(tx->body), s->set->host, header);
	if (header->header_bytes > (uint64_t)conf->header_size ||
	    (!header->is_whole && spool_body_head(tx->body).n < spool_body_size(tx->body)))
		set_fault(tx, SAY_HEADER_TOO_BIG);
	else if (header->received > (uint64_t)conf->hops)
		set_fault(tx, SAY_TOO_MANY_HOPS);
}

static struct str prefix(struct session *s)
{
	struct transaction *tx = s->tx;
	auto_buf struct buf out = {.max = 16384};
	buf_str(&out, tx->check.tag);
	header_received(&out, &(struct received_args){
		.helo = str_from(s->helo),
		.ip = s->client,
		.host = s->set->host,
		.is_esmtp = s->is_esmtp,
		.is_utf8 = tx->mail.smtputf8,
		.is_tls = stream_has_tls(s->stream),
		.tls = stream_tls_text(s->stream),
		.ref = tx->ref,
		.rcpt = tx->n_rcpts == 1 ? tx->rcpts[0].address : STR_NONE,
		.now = rt_wall(),
	});
	return arena_str(&tx->arena, buf_view(&out));
}

static void fill_envelope(const struct session *s, struct str trail, struct spool_envelope *e)
{
	const struct transaction *tx = s->tx;
	*e = (struct spool_envelope){
		.sender = tx->sender,
		.envid = tx->mail.envid,
		.ret = (uint8_t)tx->mail.ret,
		.body = (uint8_t)tx->mail.body,
		.smtputf8 = tx->mail.smtputf8,
		.accepted = rt_wall(),
		.client = s->client,
		.helo = str_from(s->helo),
		.rcpts = tx->rcpts,
		.n_rcpts = tx->n_rcpts,
		.trail = trail,
	};
}

/* The trail as it stands when the message becomes durable: accepted, or nobody will ever read it. */
static void close_trail(struct transaction *tx)
{
	tx->reply = arena_printf(&tx->arena, "250 2.0.0 Ok: queued as %.*s", STR_ARG(tx->ref));
	tx->cause = CAUSE_NONE;
	transaction_close_trail(tx, tx->verdict == VERDICT_TAG ? VERDICT_TAG : VERDICT_ACCEPT);
}

static void count_accepted(struct session *s)
{
	struct transaction *tx = s->tx;
	metric_add(s->gate->metrics.received_bytes, (double)tx->dot.bytes);
	s->errors = s->junk = 0;
	if (tx->mail.path.is_null)
		return;
	struct str key = address_key(&tx->arena, &tx->mail.path.address);
	if (heard_forget(s->gate->heard, s->client, key, rt_now()))
		metric_inc(s->gate->metrics.refused_then_accepted);
}

/* *e points into the transaction and `trail`. */
WAITS static bool store(struct session *s, const struct header_check *header, struct buf *trail, struct spool_envelope *e)
{
	struct transaction *tx = s->tx;
	struct str before = tx->reply;
	struct err err;
	close_trail(tx);
	trail_encode(&tx->trail, trail);
	fill_envelope(s, buf_view(trail), e);
	s->state = SESSION_STORING;
	if (spool_accept(s->set->deps.spool, tx->id, e, prefix(s), header->forged, header->n_forged, tx->body, &err)) {
		tx->body = NULL; /* the spool's now */
		transaction_count_memory(s);
		return true;
	}
	tx->reply = before;
	tx->verdict = VERDICT_NONE;
	trail_note(&tx->trail, rt_wall(), 0, "spool", "failed", err.cause, STR_NONE, "%s", err.text);
	say(s, spool_has_room(s->set->deps.spool, tx->dot.bytes, &err) ? SAY_SPOOL_ERROR : SAY_STORAGE, NULL);
	return false;
}

WAITS static void accept_message(struct session *s, const struct header_check *header)
{
	struct transaction *tx = s->tx;
	auto_buf struct buf trail = {.max = TRAIL_MAX};
	struct spool_envelope e;
	if (!store(s, header, &trail, &e)) {
		transaction_end(s, verdict_of(tx));
		return;
	}
	stream_write(s->stream, tx->reply);
	stream_write(s->stream, STR("\r\n"));
	count_accepted(s);
	queue_add(s->set->deps.queue, tx->id, &e, &tx->trail, spool_message_size(s->set->deps.spool, tx->id));
	transaction_end(s, tx->verdict);
}

/* A client that lost patience while its message was held could not hear the 250: it will send the message again, and
 * that would be here twice. */
static bool client_has_left(struct session *s, usec_t whole_at)
{
	struct transaction *tx = s->tx;
	if (rt_now() == whole_at || !stream_peer_has_left(s->stream))
		return false;
	trail_note(&tx->trail, rt_wall(), rt_now() - whole_at, "hold", "client left", CAUSE_NETWORK, STR_NONE,
	           "The client closed the connection before it was answered. Nothing was stored; it will send the message again.");
	tx->cause = CAUSE_NETWORK;
	s->is_ending = true;
	return true;
}

void session_judge(struct session *s)
{
	struct transaction *tx = s->tx;
	struct header_check header = {0};
	usec_t whole_at = rt_now();
	check_message(s, &header);
	if (tx->has_fault) {
		say(s, tx->fault, &(struct say_args){.detail = tx->fault_detail});
		transaction_end(s, verdict_of(tx));
	} else if (!session_sender_passes(s)) {
		transaction_end(s, verdict_of(tx));
	} else if (client_has_left(s, whole_at)) {
		transaction_end(s, VERDICT_DEFER);
	} else {
		accept_message(s, &header);
	}
}
