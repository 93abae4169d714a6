/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One conversation of the load generator: a reply comes, the next commands go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/socket.h"

static const char quit[] = "QUIT\r\n";

void load_message_make(struct load *l)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog, and 64 of these make 4 kB.\r\n";
	size_t size = l->options->size, n;

	l->message = malloc(size + sizeof(line) + 512);
	if (!l->message)
		abort();
	n = (size_t)sprintf(l->message,
	                    "Date: Sat, 1 Mar 2025 10:00:00 +0000\r\nFrom: Anna <anna@example.net>\r\nTo: joe@example.org\r\n"
	                    "Subject: A message of the bench\r\nMessage-ID: <1@bench.example.net>\r\n\r\n");
	while (n < size) {
		size_t rest = size - n < sizeof(line) - 1 ? size - n : sizeof(line) - 1;
		memcpy(l->message + n, line, rest);
		n += rest;
		if (rest < sizeof(line) - 1 && rest >= 2)
			memcpy(l->message + n - 2, "\r\n", 2);
	}
	if (l->message[n - 1] != '\n')
		n += (size_t)sprintf(l->message + n, "\r\n");
	l->n_message = n + (size_t)sprintf(l->message + n, ".\r\n");
	l->n_with_quit = l->n_message + (size_t)sprintf(l->message + l->n_message, quit);
}

static void session_close(struct load *l, struct load_session *s)
{
	if (s->step == STEP_PARKED)
		l->stats.parked--;
	else
		l->active--;
	SSL_free(s->ssl);
	close(s->fd);
	s->ssl = NULL;
	s->step = STEP_OVER;
	s->next = l->free;
	l->free = s;
}

/* The message has its deciding reply; 0: the session broke before. */
static void message_ended(struct load *l, struct load_session *s, int code)
{
	uint64_t now = now_ns();

	l->stats.ended++;
	l->stats.last_ns = now;
	if (code == 0)
		l->stats.lost++;
	else
		l->stats.by_code[code < 600 ? code : 0]++;
	if (code / 100 == 2)
		histogram_add(&l->stats.whole, (now - s->due_ns) / 1000);
}

static void session_broke(struct load *l, struct load_session *s)
{
	if (s->step == STEP_PARKED)
		l->stats.dropped_idle++;
	else if (s->step != STEP_QUIT)
		message_ended(l, s, 0);
	session_close(l, s);
}

static void watch_write(struct load *l, struct load_session *s, bool wants)
{
	struct epoll_event e = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u), .data.ptr = s};

	if (wants != s->wants_write)
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e);
	s->wants_write = wants;
}

static bool flush(struct load *l, struct load_session *s)
{
	while (s->n_out > 0) {
		ssize_t n = s->ssl ? SSL_write(s->ssl, s->out, (int)s->n_out)
		                   : send(s->fd, s->out, s->n_out, MSG_NOSIGNAL);
		if (n <= 0) {
			if (s->ssl ? SSL_get_error(s->ssl, (int)n) == SSL_ERROR_WANT_WRITE : errno == EAGAIN) {
				watch_write(l, s, true);
				return true;
			}
			session_broke(l, s);
			return false;
		}
		s->out += n;
		s->n_out -= (size_t)n;
	}
	watch_write(l, s, false);
	if (s->step == STEP_DOT && s->dot_ns == 0) {
		s->dot_ns = now_ns();
		l->stats.dots++;
	}
	return true;
}

static bool say(struct load *l, struct load_session *s, enum load_step step, const char *bytes, size_t n)
{
	s->step = step;
	s->out = bytes;
	s->n_out = n;
	return flush(l, s);
}

/* Writes the pattern with %d and %m filled in. */
static size_t expand(char *out, size_t max, const char *pattern, uint64_t number, uint64_t modulo)
{
	size_t n = 0;

	for (const char *p = pattern; *p && n + 24 < max; p++) {
		if (p[0] == '%' && (p[1] == 'd' || p[1] == 'm'))
			n += (size_t)sprintf(out + n, "%llu",
			                     (unsigned long long)(*++p == 'm' && modulo ? number % modulo : number));
		else
			out[n++] = *p;
	}
	out[n] = 0;
	return n;
}

static bool say_mail(struct load *l, struct load_session *s)
{
	const struct load_options *o = l->options;
	uint64_t number = l->stats.started++;
	const char *pattern = o->n_from_list ? o->from_list[number % o->n_from_list] : o->from;
	char from[200], rcpt[200];
	int n;

	expand(from, sizeof(from), pattern, number, o->modulo);
	expand(rcpt, sizeof(rcpt), o->rcpt, number, o->modulo);
	s->refusal = 0;
	s->dot_ns = 0;
	n = snprintf(s->command, sizeof(s->command), "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from, rcpt);
	if (!s->has_pipelining)
		n = (int)(strchr(s->command, '\n') - s->command + 1);
	return say(l, s, STEP_MAIL, s->command, (size_t)n);
}

static bool say_ehlo(struct load *l, struct load_session *s)
{
	s->has_pipelining = false;
	return say(l, s, STEP_EHLO, "EHLO bench.example.net\r\n", 24);
}

static bool message_over(struct load *l, struct load_session *s, int code)
{
	bool is_refused = s->refusal != 0;

	message_ended(l, s, is_refused ? s->refusal : code);
	s->sent++;
	if (l->options->hold > 0 && !is_refused && code < 400) {
		s->step = STEP_PARKED;
		l->active--;
		l->stats.parked++;
		return true;
	}
	if (s->is_quit_sent) {
		s->step = STEP_QUIT;
		return true;
	}
	if (s->sent < l->options->per_session && !is_refused && !l->must_stop) {
		s->due_ns = now_ns();
		return say_mail(l, s);
	}
	return say(l, s, STEP_QUIT, quit, sizeof(quit) - 1);
}

static bool say_message(struct load *l, struct load_session *s)
{
	bool is_last = s->sent + 1 >= l->options->per_session && l->options->hold == 0;

	if (s->refusal)
		return say(l, s, STEP_DOT, ".\r\n", 3);
	s->is_quit_sent = is_last && s->has_pipelining;
	return say(l, s, STEP_DOT, l->message, s->is_quit_sent ? l->n_with_quit : l->n_message);
}

static bool handshake(struct load *l, struct load_session *s)
{
	int rc = SSL_connect(s->ssl), why;

	if (rc == 1) {
		s->is_secure = true;
		return say_ehlo(l, s);
	}
	why = SSL_get_error(s->ssl, rc);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
		watch_write(l, s, why == SSL_ERROR_WANT_WRITE);
		return true;
	}
	session_broke(l, s);
	return false;
}

static bool start_tls(struct load *l, struct load_session *s)
{
	s->ssl = SSL_new(l->tls);
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
		abort();
	s->step = STEP_HANDSHAKE;
	return handshake(l, s);
}

/* The answer to MAIL, RCPT or DATA; pipelined, all three come whatever they say. */
static bool on_envelope(struct load *l, struct load_session *s, int code)
{
	const char *line = s->command;

	if (code >= 400 && !s->refusal)
		s->refusal = code;
	if (s->step == STEP_DATA)
		return code == 354 ? say_message(l, s) : message_over(l, s, code);
	if (s->has_pipelining) {
		s->step++;
		return true;
	}
	if (s->refusal)
		return message_over(l, s, code);
	for (enum load_step i = STEP_MAIL; i <= s->step; i++)
		line = strchr(line, '\n') + 1;
	return say(l, s, s->step + 1, line, (size_t)(strchr(line, '\n') - line) + 1);
}

/* False: the session is gone. */
static bool on_reply(struct load *l, struct load_session *s, int code)
{
	if (s->step < STEP_MAIL && code >= 400) {
		message_ended(l, s, code);
		session_close(l, s);
		return false;
	}
	switch (s->step) {
	case STEP_BANNER:
		return say_ehlo(l, s);
	case STEP_EHLO:
		if (l->options->starttls && !s->is_secure)
			return say(l, s, STEP_STARTTLS, "STARTTLS\r\n", 10);
		return say_mail(l, s);
	case STEP_STARTTLS:
		return start_tls(l, s);
	case STEP_MAIL:
	case STEP_RCPT:
	case STEP_DATA:
		return on_envelope(l, s, code);
	case STEP_DOT:
		if (code / 100 == 2)
			histogram_add(&l->stats.dot, (now_ns() - s->dot_ns) / 1000);
		return message_over(l, s, code);
	default: /* STEP_QUIT, or a 421 to a parked session */
		session_broke(l, s);
		return false;
	}
}

static bool on_line(struct load *l, struct load_session *s)
{
	s->line[s->line_n < sizeof(s->line) ? s->line_n : sizeof(s->line) - 1] = 0;
	if (s->line_n < 3)
		return true;
	if (s->step == STEP_EHLO && l->options->pipelining && strncmp(s->line + 4, "PIPELINING", 10) == 0)
		s->has_pipelining = true;
	return s->line[3] == '-' || on_reply(l, s, (int)strtol(s->line, NULL, 10));
}

static bool on_bytes(struct load *l, struct load_session *s, const char *p, size_t n)
{
	for (const char *end = p + n; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *stop = lf ? lf : end;
		size_t room = sizeof(s->line) - 1 - s->line_n, take = (size_t)(stop - p);
		if (take > room)
			take = room;
		memcpy(s->line + s->line_n, p, take);
		s->line_n += take;
		if (!lf)
			return true;
		if (!on_line(l, s))
			return false;
		s->line_n = 0;
		p = lf + 1;
	}
	return true;
}

void load_session_event(struct load *l, struct load_session *s, uint32_t events)
{
	static char in[16384];

	if (s->step == STEP_OVER)
		return;
	if (s->step == STEP_HANDSHAKE && !handshake(l, s))
		return;
	if (s->step == STEP_HANDSHAKE || ((events & EPOLLOUT) && !flush(l, s)))
		return;
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	do {
		ssize_t n = s->ssl ? SSL_read(s->ssl, in, sizeof(in)) : recv(s->fd, in, sizeof(in), 0);
		if (n <= 0) {
			if (s->ssl ? SSL_get_error(s->ssl, (int)n) != SSL_ERROR_WANT_READ : n == 0 || errno != EAGAIN)
				session_broke(l, s);
			return;
		}
		if (!on_bytes(l, s, in, (size_t)n))
			return;
	} while (s->ssl);
}

bool load_session_start(struct load *l, uint64_t due_ns)
{
	const struct load_options *o = l->options;
	struct load_session *s = l->free;
	struct epoll_event e = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return false;
	if (s)
		l->free = s->next;
	else if (!(s = malloc(sizeof(*s))))
		abort();
	memset(s, 0, offsetof(struct load_session, line));
	s->fd = fd;
	s->due_ns = due_ns;
	if (o->n_sources > 0) {
		struct sockaddr_in me = {.sin_family = AF_INET};
		me.sin_addr.s_addr = htonl(ntohl(o->source.s_addr) + (uint32_t)(l->stats.sessions % o->n_sources));
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&me, sizeof(me)) != 0)
			die("bind to source address: %s", strerror(errno));
	}
	l->stats.sessions++;
	l->active++;
	e.data.ptr = s;
	if ((connect(fd, (const struct sockaddr *)&o->to, sizeof(o->to)) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		session_broke(l, s);
	return true;
}
