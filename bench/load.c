/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load generator's loop: starts conversations when they are due, and prints what became of them. */
#include "bench/load.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "bench/socket.h"

#define EVENTS_MAX 512

static volatile sig_atomic_t is_told_to_end;

static void told_to_end(int signal_number)
{
	is_told_to_end = signal_number;
}

struct schedule {
	uint64_t start_ns, end_ns;  /* end 0: none */
	uint64_t next_ns;           /* open loop */
	uint64_t random;
};

/* Gaps of a Poisson process; the seed is fixed, so both sides of a comparison meet the same moments. */
static void schedule_next(struct schedule *s, double rate)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	double u = ((double)(s->random >> 11) + 1) / 9007199254740993.0;
	s->next_ns += (uint64_t)(-log(u) / rate * 1e9);
}

static bool may_start(const struct load *l, const struct schedule *s, uint64_t now)
{
	const struct load_options *o = l->options;
	/* Messages are counted when MAIL is said; sessions that are on their way there count too. */
	uint64_t begun = o->per_session == 1 ? l->stats.sessions : l->stats.started;

	if (is_told_to_end || (o->messages && begun >= o->messages) || (s->end_ns && now >= s->end_ns))
		return false;
	return true;
}

static void start_due(struct load *l, struct schedule *s)
{
	const struct load_options *o = l->options;
	uint64_t now = now_ns();

	while (l->active < o->sessions && may_start(l, s, now)) {
		if (o->rate <= 0) {
			if (!load_session_start(l, now_ns()))
				die("load: out of sockets at %u sessions: %s", l->active, strerror(errno));
			continue;
		}
		if (s->next_ns > now)
			return;
		if (!load_session_start(l, s->next_ns))
			die("load: out of sockets at %u sessions: %s", l->active, strerror(errno));
		schedule_next(s, o->rate);
	}
}

static struct timespec time_to_wait(const struct load *l, const struct schedule *s)
{
	uint64_t now = now_ns(), wait = 100000000;

	if (l->options->rate > 0 && l->active < l->options->sessions && may_start(l, s, now)) {
		uint64_t gap = s->next_ns > now ? s->next_ns - now : 0;
		wait = gap < wait ? gap : wait;
	}
	return (struct timespec){.tv_sec = 0, .tv_nsec = (long)(wait < 999999999 ? wait : 999999999)};
}

static void print(const struct load *l, FILE *out)
{
	const struct load_stats *s = &l->stats;
	double seconds = s->last_ns > s->first_ns ? (double)(s->last_ns - s->first_ns) / 1e9 : 0;
	uint64_t accepted = 0;

	for (int code = 200; code < 300; code++)
		accepted += s->by_code[code];
	fprintf(out,
	        "{\"accepted\":%llu,\"ended\":%llu,\"lost\":%llu,\"unfinished\":%u,\"sessions\":%llu,\"seconds\":%.3f,"
	        "\"accepted_per_s\":%.1f,\"ended_per_s\":%.1f,\"start_ns\":%llu,\"parked\":%llu,\"dropped_idle\":%llu,\"codes\":{",
	        (unsigned long long)accepted, (unsigned long long)s->ended, (unsigned long long)s->lost, l->active,
	        (unsigned long long)s->sessions, seconds, seconds > 0 ? (double)accepted / seconds : 0,
	        seconds > 0 ? (double)s->ended / seconds : 0, (unsigned long long)s->first_ns,
	        (unsigned long long)s->parked, (unsigned long long)s->dropped_idle);
	const char *comma = "";
	for (int code = 0; code < 600; code++) {
		if (s->by_code[code])
			fprintf(out, "%s\"%03d\":%llu", comma, code, (unsigned long long)s->by_code[code]), comma = ",";
	}
	fputs("},\"dot_ms\":", out);
	histogram_print(&s->dot, out);
	fputs(",\"whole_ms\":", out);
	histogram_print(&s->whole, out);
	fputs("}\n", out);
	fflush(out);
}

static void announce(const struct load *l, bool *is_done, const char *what, uint64_t count)
{
	if (*is_done || l->options->messages == 0 || count < l->options->messages)
		return;
	*is_done = true;
	fprintf(stderr, "%s\n", what);
}

static void run(struct load *l)
{
	struct schedule s = {.start_ns = now_ns(), .random = 20250301};
	struct epoll_event events[EVENTS_MAX];
	uint64_t idle_since = 0;
	bool all_dots = false, all_parked = false;

	s.next_ns = l->stats.first_ns = s.start_ns;
	if (l->options->seconds > 0)
		s.end_ns = s.start_ns + (uint64_t)(l->options->seconds * 1e9);
	for (;;) {
		start_due(l, &s);
		uint64_t now = now_ns();
		l->must_stop = !may_start(l, &s, now);
		if (l->must_stop) {
			idle_since = idle_since ? idle_since : now;
			bool is_late = now - idle_since > (uint64_t)(l->options->grace * 1e9);
			if ((l->active == 0 || is_late || is_told_to_end) && (l->stats.parked == 0 || is_told_to_end))
				return;
		}
		struct timespec wait = time_to_wait(l, &s);
		int n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &wait, NULL);
		for (int i = 0; i < n; i++)
			load_session_event(l, events[i].data.ptr, events[i].events);
		announce(l, &all_dots, "all dots sent", l->stats.dots);
		announce(l, &all_parked, "all parked", l->stats.parked);
	}
}

int main(int argc, char **argv)
{
	static struct load l;
	struct load_options options;

	if (!load_options_parse(&options, argc, argv))
		return 64;
	l.options = &options;
	socket_raise_limit();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, told_to_end);
	signal(SIGINT, told_to_end);
	load_message_make(&l);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (options.starttls)
		l.tls = SSL_CTX_new(TLS_client_method());
	run(&l);
	print(&l, stdout);
	return 0;
}
