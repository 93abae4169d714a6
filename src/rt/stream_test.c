/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams, TLS, listeners and the fake network; over real loopback and in memory. */
#include "rt/stream.h"

#include "rt/test_support.h"
#include "rt/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct str text(const char *s)
{
	return str_from(s);
}

static bool is_text(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

static const struct ip loopback = {4, {127, 0, 0, 1}};

/* --- a pair of whatever the backend has --- */

static void make_pair(struct stream *out[2])
{
	int fd[2];
	if (rt_is_fake()) {
		stream_pair(out);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	out[0] = stream_take_fd(fd[0]);
	out[1] = stream_take_fd(fd[1]);
}

static void close_pair(struct stream *s[2])
{
	stream_close(s[0]);
	stream_close(s[1]);
}

/* --- lines --- */

struct line_case {
	const char *sent; /* pieces are cut at '|' and sent one by one */
	size_t max;
	const char *lines; /* "text/flags;": c CRLF, l too long */
};

static const struct line_case line_cases[] = {
        {"EHLO a\r\n", 20, "EHLO a/c;"},
        {"EHLO a\n", 20, "EHLO a/;"},
        {"\r\n\n", 20, "/c;/;"},
        {"a\r\nb\r\nc\n", 20, "a/c;b/c;c/;"},
        {"E|HLO| a\r|\nNO|OP\r\n", 20, "EHLO a/c;NOOP/c;"},
        {"a\rb\r\n", 20, "a\rb/c;"},
        {"a\r\r\n", 20, "a\r/c;"},
        {"12345\r\n", 5, "12345/c;"},
        {"12345|\r|\n", 5, "12345/c;"},
        {"12345\n", 5, "12345/;"},
        {"123456\r\nx\r\n", 5, "/l;x/c;"},
        {"123456\nx\r\n", 5, "/l;x/c;"},
        {"12345\rx\r\ny\r\n", 5, "/l;y/c;"},
        {"1234|56|7890123|45\r|\nx\r\n", 5, "/l;x/c;"},
        {"no end", 20, ""},
};

struct sender {
	struct stream *stream;
	const char *sent;
};

static void send_pieces(void *arg)
{
	struct sender *sender = arg;
	struct str rest = text(sender->sent), piece;
	struct err err;
	while (str_cut(&rest, '|', &piece)) {
		stream_write(sender->stream, piece);
		assert_true(stream_flush(sender->stream, &err));
		assert_true(rt_sleep(USEC_MS, "pause", &err));
	}
	stream_close(sender->stream);
}

static void read_lines(const struct line_case *c)
{
	struct stream *s[2];
	struct group g;
	struct err err;
	struct str line;
	bool has_crlf, is_long;
	char got[256] = "";
	make_pair(s);
	group_init(&g, "sender");
	assert_true(group_go(&g, "sender", send_pieces, &(struct sender){s[1], c->sent}, &err));
	while (stream_read_line(s[0], c->max, &line, &has_crlf, &is_long, &err))
		sprintf(got + strlen(got), "%.*s/%s%s;", STR_ARG(line), has_crlf ? "c" : "",
		        is_long ? "l" : "");
	assert_string_equal(got, c->lines);
	assert_int_equal(err.kind, ERR_CLOSED);
	/* sticky */
	err.kind = ERR_FAILED;
	assert_false(stream_read_line(s[0], c->max, &line, NULL, &is_long, &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_true(group_wait(&g, &err));
	group_done(&g);
	stream_close(s[0]);
}

static void lines(void *arg)
{
	for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]); i++)
		read_lines(&line_cases[i]);
}
BOTH(lines)

static void send_flood(void *arg)
{
	struct stream *s = arg;
	struct err err;
	char chunk[1000];
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 200; i++)
		stream_write(s, (struct str){chunk, sizeof(chunk)});
	stream_flush(s, &err);
	stream_close(s);
}

static void endless_line_is_bounded(void *arg)
{
	struct stream *s[2];
	struct group g;
	struct err err;
	struct str line;
	bool is_long;
	make_pair(s);
	group_init(&g, "flood");
	assert_true(group_go(&g, "flood", send_flood, s[1], &err));
	assert_false(stream_read_line(s[0], 1000, &line, NULL, &is_long, &err));
	assert_int_equal(err.cause, CAUSE_PROTOCOL);
	assert_false(err.is_temporary);
	stream_close(s[0]);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
BOTH(endless_line_is_bounded)

static void full_buffer_fails(void *arg)
{
	struct stream *s[2];
	struct group g;
	struct err err;
	make_pair(s);
	group_init(&g, "flood");
	assert_true(group_go(&g, "flood", send_flood, s[1], &err));
	while (stream_fill(s[0], &err))
		;
	assert_int_equal(err.cause, CAUSE_PROTOCOL);
	assert_int_equal(stream_buffered(s[0]).n, 64 * 1024);
	stream_close(s[0]);
	group_done(&g);
}
BOTH(full_buffer_fails)

/* --- a conversation, pipelined --- */

static void serve(void *arg)
{
	struct stream *s = arg;
	struct err err;
	struct str line;
	bool is_long;
	stream_label(s, "the client");
	while (stream_read_line(s, 100, &line, NULL, &is_long, &err))
		stream_printf(s, "250 %.*s\r\n", STR_ARG(line));
	stream_close(s);
}

static void pipelining_flushes_before_it_blocks(void *arg)
{
	struct stream *s[2];
	struct group g;
	struct err err;
	struct str line;
	bool is_long, has_crlf;
	char reply[40];
	make_pair(s);
	group_init(&g, "server");
	assert_true(group_go(&g, "server", serve, s[1], &err));
	for (int i = 0; i < 500; i++)
		stream_printf(s[0], "RCPT %d\r\n", i);
	for (int i = 0; i < 500; i++) {
		assert_true(stream_read_line(s[0], 100, &line, &has_crlf, &is_long, &err));
		snprintf(reply, sizeof(reply), "250 RCPT %d", i);
		assert_true(is_text(line, reply));
		assert_true(has_crlf);
	}
	stream_write(s[0], STR("one\r\ntwo\r\n"));
	char exact[9];
	assert_true(stream_read_exact(s[0], exact, 9, &err));
	assert_memory_equal(exact, "250 one\r\n", 9);
	assert_true(stream_read_line(s[0], 100, &line, &has_crlf, &is_long, &err));
	assert_true(is_text(line, "250 two"));
	stream_close(s[0]);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}
BOTH(pipelining_flushes_before_it_blocks)

/* --- much data, both ways through small windows --- */

enum { BULK = 5 * 1000 * 1000 };

static unsigned char bulk_byte(size_t i)
{
	return (unsigned char)(i * 31 + i / 997);
}

static void send_bulk(void *arg)
{
	struct stream *s = arg;
	struct err err;
	size_t sizes[] = {1, 700, 65536, 65537, 200000, 13};
	unsigned char *p = malloc(BULK);
	for (size_t i = 0; i < BULK; i++)
		p[i] = bulk_byte(i);
	for (size_t at = 0, k = 0; at < BULK; k++) {
		size_t n = sizes[k % 6] < BULK - at ? sizes[k % 6] : BULK - at;
		stream_write(s, (struct str){(char *)p + at, n});
		at += n;
	}
	assert_true(stream_flush(s, &err));
	free(p);
}

static void receive_bulk(struct stream *s)
{
	struct err err;
	size_t at = 0;
	while (at < BULK) {
		struct str have = stream_buffered(s);
		if (have.n == 0) {
			assert_true(stream_fill(s, &err));
			continue;
		}
		size_t wrong = 0;
		for (size_t i = 0; i < have.n; i++)
			wrong += (unsigned char)have.p[i] != bulk_byte(at + i);
		assert_int_equal(wrong, 0);
		at += have.n;
		stream_consume(s, have.n);
	}
}

static void bulk_over(struct stream *s[2])
{
	struct group g;
	struct err err;
	group_init(&g, "bulk");
	assert_true(group_go(&g, "bulk", send_bulk, s[1], &err));
	receive_bulk(s[0]);
	assert_true(group_wait(&g, &err));
	group_done(&g);
}

static void bulk(void *arg)
{
	struct stream *s[2];
	make_pair(s);
	bulk_over(s);
	close_pair(s);
}
static void bulk_real(void **state)
{
	run_in(false, 0, bulk, NULL);
}
static void bulk_fake(void **state)
{
	run_in(true, 1, bulk, NULL);
}

/* --- errors --- */

static void read_timeout_still_lets_us_say_goodbye(void *arg)
{
	struct stream *s[2];
	struct deadline d;
	struct err err;
	struct str line;
	bool is_long;
	make_pair(s);
	deadline_push(&d, 5 * USEC_MS, "the next command");
	assert_false(stream_read_line(s[0], 100, &line, NULL, &is_long, &err));
	deadline_pop(&d);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_string_equal(err.text, "timed out after 5 ms: the next command");
	stream_printf(s[0], "421 too slow\r\n");
	assert_true(stream_flush(s[0], &err));
	assert_true(stream_read_line(s[1], 100, &line, NULL, &is_long, &err));
	assert_true(is_text(line, "421 too slow"));
	stream_printf(s[1], "late\r\n");
	assert_true(stream_flush(s[1], &err));
	assert_false(stream_fill(s[0], &err)); /* reading stays failed: replies must not shift */
	assert_int_equal(err.kind, ERR_TIMEOUT);
	close_pair(s);
}
BOTH(read_timeout_still_lets_us_say_goodbye)

static void half_closed_peer_gets_replies(void *arg)
{
	int fd[2];
	struct err err;
	struct str line;
	bool is_long;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	struct stream *s = stream_take_fd(fd[0]);
	assert_int_equal(write(fd[1], "QUIT\r\n", 6), 6);
	shutdown(fd[1], SHUT_WR);
	assert_true(rt_sleep(USEC_MS, "both arrive", &err));
	assert_true(stream_read_line(s, 100, &line, NULL, &is_long, &err));
	assert_false(stream_read_line(s, 100, &line, NULL, &is_long, &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	stream_printf(s, "221 bye\r\n");
	assert_true(stream_flush(s, &err));
	char out[20];
	assert_int_equal(read(fd[1], out, sizeof(out)), 9);
	stream_close(s);
	close(fd[1]);
}
static void half_closed(void **state)
{
	run_in(false, 0, half_closed_peer_gets_replies, NULL);
}

static void write_errors_stick(void *arg)
{
	struct stream *s[2];
	struct err err;
	make_pair(s);
	stream_close(s[1]);
	stream_write(s[0], STR("x"));
	assert_false(stream_flush(s[0], &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_int_equal(err.cause, CAUSE_NETWORK);
	stream_write(s[0], STR("y"));
	stream_printf(s[0], "%d", 1);
	assert_false(stream_flush(s[0], &err));
	assert_false(stream_fill(s[0], &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	stream_close(s[0]);
}
BOTH(write_errors_stick)

enum stuck { STUCK_READ, STUCK_WRITE, STUCK_ACCEPT, STUCK_TLS, STUCK_LAST };
struct stuck_arg {
	enum stuck kind;
	struct stream *s;
	struct listener *l;
	struct tls_context *tls;
	bool has_ended;
};

static void be_stuck(void *arg)
{
	struct stuck_arg *a = arg;
	struct err err = {0};
	char *much = calloc(1, 4 * 1000 * 1000);
	switch (a->kind) {
	case STUCK_READ:
		assert_false(stream_fill(a->s, &err));
		break;
	case STUCK_WRITE:
		stream_write(a->s, (struct str){much, 4 * 1000 * 1000});
		assert_false(stream_flush(a->s, &err));
		break;
	case STUCK_ACCEPT:
		assert_null(listener_accept(a->l, &err));
		break;
	default:
		assert_false(stream_tls_accept(a->s, a->tls, &err));
		break;
	}
	assert_int_equal(err.kind, ERR_CANCELLED);
	free(much);
	a->has_ended = true;
}

static void cancels_every_wait(void *arg)
{
	struct stuck_arg a[STUCK_LAST] = {0};
	struct stream *s[STUCK_LAST][2];
	struct group g;
	struct err err;
	struct conf_addr at = {.ip = loopback};
	struct listener *l = listener_open(&at, &err);
	struct tls_context *tls = tls_self_signed_context("h", &err);
	group_init(&g, "stuck");
	for (int i = 0; i < STUCK_LAST; i++) {
		make_pair(s[i]);
		a[i] = (struct stuck_arg){i, s[i][0], l, tls, false};
		assert_true(group_go(&g, "stuck", be_stuck, &a[i], &err));
	}
	assert_true(rt_sleep(5 * USEC_MS, "let them park", &err));
	group_done(&g);
	for (int i = 0; i < STUCK_LAST; i++) {
		assert_true(a[i].has_ended);
		close_pair(s[i]);
	}
	listener_close(l);
	tls_context_unref(tls);
}
BOTH(cancels_every_wait)

/* --- listening and dialling --- */

struct door {
	struct listener *l;
	struct group sessions;
};

static void answer_all(void *arg)
{
	struct door *door = arg;
	struct err err;
	struct stream *s;
	while ((s = listener_accept(door->l, &err)) != NULL)
		assert_true(group_go(&door->sessions, "session", serve, s, &err));
	assert_int_equal(err.kind, ERR_CLOSED);
}

static void ask_once(void *arg)
{
	uint16_t port;
	struct dial *dial = arg;
	struct err err;
	struct str line;
	bool is_long;
	struct stream *s = stream_dial(dial, &err);
	assert_non_null(s);
	if (dial->ip.family) {
		assert_true(ip_eq(stream_peer(s, &port), dial->ip));
		assert_int_equal(port, dial->port);
		assert_true(stream_local(s, &port).family == dial->ip.family);
		assert_true(port > 0);
	}
	if (dial->source.family)
		assert_true(ip_eq(stream_local(s, NULL), dial->source));
	stream_printf(s, "hello\r\n");
	assert_true(stream_read_line(s, 100, &line, NULL, &is_long, &err));
	assert_true(is_text(line, "250 hello"));
	stream_close(s);
}

static void talk(const struct conf_addr *at, struct ip source, int clients)
{
	struct door door;
	struct group acceptor, askers;
	struct err err;
	struct dial dial = {.ip = at->ip, .source = source, .path = at->path.p, .label = "connect"};
	struct ip ip;
	door.l = listener_open(at, &err);
	assert_non_null(door.l);
	listener_addr(door.l, &ip, &dial.port);
	assert_true(ip_eq(ip, at->ip));
	group_init(&door.sessions, "sessions");
	group_init(&acceptor, "acceptor");
	group_init(&askers, "askers");
	assert_true(group_go(&acceptor, "accept", answer_all, &door, &err));
	for (int i = 0; i < clients; i++)
		assert_true(group_go(&askers, "ask", ask_once, &dial, &err));
	assert_true(group_wait(&askers, &err));
	listener_close(door.l);
	assert_true(group_wait(&acceptor, &err));
	assert_true(group_wait(&door.sessions, &err));
	group_done(&askers);
	group_done(&acceptor);
	group_done(&door.sessions);
	if (dial.ip.family || !rt_is_fake()) {
		assert_null(stream_dial(&dial, &err));
		assert_int_equal(err.cause, CAUSE_NETWORK);
		assert_true(err.is_temporary);
	}
	if (dial.ip.family)
		assert_string_equal(err.text, "connect: connection refused");
}

static void listens_and_dials(void *arg)
{
	struct ip other = {4, {127, 0, 0, 9}};
	struct ip six = {6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
	char path[60];
	snprintf(path, sizeof(path), "/tmp/postern-stream-test-%d", getpid());
	talk(&(struct conf_addr){.ip = loopback}, (struct ip){0}, 100);
	talk(&(struct conf_addr){.ip = loopback}, other, 3);
	talk(&(struct conf_addr){.ip = six}, (struct ip){0}, 3);
	talk(&(struct conf_addr){.path = text(path)}, (struct ip){0}, 3);
	assert_int_equal(access(path, F_OK), -1);
}
BOTH(listens_and_dials)

/* A socket file left over from a crash is taken over, one that somebody answers is not. */
static void left_over_socket(void *arg)
{
	struct err err;
	char path[60];
	snprintf(path, sizeof(path), "/tmp/postern-stale-%d", getpid());
	struct conf_addr at = {.path = text(path)};
	struct listener *a = listener_open(&at, &err);
	assert_non_null(a);
	assert_null(listener_open(&at, &err));
	assert_int_equal(err.cause, CAUSE_LOCAL_ERROR);
	close(dup(listener_fd(a)));
	listener_close(listener_take_fd(dup(listener_fd(a)))); /* does not remove the file */
	assert_int_equal(access(path, F_OK), 0);
	listener_close(a);
	assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
	a = listener_open(&at, &err);
	assert_non_null(a);
	listener_close(a);
}
static void left_over_socket_real(void **state)
{
	run_in(false, 0, left_over_socket, NULL);
}

static void faults_of_the_fake_net(void *arg)
{
	struct err err;
	struct deadline d;
	struct ip a = {4, {192, 0, 2, 1}}, b = {4, {192, 0, 2, 2}}, c = {4, {192, 0, 2, 3}};
	struct conf_addr at = {.ip = {4, {0, 0, 0, 0}}, .port = 25};
	struct listener *l = listener_open(&at, &err);
	assert_null(listener_open(&at, &err));
	fake_net_fault(a, 25, FAKE_REFUSE);
	fake_net_fault(b, 25, FAKE_SILENT);
	struct dial dial = {.ip = a, .port = 25, .label = "connect to mx1.example"};
	assert_null(stream_dial(&dial, &err));
	assert_string_equal(err.text, "connect to mx1.example: connection refused");
	dial.ip = b;
	deadline_push(&d, 30 * USEC_S, "connect to mx2.example");
	usec_t before = rt_now();
	assert_null(stream_dial(&dial, &err));
	deadline_pop(&d);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_string_equal(err.text, "timed out after 30 s: connect to mx2.example");
	assert_int_equal(rt_now() - before, 30 * USEC_S);
	dial.ip = c;
	struct stream *s = stream_dial(&dial, &err);
	assert_non_null(s);
	stream_close(s);
	fake_net_fault(a, 25, FAKE_OK);
	dial.ip = a;
	s = stream_dial(&dial, &err);
	assert_non_null(s);
	dial.port = 26;
	assert_null(stream_dial(&dial, &err));
	listener_close(l);
	assert_false(stream_fill(s, &err)); /* was in the backlog */
	stream_close(s);
}
static void fake_net(void **state)
{
	for (uint64_t seed = 1; seed < 20; seed++)
		run_in(true, seed, faults_of_the_fake_net, NULL);
}

static void connect_is_bounded(void *arg)
{
	struct err err;
	struct deadline d;
	/* A full queue of a listener that nobody serves: the kernel drops SYNs. */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage at;
	socklen_t n = ip_to_sockaddr(loopback, 0, &at);
	uint16_t port;
	struct ip ip;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 0), 0);
	getsockname(fd, (struct sockaddr *)&at, &n);
	ip_from_sockaddr((struct sockaddr *)&at, &ip, &port);
	struct dial dial = {.ip = loopback, .port = port, .label = "connect"};
	struct stream *s[8] = {0};
	int i = 0;
	deadline_push(&d, 100 * USEC_MS, "connect");
	while (i < 8 && (s[i] = stream_dial(&dial, &err)) != NULL)
		i++;
	deadline_pop(&d);
	assert_true(i < 8);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	while (i > 0)
		stream_close(s[--i]);
	close(fd);
}
static void connect_is_bounded_real(void **state)
{
	run_in(false, 0, connect_is_bounded, NULL);
}

/* No descriptors: no spinning, somebody is shown out, and accepting goes on afterwards. */
static void out_of_descriptors(void *arg)
{
	struct err err;
	struct deadline d;
	struct rt_stats before, after;
	struct rlimit old, limit;
	int client[3], hoard[512], n = 0;
	struct conf_addr at = {.ip = loopback};
	struct listener *l = listener_open(&at, &err);
	struct sockaddr_storage to;
	uint16_t port;
	struct ip ip;
	listener_addr(l, &ip, &port);
	unsigned size = ip_to_sockaddr(ip, port, &to);
	for (int i = 0; i < 3; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&to, size), 0);
	}
	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n < 512 && (hoard[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	rt_stats(&before);
	deadline_push(&d, 250 * USEC_MS, "accept");
	assert_null(listener_accept(l, &err));
	deadline_pop(&d);
	rt_stats(&after);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_true(after.switches - before.switches < 20);
	char c;
	assert_int_equal(recv(client[0], &c, 1, 0), 0); /* shown out */
	while (n > 0)
		close(hoard[--n]);
	setrlimit(RLIMIT_NOFILE, &old);
	close(client[0]);
	close(client[1]);
	close(client[2]);
	client[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client[0], (struct sockaddr *)&to, size), 0);
	assert_int_equal(write(client[0], "x", 1), 1);
	struct stream *s;
	do {
		s = listener_accept(l, &err);
		assert_non_null(s);
		bool ok = stream_fill(s, &err);
		stream_close(s);
		if (ok)
			break;
	} while (true);
	close(client[0]);
	listener_close(l);
}
static void out_of_descriptors_real(void **state)
{
	run_in(false, 0, out_of_descriptors, NULL);
}

static void talks_before_the_banner(void *arg)
{
	struct stream *s[2];
	struct err err;
	make_pair(s);
	assert_false(stream_has_input(s[0]));
	stream_printf(s[1], "EHLO early\r\n");
	assert_true(stream_flush(s[1], &err));
	assert_true(stream_has_input(s[0]));
	assert_true(stream_fill(s[0], &err));
	assert_true(stream_has_input(s[0]));
	assert_int_equal(stream_discard_input(s[0]), 12);
	assert_false(stream_has_input(s[0]));
	stream_close(s[1]);
	assert_false(stream_has_input(s[0])); /* the end is no input */
	stream_close(s[0]);
}
BOTH(talks_before_the_banner)

/* --- TLS --- */

struct tls_side {
	struct stream *s;
	struct tls_context *tls;
	const char *host; /* NULL: server */
	bool ok;
	struct err err;
};

static void shake(void *arg)
{
	struct tls_side *side = arg;
	side->ok = side->host ? stream_tls_connect(side->s, side->tls, side->host, &side->err)
	                      : stream_tls_accept(side->s, side->tls, &side->err);
}

static void shake_both(struct tls_side *server, struct tls_side *client)
{
	struct group g;
	struct err err;
	group_init(&g, "handshake");
	assert_true(group_go(&g, "server", shake, server, &err));
	assert_true(group_go(&g, "client", shake, client, &err));
	assert_true(group_wait(&g, &err));
	group_done(&g);
}

static void tls_pair(struct stream *s[2])
{
	struct err err;
	make_pair(s);
	struct tls_side server = {.s = s[0], .tls = tls_self_signed_context("mx.example", &err)};
	struct tls_side client = {s[1], tls_client_context(&err), "mx.example", false, {0}};
	assert_false(stream_has_tls(s[0]));
	assert_int_equal(stream_tls_text(s[0]).n, 0);
	shake_both(&server, &client);
	assert_true(server.ok && client.ok);
	assert_true(stream_has_tls(s[0]) && stream_has_tls(s[1]));
	assert_true(str_starts(stream_tls_text(s[0]), STR("TLS1.3 TLS_")));
	tls_context_unref(server.tls);
	tls_context_unref(client.tls);
}

static void tls_talks(void *arg)
{
	struct stream *s[2];
	struct err err;
	struct str line;
	bool is_long;
	tls_pair(s);
	stream_printf(s[1], "EHLO inside\r\n");
	assert_true(stream_flush(s[1], &err));
	assert_true(stream_has_input(s[0]));
	assert_true(stream_read_line(s[0], 100, &line, NULL, &is_long, &err));
	assert_true(is_text(line, "EHLO inside"));
	bulk_over(s);
	struct stream *turned[2] = {s[1], s[0]};
	bulk_over(turned);
	stream_tls_bye(s[1]);
	assert_false(stream_fill(s[0], &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	stream_printf(s[0], "still said\r\n");
	assert_true(stream_flush(s[0], &err));
	close_pair(s);
}
static void tls_talks_real(void **state)
{
	run_in(false, 0, tls_talks, NULL);
}
static void tls_talks_fake(void **state)
{
	run_in(true, 1, tls_talks, NULL);
}

static void tls_fails_with_words(void *arg)
{
	struct stream *s[2];
	struct err err;
	make_pair(s);
	struct tls_side server = {.s = s[0], .tls = tls_self_signed_context("mx.example", &err)};
	stream_printf(s[1], "EHLO not tls at all\r\n");
	assert_true(stream_flush(s[1], &err));
	shake(&server);
	assert_false(server.ok);
	assert_int_equal(server.err.cause, CAUSE_TLS_POLICY);
	assert_true(str_starts(text(server.err.text), STR("TLS handshake: ")));
	assert_false(stream_fill(s[0], &err));
	stream_printf(s[0], "clear text?\r\n");
	assert_false(stream_flush(s[0], &err));
	assert_false(stream_has_tls(s[0]));
	stream_tls_bye(s[0]);
	close_pair(s);
	make_pair(s);
	server.s = s[0];
	stream_close(s[1]);
	shake(&server);
	assert_false(server.ok);
	assert_int_equal(server.err.kind, ERR_CLOSED);
	stream_close(s[0]);
	tls_context_unref(server.tls);
}
BOTH(tls_fails_with_words)

/* RFC 3207 4.2: what was sent in clear before the handshake is not taken for what comes inside. */
static void starttls_forgets_pipelined_input(void *arg)
{
	struct stream *s[2];
	struct err err;
	struct str line;
	bool is_long;
	make_pair(s);
	stream_printf(s[1], "STARTTLS\r\nMAIL FROM:<evil@example>\r\n");
	assert_true(stream_flush(s[1], &err));
	assert_true(stream_read_line(s[0], 100, &line, NULL, &is_long, &err));
	struct tls_side server = {.s = s[0], .tls = tls_self_signed_context("mx.example", &err)};
	struct tls_side client = {s[1], tls_client_context(&err), "192.0.2.1", false, {0}};
	shake_both(&server, &client);
	assert_true(server.ok && client.ok);
	stream_printf(s[1], "EHLO inside\r\n");
	assert_true(stream_flush(s[1], &err));
	assert_true(stream_read_line(s[0], 100, &line, NULL, &is_long, &err));
	assert_true(is_text(line, "EHLO inside"));
	tls_context_unref(server.tls);
	tls_context_unref(client.tls);
	close_pair(s);
}
BOTH(starttls_forgets_pipelined_input)

/* After close_notify, bytes in clear must not be read as if the conversation went on. */
static void no_clear_text_after_close_notify(void *arg)
{
	int fd[2];
	struct stream *s[2];
	struct err err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	int raw = dup(fd[1]);
	s[0] = stream_take_fd(fd[0]);
	s[1] = stream_take_fd(fd[1]);
	struct tls_side server = {.s = s[0], .tls = tls_self_signed_context("mx.example", &err)};
	struct tls_side client = {s[1], tls_client_context(&err), "mx.example", false, {0}};
	shake_both(&server, &client);
	assert_true(server.ok && client.ok);
	stream_tls_bye(s[1]);
	assert_int_equal(write(raw, "MAIL FROM:<a@b>\r\n", 17), 17);
	for (int i = 0; i < 3; i++) {
		assert_false(stream_fill(s[0], &err));
		assert_int_equal(err.kind, ERR_CLOSED);
		assert_int_equal(stream_buffered(s[0]).n, 0);
	}
	tls_context_unref(server.tls);
	tls_context_unref(client.tls);
	close_pair(s);
	close(raw);
}
static void no_clear_text_after_close_notify_real(void **state)
{
	run_in(false, 0, no_clear_text_after_close_notify, NULL);
}

/* A client that completes the handshake and then sends key updates for ever, each a record of 27 bytes that says nothing. */
static void *babble(void *arg)
{
	int fd = *(int *)arg;
	char *bytes;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1) {
		BIO *memory = BIO_new(BIO_s_mem());
		SSL_set0_wbio(ssl, memory);
		for (int i = 0; i < 20000; i++) {
			SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			SSL_do_handshake(ssl);
		}
		long n = BIO_get_mem_data(memory, &bytes);
		for (ssize_t done; n > 0 && (done = send(fd, bytes, (size_t)n, MSG_NOSIGNAL)) > 0; n -= done)
			bytes += done;
	}
	SSL_free(ssl);
	SSL_CTX_free(context);
	return NULL;
}

static void tcp_pair(int fd[2])
{
	int big = 4 * 1000 * 1000;
	struct sockaddr_storage at;
	unsigned n = ip_to_sockaddr(loopback, 0, &at);
	socklen_t size = n;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	assert_int_equal(bind(l, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(l, 1), 0);
	getsockname(l, (struct sockaddr *)&at, &size);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[1], (struct sockaddr *)&at, n), 0);
	fd[0] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	close(l);
}

static void empty_tls_records_do_not_hold_the_loop(void *arg)
{
	int fd[2];
	struct err err;
	struct deadline d;
	pthread_t thread;
	tcp_pair(fd);
	struct tls_side server = {.s = stream_take_fd(fd[0]), .tls = tls_self_signed_context("h", &err)};
	pthread_create(&thread, NULL, babble, &fd[1]);
	shake(&server);
	assert_true(server.ok);
	assert_true(rt_sleep(500 * USEC_MS, "it piles up", &err));
	deadline_push(&d, 2 * USEC_S, "something said");
	assert_false(stream_fill(server.s, &err));
	deadline_pop(&d);
	assert_int_not_equal(err.kind, ERR_TIMEOUT);
	stream_close(server.s);
	pthread_join(thread, NULL);
	close(fd[1]);
	tls_context_unref(server.tls);
}
static void empty_tls_records_real(void **state)
{
	run_in(false, 0, empty_tls_records_do_not_hold_the_loop, NULL);
}

static void certificate_files(void **state)
{
	struct err err;
	assert_null(tls_server_context("/nonexistent/cert.pem", "/nonexistent/key.pem", &err));
	assert_int_equal(err.cause, CAUSE_TLS_POLICY);
	assert_true(str_starts(text(err.text), STR("certificate /nonexistent/cert.pem: ")));
	struct tls_context *tls = tls_self_signed_context("a-host.example", &err);
	tls_context_unref(tls_context_ref(tls));
	tls_context_unref(tls);
	tls_context_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TWO_TESTS(lines),
	        TWO_TESTS(endless_line_is_bounded),
	        TWO_TESTS(full_buffer_fails),
	        TWO_TESTS(pipelining_flushes_before_it_blocks),
	        cmocka_unit_test(bulk_real),
	        cmocka_unit_test(bulk_fake),
	        TWO_TESTS(read_timeout_still_lets_us_say_goodbye),
	        cmocka_unit_test(half_closed),
	        TWO_TESTS(write_errors_stick),
	        TWO_TESTS(cancels_every_wait),
	        TWO_TESTS(listens_and_dials),
	        cmocka_unit_test(left_over_socket_real),
	        cmocka_unit_test(fake_net),
	        cmocka_unit_test(connect_is_bounded_real),
	        cmocka_unit_test(out_of_descriptors_real),
	        TWO_TESTS(talks_before_the_banner),
	        cmocka_unit_test(tls_talks_real),
	        cmocka_unit_test(tls_talks_fake),
	        TWO_TESTS(tls_fails_with_words),
	        TWO_TESTS(starttls_forgets_pipelined_input),
	        cmocka_unit_test(no_clear_text_after_close_notify_real),
	        cmocka_unit_test(empty_tls_records_real),
	        cmocka_unit_test(certificate_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
