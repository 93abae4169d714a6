/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a policy client's whole connection, against a gate in memory. The first byte chooses the mode of verification;
 * byte 0xff ends a packet. What must hold: each answer is one line "action=…" and an empty one, there are no more of them than
 * requests, and nothing is left when the client has gone.
 */
#include "fuzz.h"

#include "gate/policy_door.h"
#include "gate/session_bed.h"

struct fuzz_policy {
	struct bed_options options;
	struct str input;
	struct stream *client;
	size_t requests, answers;
};

WAITS static void read_answers(void *arg)
{
	struct fuzz_policy *f = arg;
	struct str line;
	struct err err;
	bool is_too_long;
	while (stream_read_line(f->client, 4096, &line, NULL, &is_too_long, &err)) {
		if (is_too_long || !str_starts(line, STR("action=")) || line.n > 600)
			abort();
		if (!stream_read_line(f->client, 4096, &line, NULL, &is_too_long, &err) || line.n)
			abort();
		f->answers++;
	}
}

WAITS static void serve(void *arg)
{
	struct bed_session *s = arg;
	gate_policy_run(s->bed->gate, s->stream);
	free(s);
}

/* The requests that may be in it at most; where packets end is nothing to them. */
static size_t count_ends(struct str text)
{
	auto_buf struct buf stream = {.max = SIZE_MAX};
	struct str packet;
	while (str_cut(&text, '\xff', &packet))
		buf_str(&stream, packet);
	struct str rest = buf_view(&stream);
	size_t n = str_starts(rest, STR("\n"));
	for (size_t at; (at = str_find(rest, STR("\n\n"))) < rest.n; rest = str_skip(rest, at + 1))
		n++;
	return n;
}

WAITS static void drive(struct bed *b)
{
	struct fuzz_policy *f = container_of(b->options, struct fuzz_policy, options);
	struct bed_session *s = mem_new(struct bed_session);
	struct stream *ends[2];
	struct group readers;
	struct str packet;
	struct err err;
	stream_pair(ends);
	*s = (struct bed_session){b, ends[1]};
	f->client = ends[0];
	group_init(&readers, "client");
	bed_must(group_go(&b->sessions, "door", serve, s, &err), &err);
	bed_must(group_go(&readers, "client", read_answers, f, &err), &err);
	while (str_cut(&f->input, '\xff', &packet)) {
		stream_write(f->client, packet);
		if (!stream_flush(f->client, &err) || !rt_sleep(USEC_MS, "packet", &err))
			break;
	}
	rt_sleep(USEC_HOUR, "the connection's own end", &err);
	group_done(&readers);
	stream_close(f->client);
	rt_sleep(USEC_MIN, "after the client", &err);
	if (f->answers > f->requests || b->gate->policy->n_connections || b->gate->policy->n_busy ||
	    b->gate->policy->messages.n_open)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = fuzz_str(data, size);
	struct fuzz_policy f = {.input = str_skip(input, 1), .requests = count_ends(str_skip(input, 1))};
	f.options.mode = (enum verify_mode)((size ? data[0] : 0) & 3);
	log_open(LOG_TEXT, LOG_ERROR_ + 1, NULL, NULL);
	bed_run(drive, &f.options);
	return 0;
}
