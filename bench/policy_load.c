/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions of a Postfix: to a policy service (SMTPD_POLICY_README), or in Postfix's own tongue to its verify(8). One thread on
 * epoll; each connection has one question under way, as an smtpd has. Closed loop, or open loop with --rate: questions are due by
 * a Poisson schedule drawn beforehand, and their time counts from then, whether a connection was free or not.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/socket.h"

#define EVENTS_MAX  256
#define SESSIONS_MAX 2000
#define ACTIONS_MAX 16
#define GRACE_NS    UINT64_C(10000000000)

struct session {
	int fd;
	bool is_open;           /* verify(8) has greeted, or need not */
	bool is_busy;
	uint64_t due_ns;
	char in[2048];
	size_t n_in;
	struct session *next;   /* free ones */
};

struct load {
	const char *to, *from;
	bool is_verify;
	unsigned sessions;
	uint64_t modulo, clients, requests;
	double seconds, rate;
	int epoll;
	struct session all[SESSIONS_MAX], *free;
	uint64_t asked, answered, lost, start_ns, end_ns, last_ns, next_ns, random;
	struct histogram took;
	struct {
		char word[40];
		uint64_t n;
	} actions[ACTIONS_MAX];
	unsigned run; /* in instances: each run of the program asks about messages of its own */
};

/* --- connections --- */

static int dial(const char *to)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in;
	int fd;

	if (strncmp(to, "unix:", 5) == 0) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", to + 5);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
			die("%s: %s", to, strerror(errno));
		return fd;
	}
	if (!socket_parse(to, &in))
		die("%s: HOST:PORT or unix:/path", to);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0)
		die("%s: %s", to, strerror(errno));
	return fd;
}

static void set_free(struct load *l, struct session *s)
{
	s->is_busy = false;
	s->next = l->free;
	l->free = s;
}

static void sessions_open(struct load *l)
{
	for (unsigned i = 0; i < l->sessions; i++) {
		struct session *s = &l->all[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
		s->fd = dial(l->to);
		s->is_open = !l->is_verify;
		if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) != 0)
			die("epoll: %s", strerror(errno));
		if (s->is_open)
			set_free(l, s);
	}
}

/* --- questions --- */

/* %m in the pattern is the number of the question modulo --modulo. */
static void address_of(const struct load *l, uint64_t number, char *out, size_t max)
{
	size_t n = 0;
	for (const char *p = l->from; *p && n + 24 < max; p++) {
		if (p[0] == '%' && p[1] == 'm') {
			n += (size_t)sprintf(out + n, "%llu", (unsigned long long)(l->modulo ? number % l->modulo : number));
			p++;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = 0;
}

/* All attributes that Postfix 3.7 sends. */
static size_t policy_request(const struct load *l, uint64_t number, const char *sender, char *out, size_t max)
{
	uint64_t client = number % l->clients;
	return (size_t)snprintf(out, max,
		"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=127.1.%llu.%llu\n"
		"client_name=unknown\nclient_port=40000\nreverse_client_name=unknown\nserver_address=127.0.0.1\nserver_port=25\n"
		"helo_name=bench.example.net\nsender=%s\nrecipient=joe@example.org\nrecipient_count=0\nqueue_id=\n"
		"instance=%x.%llx.0\nsize=4096\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n"
		"ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
		"encryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
		(unsigned long long)(client / 250), (unsigned long long)(client % 250 + 1), sender, l->run,
		(unsigned long long)number);
}

static void session_lost(struct load *l, struct session *s)
{
	if (!s->is_busy)
		die("%s closed an idle connection", l->to);
	l->lost++;
	die("%s closed the connection without an answer, after %llu answers", l->to, (unsigned long long)l->answered);
}

static void ask(struct load *l, struct session *s, uint64_t due_ns)
{
	char sender[200], text[2048];
	size_t n;

	address_of(l, l->asked, sender, sizeof(sender));
	if (l->is_verify)
		n = (size_t)snprintf(text, sizeof(text), "request%cquery%caddress%c%s%c", 0, 0, 0, sender, 0) + 1;
	else
		n = policy_request(l, l->asked, sender, text, sizeof(text));
	l->asked++;
	s->is_busy = true;
	s->due_ns = due_ns;
	if (send(s->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		session_lost(l, s);
}

/* Gaps of a Poisson process; the seed is fixed, so both sides of a comparison meet the same moments. */
static void schedule_next(struct load *l)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	double u = ((double)(l->random >> 11) + 1) / 9007199254740993.0;
	l->next_ns += (uint64_t)(-log(u) / l->rate * 1e9);
}

static bool is_over(const struct load *l, uint64_t now)
{
	return (l->requests && l->asked >= l->requests) || (l->end_ns && now >= l->end_ns);
}

static void ask_due(struct load *l)
{
	uint64_t now = now_ns();
	while (l->free && !is_over(l, now)) {
		if (l->rate > 0 && l->next_ns > now)
			return;
		struct session *s = l->free;
		l->free = s->next;
		ask(l, s, l->rate > 0 ? l->next_ns : now);
		if (l->rate > 0)
			schedule_next(l);
	}
}

/* --- answers --- */

static void count_action(struct load *l, const char *word, size_t n)
{
	n = n < sizeof(l->actions[0].word) - 1 ? n : sizeof(l->actions[0].word) - 1;
	for (int i = 0; i < ACTIONS_MAX; i++) {
		if (!l->actions[i].n)
			memcpy(l->actions[i].word, word, n);
		if (strncmp(l->actions[i].word, word, n) == 0 && l->actions[i].word[n] == 0) {
			l->actions[i].n++;
			return;
		}
	}
}

/* "action=word …\n\n"; 0: not whole yet. */
static size_t policy_answer(struct load *l, const struct session *s)
{
	const char *end = memmem(s->in, s->n_in, "\n\n", 2);
	if (!end)
		return 0;
	if (s->n_in < 7 || memcmp(s->in, "action=", 7) != 0)
		die("%s: not an answer: %.*s", l->to, (int)s->n_in, s->in);
	count_action(l, s->in + 7, strcspn(s->in + 7, " \n"));
	return (size_t)(end - s->in) + 2;
}

/* name NUL value NUL …, and an empty name at the end. What counts is "recipient_status": 0 is deliverable. */
static size_t verify_answer(struct load *l, const struct session *s)
{
	const char *word = "?";
	size_t at = 0;
	for (;;) {
		const char *name = s->in + at, *value;
		size_t room = s->n_in - at, n = strnlen(name, room);
		if (n == room)
			return 0;
		if (n == 0)
			break;
		value = name + n + 1;
		room -= n + 1;
		if (strnlen(value, room) == room)
			return 0;
		if (strcmp(name, "recipient_status") == 0)
			word = value;
		at += n + strlen(value) + 2;
	}
	if (s->is_open)
		count_action(l, word, strlen(word));
	return at + 1;
}

static void on_input(struct load *l, struct session *s)
{
	ssize_t got = recv(s->fd, s->in + s->n_in, sizeof(s->in) - s->n_in, 0);
	if (got <= 0)
		session_lost(l, s);
	s->n_in += (size_t)got;
	size_t n = l->is_verify ? verify_answer(l, s) : policy_answer(l, s);
	if (n == 0)
		return;
	memmove(s->in, s->in + n, s->n_in -= n);
	if (s->is_open) {
		l->last_ns = now_ns();
		l->answered++;
		histogram_add(&l->took, (l->last_ns - s->due_ns) / 1000);
	}
	s->is_open = true;
	set_free(l, s);
}

/* --- the whole --- */

static struct timespec time_to_wait(const struct load *l)
{
	uint64_t now = now_ns(), wait = 100000000;
	if (l->rate > 0 && l->free)
		wait = l->next_ns > now ? l->next_ns - now : 0;
	return (struct timespec){.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000)};
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	l->start_ns = l->next_ns = now_ns();
	l->end_ns = l->seconds > 0 ? l->start_ns + (uint64_t)(l->seconds * 1e9) : 0;
	for (;;) {
		ask_due(l);
		uint64_t now = now_ns();
		if (is_over(l, now) && (l->answered == l->asked || now > l->last_ns + GRACE_NS))
			return;
		struct timespec wait = time_to_wait(l);
		int n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &wait, NULL);
		for (int i = 0; i < n; i++)
			on_input(l, events[i].data.ptr);
	}
}

static void print(const struct load *l)
{
	double seconds = (double)(l->last_ns - l->start_ns) / 1e9;
	printf("{\"answered\":%llu,\"unanswered\":%llu,\"seconds\":%.3f,\"per_s\":%.1f,\"actions\":{",
	       (unsigned long long)l->answered, (unsigned long long)(l->asked - l->answered), seconds,
	       seconds > 0 ? (double)l->answered / seconds : 0);
	for (int i = 0; i < ACTIONS_MAX && l->actions[i].n; i++)
		printf("%s\"%s\":%llu", i ? "," : "", l->actions[i].word, (unsigned long long)l->actions[i].n);
	printf("},\"ms\":");
	histogram_print(&l->took, stdout);
	printf("}\n");
}

static const char usage[] =
	"usage: policy_load --to HOST:PORT|unix:/path [--verify] [--sessions N] [--seconds S] [--requests N] [--rate N]\n"
	"                   [--from PATTERN] [--modulo N] [--clients N]\n";

static bool option_set(struct load *l, int c, const char *value)
{
	switch (c) {
	case 't': l->to = value; return true;
	case 'v': l->is_verify = true; return true;
	case 'n': l->sessions = (unsigned)strtoul(value, NULL, 10); return l->sessions > 0 && l->sessions <= SESSIONS_MAX;
	case 's': l->seconds = strtod(value, NULL); return l->seconds > 0;
	case 'q': l->requests = strtoull(value, NULL, 10); return l->requests > 0;
	case 'r': l->rate = strtod(value, NULL); return l->rate > 0;
	case 'f': l->from = value; return true;
	case 'M': l->modulo = strtoull(value, NULL, 10); return l->modulo > 0;
	case 'c': l->clients = strtoull(value, NULL, 10); return l->clients > 0;
	default: return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'}, {"verify", no_argument, NULL, 'v'},
		{"sessions", required_argument, NULL, 'n'}, {"seconds", required_argument, NULL, 's'},
		{"requests", required_argument, NULL, 'q'}, {"rate", required_argument, NULL, 'r'},
		{"from", required_argument, NULL, 'f'}, {"modulo", required_argument, NULL, 'M'},
		{"clients", required_argument, NULL, 'c'}, {0},
	};
	static struct load l = {.from = "a%m@d%m.example.net", .sessions = 50, .clients = 200, .modulo = 100, .random = 20250301};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!option_set(&l, c, optarg))
			die("%s", usage);
	if (!l.to || optind != argc || (l.requests == 0 && l.seconds <= 0))
		die("%s", usage);
	signal(SIGPIPE, SIG_IGN);
	socket_raise_limit();
	l.run = (unsigned)getpid();
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	sessions_open(&l);
	run(&l);
	print(&l);
	return 0;
}
