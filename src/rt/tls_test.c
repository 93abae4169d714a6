/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS inside streams: handshakes both ways, failures with words, and what must not slip in from
 * outside. */
#include "rt/stream_test_support.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/ioctl.h>

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
	assert_false(stream_peer_has_left(s[0]));
	stream_tls_bye(s[1]);
	assert_true(rt_sleep(2 * USEC_MS, "let the loop look", &err));
	assert_true(stream_peer_has_left(s[0]));
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

/* A client that completes the handshake and then sends key updates for ever, each a record of 27
 * bytes that says nothing. */
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
		for (ssize_t done; n > 0 && (done = send(fd, bytes, (size_t)n, MSG_NOSIGNAL)) > 0;
		     n -= done)
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
	struct tls_side server = {.s = stream_take_fd(fd[0]),
				  .tls = tls_self_signed_context("h", &err)};
	pthread_create(&thread, NULL, babble, &fd[1]);
	shake(&server);
	assert_true(server.ok);
	for (int waiting = 0; waiting < 300000;) {
		assert_true(rt_sleep(10 * USEC_MS, "it piles up", &err));
		assert_int_equal(ioctl(fd[0], FIONREAD, &waiting), 0);
	}
	deadline_push(&d, 10 * USEC_S, "something said");
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
