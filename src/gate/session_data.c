/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): the message itself. */
#include "gate/say.h"

#include <stdio.h>

/* What stands in the way of a message now; NULL: nothing. */
static const char *sequence_fault(const struct session *s)
{
	if (s->needs_reset)
		return "BDAT failed; send RSET first";
	if (!s->tx)
		return "Send MAIL first";
	if (s->tx->n_rcpts == 0)
		return "No valid recipients";
	return NULL;
}

/* The connection is in the middle of a message that will never be whole: nothing on it may be read as a command. */
WAITS static void give_up_connection(struct session *s)
{
	if (s->tx && s->tx->has_fault && !s->is_ending)
		say(s, s->tx->fault, NULL);
	s->is_ending = s->is_out_of_step = true;
}

void session_data(struct session *s, struct str argument)
{
	const char *fault = sequence_fault(s);
	if (!fault && s->tx->is_chunked)
		fault = "BDAT has begun; send RSET first";
	if (fault) {
		say_detail(s, SAY_BAD_SEQUENCE, fault);
		if (s->tx && s->tx->is_chunked) { /* RFC 3030 2: only RSET leads out of this */
			transaction_end(s, VERDICT_REJECT);
			s->needs_reset = true;
		}
		return;
	}
	say_line(s, STR("354 End data with <CR><LF>.<CR><LF>\r\n"));
	receive_begin(s);
	if (receive_dots(s))
		session_judge(s);
	else
		give_up_connection(s);
}

WAITS static void refuse_chunk(struct session *s, uint64_t size, bool is_last, const char *fault)
{
	bool was_open = s->tx != NULL;
	if (!receive_nothing(s, size)) {
		s->is_ending = true;
		return;
	}
	say_detail(s, SAY_BAD_SEQUENCE, fault);
	if (was_open)
		transaction_end(s, VERDICT_NONE);
	if (was_open && !is_last)
		s->needs_reset = true;
}

/* RFC 3030 2: the chunk was read whole, its failure is told at once, and the rest of the message is not wanted. */
WAITS static void fail_chunk(struct session *s)
{
	say(s, s->tx->fault, &(struct say_args){.detail = s->tx->fault_detail});
	transaction_end(s, str_starts(s->tx->reply, STR("4")) ? VERDICT_DEFER : VERDICT_REJECT);
	s->needs_reset = true;
}

WAITS static void take_chunk(struct session *s, uint64_t size, bool is_last)
{
	if (!s->tx->is_chunked)
		receive_begin(s);
	s->tx->is_chunked = true;
	s->tx->data_begun = rt_now();
	s->state = SESSION_DATA;
	if (!receive_chunk(s, size)) {
		give_up_connection(s);
		return;
	}
	if (is_last) {
		dot_reader_finish_chunks(&s->tx->dot);
		session_judge(s);
	} else if (s->tx->has_fault) {
		fail_chunk(s);
	} else {
		char line[64];
		int n = snprintf(line, sizeof line, "250 2.0.0 %llu octets received\r\n", (unsigned long long)size);
		say_line(s, (struct str){line, (size_t)n});
		s->junk += size == 0;
	}
}

void session_bdat(struct session *s, struct str argument)
{
	uint64_t size;
	bool is_last;
	if (!smtp_bdat_parse(argument, &size, &is_last)) {
		/* How many bytes of message follow is unknown: none of them may be read as a command. */
		say_detail(s, SAY_SYNTAX, "Syntax: BDAT size [LAST]");
		s->is_ending = s->is_out_of_step = true;
		return;
	}
	if (receive_is_endless(s, size)) {
		say(s, SAY_TOO_BIG, NULL);
		s->is_ending = s->is_out_of_step = true;
		return;
	}
	const char *fault = sequence_fault(s);
	if (fault)
		refuse_chunk(s, size, is_last, fault);
	else
		take_chunk(s, size, is_last);
}
