/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusals that need no question, because EHLO has told the answer. */
#include "client/deliver_check.h"

#include "base/auto.h"
#include "base/mem.h"
#include "mail/address.h"
#include "mail/utf8.h"

#define SCAN_PIECE 32768

void deliver_answer_all(struct deliver_job *job, const struct reply *r, bool is_data_stage)
{
	for (size_t i = 0; i < job->n; i++) {
		struct deliver_rcpt *rcpt = &job->rcpts[i];
		if (rcpt->is_answered)
			continue;
		rcpt->is_answered = true;
		rcpt->is_delivered = is_data_stage && r->code >= 200 && r->code < 300;
		rcpt->is_data_stage = is_data_stage;
		rcpt->reply = *r;
	}
}

static struct reply made_here(int code, uint16_t subject, uint16_t detail, struct str text)
{
	return (struct reply){.code = code, .enhanced = {(uint8_t)(code / 100), subject, detail}, .text = text};
}

/* Looks for a byte over 127 in the header, or in all of the message. */
struct scan {
	bool header_only;
	bool is_over;       /* the header has ended */
	unsigned newlines;  /* line ends in a row */
	bool has_8bit;
};

static void scan_feed(struct scan *s, struct str in)
{
	if (!s->header_only) {
		s->has_8bit = s->has_8bit || !str_is_ascii(in);
		return;
	}
	for (size_t i = 0; i < in.n && !s->is_over; i++) {
		char ch = in.p[i];
		if (ch == '\n')
			s->is_over = ++s->newlines == 2;
		else if (ch != '\r')
			s->newlines = 0;
		s->has_8bit = s->has_8bit || (ch & 0x80);
	}
}

static WAITS bool scan_message(struct deliver_job *job, bool header_only, bool *has_8bit, struct err *err)
{
	struct scan s = {.header_only = header_only};
	auto_free char *piece = mem_alloc(SCAN_PIECE);
	scan_feed(&s, job->prefix);
	for (uint64_t at = 0; at < job->size && !s.has_8bit && !s.is_over;) {
		size_t got = 0;
		if (!job->read(job->arg, at, piece, SCAN_PIECE, &got, err))
			return false;
		if (got == 0)
			break;
		scan_feed(&s, (struct str){piece, got});
		at += got;
	}
	*has_8bit = s.has_8bit;
	return true;
}

/* The address in ASCII where only its domain was not; false when the local part needs SMTPUTF8. */
static bool to_ascii(struct arena *arena, struct str address, struct str *out)
{
	struct address a;
	struct err err;
	*out = address;
	if (str_is_ascii(address))
		return true;
	if (!address_parse(arena, address, true, &a, &err) || !str_is_ascii(a.local))
		return false;
	a.domain = a.ascii_domain;
	*out = address_text(arena, &a);
	return true;
}

static void check_size(struct smtp_client *c, struct deliver_job *job)
{
	uint64_t size = job->size + job->prefix.n;
	if (!c->has_size || c->size_max == 0 || size <= c->size_max)
		return;
	struct reply r = made_here(552, 3, 4, arena_printf(&c->arena,
	        "message of %llu bytes is larger than the %llu that %.*s takes", (unsigned long long)size,
	        (unsigned long long)c->size_max, STR_ARG(c->host)));
	deliver_answer_all(job, &r, false);
}

/* A client's BODY=8BITMIME says "may have": only what has bytes over 127 is refused. */
static WAITS bool check_body(struct smtp_client *c, struct deliver_job *job, struct err *err)
{
	bool has_8bit = job->body == SMTP_BODY_BINARYMIME;
	if (job->body == SMTP_BODY_8BITMIME && !c->has_8bitmime && !scan_message(job, false, &has_8bit, err))
		return false;
	if (!has_8bit)
		return true;
	struct reply r = made_here(554, 6, 3, arena_printf(&c->arena,
	        "the message has 8-bit content, which %.*s does not take", STR_ARG(c->host)));
	deliver_answer_all(job, &r, false);
	return true;
}

static struct reply utf8_refusal(struct smtp_client *c, const char *what)
{
	return made_here(550, 6, 7, arena_printf(&c->arena, "%s needs SMTPUTF8, which %.*s does not offer", what,
	                                         STR_ARG(c->host)));
}

/* RFC 6531 3.2: what is internationalised may not go to a host that does not say it can. Clients ask for SMTPUTF8
 * without need, so what counts is what the message and the addresses hold. */
static WAITS bool check_utf8(struct smtp_client *c, struct deliver_job *job, struct str *sender, struct str *rcpts,
                             struct err *err)
{
	bool has_utf8_header = false;
	if (!to_ascii(&c->arena, job->sender, sender)) {
		struct reply r = utf8_refusal(c, "the sender address");
		deliver_answer_all(job, &r, false);
		return true;
	}
	if (job->smtputf8 && !scan_message(job, true, &has_utf8_header, err))
		return false;
	if (has_utf8_header) {
		struct reply r = utf8_refusal(c, "the message");
		deliver_answer_all(job, &r, false);
		return true;
	}
	for (size_t i = 0; i < job->n; i++) {
		struct deliver_rcpt *rcpt = &job->rcpts[i];
		if (rcpt->is_answered || to_ascii(&c->arena, rcpt->address, &rcpts[i]))
			continue;
		rcpt->is_answered = true;
		rcpt->reply = utf8_refusal(c, "the address");
	}
	return true;
}

bool deliver_check(struct smtp_client *c, struct deliver_job *job, struct str *sender, struct str *rcpts, struct err *err)
{
	*sender = job->sender;
	for (size_t i = 0; i < job->n; i++)
		rcpts[i] = job->rcpts[i].address;
	check_size(c, job);
	if (job->body != SMTP_BODY_7BIT && !check_body(c, job, err))
		return false;
	return c->has_smtputf8 || check_utf8(c, job, sender, rcpts, err);
}
