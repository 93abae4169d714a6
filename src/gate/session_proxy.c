/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PROXY header in front of the conversation, from the peers that must send one. */
#include "gate/say.h"
#include "smtp/proxy.h"

#define PROXY_WAIT (5 * USEC_S)

WAITS static bool read_header(struct stream *stream, struct proxy_source *source, struct err *err)
{
	struct proxy_reader reader;
	proxy_reader_init(&reader);
	for (;;) {
		size_t used = 0;
		enum proxy_step step =
		        proxy_reader_feed(&reader, stream_buffered(stream), &used, source, err);
		stream_consume(stream, used);
		if (step != PROXY_MORE)
			return step == PROXY_DONE;
		if (!stream_fill(stream, err))
			return false;
	}
}

bool session_proxy(struct session *s)
{
	struct proxy_source source = {0};
	struct deadline limit;
	struct err err;
	deadline_push(&limit, PROXY_WAIT, "PROXY header");
	bool ok = read_header(s->stream, &source, &err);
	deadline_pop(&limit);
	if (!ok) {
		say(s, SAY_PROXY_HEADER, NULL);
		return false;
	}
	if (!source.is_local) {
		stream_set_peer(s->stream, source.client, source.client_port);
		s->client = source.client;
	}
	return true;
}
