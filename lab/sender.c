/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends one mail the way a mail server would, with the product's own client. */
#include "lab/sender.h"

#include "client/deliver.h"

struct reading {
	struct str message;
};

WAITS static bool message_read(void *arg, uint64_t offset, void *out, size_t n, size_t *got, struct err *err)
{
	const struct reading *r = arg;
	struct str piece = str_slice(r->message, offset, offset + n);

	memcpy(out, piece.p, piece.n);
	*got = piece.n;
	return true;
}

static void dot_is_next(void *arg)
{
}

static const char *stage_of(const struct deliver_rcpt *r, const struct deliver_job *job)
{
	if (r->is_data_stage)
		return job->is_sent ? "the final dot" : "DATA";
	return "the envelope";
}

WAITS static bool deliver(struct smtp_client *c, const struct lab_mail *mail, struct arena *arena, struct lab_sent *out,
                          struct err *err)
{
	struct reading reading = {mail->message};
	struct deliver_rcpt rcpt = {.address = str_from(mail->to)};
	struct deliver_job job = {
		.sender = str_from(mail->from),
		.smtputf8 = mail->smtputf8,
		.body = SMTP_BODY_8BITMIME,
		.size = mail->message.n,
		.read = message_read,
		.before_dot = dot_is_next,
		.arg = &reading,
		.rcpts = &rcpt,
		.n = 1,
	};

	if (!deliver_run(c, &job, err) && !rcpt.is_answered)
		return false;
	out->reply = rcpt.reply;
	out->reply.text = arena_str(arena, rcpt.reply.text);
	out->stage = stage_of(&rcpt, &job);
	return true;
}

bool lab_send(const struct lab_mail *mail, struct ip gate, uint16_t port, struct arena *arena, struct lab_sent *out,
              struct err *err)
{
	struct smtp_client_conf conf = {.helo = str_from(mail->helo), .source = mail->client};
	struct smtp_client *c = arena_new(arena, struct smtp_client);
	enum client_open outcome;
	struct reply said = {0};
	usec_t begun = rt_now();
	bool ok = false;

	if (!smtp_client_open(c, &conf, STR("gate.here.lab"), gate, port, &outcome, &said, err))
		return false;
	if (outcome == CLIENT_READY) {
		ok = deliver(c, mail, arena, out, err);
	} else if (said.code > 0) {
		*out = (struct lab_sent){.reply = said, .stage = "the greeting"};
		out->reply.text = arena_str(arena, said.text);
		ok = true;
	} else {
		err_temp(err, CAUSE_NETWORK, "the gate does not answer");
	}
	out->took = rt_now() - begun;
	out->dialogue = arena_str(arena, buf_view(&c->dialogue));
	smtp_client_close(c);
	return ok;
}
