/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HELO and EHLO (RFC 5321 4.1.1.1): who the client says it is, and a clean slate. */
#include "gate/say.h"

#include "base/mem.h"

#include <stdlib.h>

#define HELO_MAX 255

/* Kept for Received, trail and evidence: the first word, bytes that could hurt there replaced. */
static char *helo_copy(struct str argument)
{
	struct str word = STR_NONE;
	str_next_word(&argument, &word);
	char *copy = mem_cstr(str_slice(word, 0, HELO_MAX));
	for (char *p = copy; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	return copy;
}

WAITS static bool take_helo(struct session *s, struct str argument)
{
	if (argument.n == 0) {
		say_detail(s, SAY_SYNTAX, "Say your host name: EHLO name");
		return false;
	}
	session_clear(s); /* RFC 5321 4.1.4: as RSET */
	s->needs_reset = false;
	free(s->helo);
	s->helo = helo_copy(argument);
	return true;
}

void session_helo(struct session *s, struct str argument)
{
	if (!take_helo(s, argument))
		return;
	s->is_esmtp = false;
	say_line(s, s->set->helo);
}

void session_ehlo(struct session *s, struct str argument)
{
	if (!take_helo(s, argument))
		return;
	s->is_esmtp = true;
	say_line(s, stream_has_tls(s->stream) ? s->set->ehlo_tls : s->set->ehlo_clear);
}
