/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buffered conversation: lines, pipelining, sticky errors, cancellation. */
#include "rt/stream_test_support.h"

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

static void peer_leaves(void *arg)
{
	struct stream *s[2];
	struct err err;
	make_pair(s);
	assert_false(stream_peer_has_left(s[0]));
	stream_printf(s[1], "QUIT\r\n");
	assert_true(stream_flush(s[1], &err));
	stream_close(s[1]);
	assert_true(rt_sleep(2 * USEC_MS, "let the loop look", &err));
	assert_false(stream_peer_has_left(s[0])); /* it has said something, and is to be heard */
	assert_int_equal(stream_discard_input(s[0]), 6);
	assert_true(stream_peer_has_left(s[0]));
	assert_true(stream_peer_has_left(s[0]));
	assert_false(stream_fill(s[0], &err));
	assert_int_equal(err.kind, ERR_CLOSED);
	stream_close(s[0]);
}
BOTH(peer_leaves)

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
		TWO_TESTS(talks_before_the_banner),
		TWO_TESTS(peer_leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
