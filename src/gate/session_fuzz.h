/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a client's whole session, against a gate in memory. The first byte chooses: its two lowest bits the mode of
 * verification, the next a listed proxy; byte 0xff ends a packet. What must hold: replies are lines of at most 512 octets
 * with a code, as many 250s at the dot as the spool has messages, and nothing is left when the client has gone.
 */
#pragma once

#include "gate/session_bed.h"

struct fuzz_session {
	struct bed_options options;
	struct str input;
	struct stream *client;
	uint64_t queued;
};

static inline void fuzz_check_line(struct fuzz_session *f, struct str line, bool has_crlf)
{
	bool has_code = line.n >= 4 && line.p[0] >= '2' && line.p[0] <= '5' && (line.p[3] == ' ' || line.p[3] == '-');
	if (!has_crlf || !has_code || line.n > 510)
		abort();
	f->queued += str_starts(line, STR("250 2.0.0 Ok: queued as "));
}

/* After STARTTLS the client speaks no TLS: what comes back then is a record, and the end. */
WAITS static inline void fuzz_read_replies(void *arg)
{
	struct fuzz_session *f = arg;
	struct str line;
	struct err err;
	bool has_crlf, is_too_long, is_tls = false;
	while (stream_read_line(f->client, 4096, &line, &has_crlf, &is_too_long, &err)) {
		is_tls = is_tls || str_starts(line, STR("220 2.0.0 Ready to start TLS"));
		if (!is_tls)
			fuzz_check_line(f, line, has_crlf && !is_too_long);
	}
}

WAITS static inline void fuzz_drive(struct bed *b)
{
	struct fuzz_session *f = container_of(b->options, struct fuzz_session, options);
	struct group readers;
	struct str packet;
	struct err err;
	group_init(&readers, "client");
	f->client = bed_connect(b, "192.0.2.1");
	bed_must(group_go(&readers, "client", fuzz_read_replies, f, &err), &err);
	rt_yield(&err);
	while (str_cut(&f->input, '\xff', &packet)) {
		stream_write(f->client, packet);
		if (!stream_flush(f->client, &err) || !rt_sleep(USEC_MS, "packet", &err))
			break;
	}
	rt_sleep(USEC_HOUR, "the session's own end", &err);
	group_done(&readers);
	stream_close(f->client);
	rt_sleep(USEC_MIN, "after the client", &err);
	if (f->queued != bed_accepted(b) || b->gate->memory || b->gate->n_transactions || b->gate->n_sessions)
		abort();
}

static inline void fuzz_proxies(struct gate_conf *conf)
{
	bed_row(gate_conf_rows, conf, "proxy_networks", "192.0.2.0/24");
}

static inline void fuzz_session(struct str input)
{
	struct fuzz_session f = {.input = str_skip(input, 1)};
	unsigned choice = input.n ? (unsigned char)input.p[0] : 0;
	f.options.mode = (enum verify_mode)(choice & 3);
	f.options.configure = choice & 4 ? fuzz_proxies : NULL;
	log_open(LOG_TEXT, LOG_ERROR_ + 1, NULL, NULL);
	bed_run(fuzz_drive, &f.options);
}
