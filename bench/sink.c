/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mail server that takes everything and keeps nothing, as fast as one thread can: the next hop of the benches, the
 * sender's mail server in those that verify, and the measure of the load generator's own ceiling.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/socket.h"

#define EVENTS_MAX 512
#define LINE_MAX_  1024

/* What the runner reads while we run, from a file that is mapped. */
struct counts {
	uint64_t messages, sessions, rcpts, bytes, last_ns; /* last_ns: arrival of the last message */
};
static struct counts *counts, own_counts;
static const char *users;   /* only local parts that begin so exist, and postmaster; NULL: all */
static bool silent_at_rcpt; /* RCPT is never answered */

enum state { COMMAND, DATA, BDAT };
struct session {
	int fd;
	enum state state;
	bool is_last_chunk, is_silent;
	uint64_t chunk_left;
	size_t line_n, tail_n, out_n;
	char tail[4];               /* the last bytes of DATA so far */
	char line[LINE_MAX_];
	char out[4096];
};

static void say(struct session *s, const char *reply)
{
	size_t n = strlen(reply);

	if (s->out_n + n <= sizeof(s->out)) {
		memcpy(s->out + s->out_n, reply, n);
		s->out_n += n;
	}
}

static void message_arrived(struct session *s)
{
	counts->messages++;
	counts->last_ns = now_ns();
	s->state = COMMAND;
	say(s, "250 2.0.0 taken\r\n");
}

static bool is_known(const char *line)
{
	const char *open = strchr(line, '<');

	return !users || (open && (strncasecmp(open + 1, users, strlen(users)) == 0 ||
	                           strncasecmp(open + 1, "postmaster@", 11) == 0));
}

static void on_bdat(struct session *s, const char *line)
{
	char *end;

	s->chunk_left = strtoull(line + 5, &end, 10);
	s->is_last_chunk = strcasestr(end, "LAST") != NULL;
	s->state = BDAT;
}

static void bdat_ended(struct session *s)
{
	if (s->is_last_chunk)
		message_arrived(s);
	else
		say(s, "250 2.0.0 go on\r\n");
	s->state = COMMAND;
}

/* False: the session ends once the reply is out. */
static bool on_command(struct session *s, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(s, "250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
		       "250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		counts->rcpts++;
		s->is_silent = silent_at_rcpt;
		say(s, is_known(line) ? "250 2.1.5 ok\r\n" : "550 5.1.1 no such user here\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		s->state = DATA;
		memcpy(s->tail, "\r\n", s->tail_n = 2);
		say(s, "354 go on\r\n");
	} else if (strncasecmp(line, "BDAT ", 5) == 0) {
		on_bdat(s, line);
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(s, "221 2.0.0 bye\r\n");
		return false;
	} else {
		say(s, "250 2.0.0 ok\r\n");
	}
	return true;
}

/* How many of the bytes belong to the message, its end included; *is_end tells whether the end is there. */
static size_t take_data(struct session *s, const char *p, size_t n, bool *is_end)
{
	char joint[8];
	size_t ahead = n < 4 ? n : 4;
	const char *found;

	memcpy(joint, s->tail, s->tail_n);
	memcpy(joint + s->tail_n, p, ahead);
	found = memmem(joint, s->tail_n + ahead, "\r\n.\r\n", 5);
	*is_end = true;
	if (found)
		return (size_t)(found - joint) + 5 - s->tail_n;
	found = memmem(p, n, "\r\n.\r\n", 5);
	if (found)
		return (size_t)(found - p) + 5;
	*is_end = false;
	size_t all = s->tail_n + ahead;
	if (n >= 4) {
		memcpy(s->tail, p + n - 4, s->tail_n = 4);
	} else {
		size_t keep = all < 4 ? all : 4;
		memmove(s->tail, joint + all - keep, s->tail_n = keep);
	}
	return n;
}

/* The next piece: a line, data or a chunk. False: the session ends. */
static bool take_line(struct session *s, const char **p, size_t *n)
{
	const char *lf = memchr(*p, '\n', *n);
	size_t all = lf ? (size_t)(lf - *p) + 1 : *n, room = sizeof(s->line) - 1 - s->line_n;
	size_t keep = all < room ? all : room;

	memcpy(s->line + s->line_n, *p, keep);
	s->line_n += keep;
	*p += all;
	*n -= all;
	if (!lf)
		return true;
	s->line[s->line_n] = 0;
	s->line_n = 0;
	return on_command(s, s->line);
}

static bool on_bytes(struct session *s, const char *p, size_t n)
{
	counts->bytes += n;
	while (n > 0) {
		if (s->state == COMMAND) {
			if (!take_line(s, &p, &n))
				return false;
		} else if (s->state == DATA) {
			bool is_end;
			size_t took = take_data(s, p, n, &is_end);
			p += took;
			n -= took;
			if (is_end)
				message_arrived(s);
		} else {
			size_t took = n < s->chunk_left ? n : (size_t)s->chunk_left;
			p += took;
			n -= took;
			s->chunk_left -= took;
		}
		if (s->state == BDAT && s->chunk_left == 0)
			bdat_ended(s);
	}
	return true;
}

static void session_event(struct session *s)
{
	static char in[1 << 18];
	ssize_t n = recv(s->fd, in, sizeof(in), 0);
	bool goes_on;

	if (n < 0 && errno == EAGAIN)
		return;
	goes_on = n > 0 && on_bytes(s, in, (size_t)n);
	/* The replies of one read are small beside the socket's buffer: what does not fit means a broken client. */
	if (s->out_n > 0 && !s->is_silent && send(s->fd, s->out, s->out_n, MSG_NOSIGNAL) != (ssize_t)s->out_n)
		goes_on = false;
	s->out_n = 0;
	if (!goes_on) {
		close(s->fd);
		free(s);
	}
}

static void accept_all(int listener, int epoll)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct session *s = fd >= 0 ? calloc(1, sizeof(*s)) : NULL;
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
		if (!s) {
			if (fd >= 0)
				close(fd);
			return;
		}
		s->fd = fd;
		counts->sessions++;
		if (send(fd, "220 sink.example.org ESMTP\r\n", 28, MSG_NOSIGNAL) != 28 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
			close(fd);
			free(s);
		}
	}
}

static int listen_at(const char *at)
{
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (!socket_parse(at, &address))
		die("sink: %s is not ADDR:PORT", at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 16384) != 0)
		die("sink: %s: %s", at, strerror(errno));
	return fd;
}

static void map_counts(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0 || ftruncate(fd, sizeof(*counts)) != 0)
		die("sink: %s: %s", path, strerror(errno));
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		die("sink: %s: %s", path, strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
	                                        {"count", required_argument, NULL, 'c'},
	                                        {"users", required_argument, NULL, 'u'},
	                                        {"silent-at-rcpt", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	struct epoll_event events[EVENTS_MAX], e = {.events = EPOLLIN};
	int c, listener = -1, epoll = epoll_create1(EPOLL_CLOEXEC);

	counts = &own_counts;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l': listener = listen_at(optarg); break;
		case 'c': map_counts(optarg); break;
		case 'u': users = optarg; break;
		case 's': silent_at_rcpt = true; break;
		default: die("usage: sink --listen ADDR:PORT [--count FILE] [--users PREFIX] [--silent-at-rcpt]");
		}
	}
	if (listener < 0)
		die("sink: --listen ADDR:PORT is missing");
	socket_raise_limit();
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				session_event(events[i].data.ptr);
			else
				accept_all(listener, epoll);
		}
	}
}
