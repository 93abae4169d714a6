/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening and dialling, over loopback and in the fake network; running out of descriptors. */
#include "rt/stream_test_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TESTS(listens_and_dials),
		cmocka_unit_test(left_over_socket_real),
		cmocka_unit_test(fake_net),
		cmocka_unit_test(connect_is_bounded_real),
		cmocka_unit_test(out_of_descriptors_real),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
