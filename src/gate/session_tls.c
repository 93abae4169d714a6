/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STARTTLS (RFC 3207). */
#include "base/log.h"
#include "gate/say.h"

#include <stdlib.h>

/* RFC 3207 4.2: nothing learned in the clear is known any more. */
static void forget_all(struct session *s)
{
	session_clear(s);
	s->needs_reset = false;
	s->is_esmtp = false;
	free(s->helo);
	s->helo = NULL;
}

WAITS static bool shake_hands(struct session *s)
{
	struct deadline limit;
	struct err err;
	deadline_push(&limit, s->set->conf->idle, "TLS handshake");
	bool ok = stream_tls_accept(s->stream, s->set->tls, &err);
	deadline_pop(&limit);
	if (!ok)
		log_event(LOG_INFO_, "tls", LOG_C("session", s->name), LOG_C("trouble", err.text));
	return ok;
}

void session_starttls(struct session *s, struct str argument)
{
	if (stream_has_tls(s->stream)) {
		say_detail(s, SAY_BAD_SEQUENCE, "TLS is already in use");
		return;
	}
	/* Bytes behind the command came in the clear and may be somebody else's: they are not read, not even as the
	 * beginning of the handshake. It has to be done before our 220, which is what the client waits for. */
	size_t injected = stream_discard_input(s->stream);
	if (injected)
		log_event(LOG_WARN_, "tls", LOG_C("session", s->name), LOG_I("discarded_bytes", (int64_t)injected));
	say_line(s, STR("220 2.0.0 Ready to start TLS\r\n"));
	forget_all(s);
	if (!shake_hands(s)) {
		s->is_ending = true;
		return;
	}
	metric_inc(s->gate->metrics.tls_sessions);
}
