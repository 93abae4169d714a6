/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a message: smuggling, chunks, limits, slow and silent senders. */
#include "gate/talk.h"

#include "base/hex.h"

#include <errno.h>
#include <jansson.h>

/* --- smuggling: no sequence makes a second message --- */

/* The public list of look-alikes; POSTERN_SHARED names the folder that holds it. */
static json_t *load_sequences(void)
{
	const char *shared = getenv("POSTERN_SHARED"), *source = getenv("SOURCE_ROOT");
	char path[4096];
	json_error_t error;
	if (shared)
		snprintf(path, sizeof path, "%s/data/smtp/smuggling-eod.json", shared);
	else
		snprintf(path, sizeof path, "%s/../shared/data/smtp/smuggling-eod.json", source ? source : ".");
	return json_load_file(path, 0, &error);
}

static const char *const own_sequences[] = {
	"0a2e0a", "0d2e0d", "0a2e0d0a", "0d2e0d0a", "0d0a2e0a", "0d0a2e0d", "0d0a002e0d0a", "0d0a2e000d0a",
	"0d0a2e0d0d0a", "0a0d2e0d0a", "0a0a2e0a0a", "0d0a2e200d0a", "002e0d0a", "0a2e0d", "0d2e0a", "0d0a20 2e0d0a",
};

/* What an attacker would put behind it. */
#define SECOND "MAIL FROM:<evil@good.example>\r\nRCPT TO:<victim@here.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n"

static void build(struct buf *out, struct str sequence)
{
	buf_str(out, STR("MAIL FROM:<a@good.example>\r\nRCPT TO:<b@here.example>\r\nDATA\r\nSubject: one\r\n\r\ntext"));
	buf_str(out, sequence);
	buf_str(out, STR(SECOND));
	buf_str(out, STR("QUIT\r\n"));
}

/* Whatever the split, there is one reply to the data, that of the true end, and none to the commands inside. */
static void try_sequence(struct bed *b, const char *name, struct str sequence, size_t split)
{
	static const char *const wanted[] = {"250 2.1.0", "250 2.1.5", "354 ", "", "221 ", "closed"};
	auto_buf struct buf bytes = {.max = 65536};
	char reply[600];
	struct err err;
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET);
	build(&bytes, sequence);
	bed_send(c, str_slice(buf_view(&bytes), 0, split));
	assert_true(rt_sleep(USEC_MS, "test", &err));
	bed_send(c, str_skip(buf_view(&bytes), split));
	for (size_t i = 0; i < COUNT(wanted); i++) {
		bed_reply(c, reply);
		assert_row(str_starts(str_from(reply), str_from(wanted[i])), name);
		if (wanted[i][0] == '\0')
			assert_row(strncmp(reply, "250 2.0.0 Ok: queued", 20) == 0 || strncmp(reply, "550 5.6.11", 10) == 0, name);
	}
	stream_close(c);
}

static void try_hex(struct bed *b, const char *hex)
{
	auto_buf struct buf sequence = {.max = 65536}, clean = {.max = 65536}, whole = {.max = 65536};
	for (const char *p = hex; *p; p++)
		if (*p != ' ')
			buf_char(&clean, *p);
	assert_true(hex_decode(&sequence, buf_view(&clean)));
	build(&whole, buf_view(&sequence));
	for (size_t split = 0; split < whole.n; split += split < 70 || split > 110 ? 16 : 1)
		try_sequence(b, hex, buf_view(&sequence), split);
}

static void run_sequences(struct bed *b)
{
	json_t *all = load_sequences(), *list, *item;
	const char *name;
	size_t i, tried = 0;
	for (i = 0; i < COUNT(own_sequences); i++)
		try_hex(b, own_sequences[i]);
	if (!all)
		fail_msg("the list of sequences is not there; set POSTERN_SHARED");
	json_array_foreach(json_object_get(all, "smtp_smuggling_tools"), i, item) {
		try_hex(b, json_string_value(json_object_get(item, "bytes_hex")));
		tried++;
	}
	list = json_object_get(all, "smtpsmug");
	json_object_foreach(list, name, item) {
		try_hex(b, json_string_value(item));
		tried++;
	}
	assert_true(tried >= 19);
	json_decref(all);
}

static void test_smuggling(void **state)
{
	bed_run(run_sequences, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* The counter-proof: the true end does make a second message, so that the test above can fail. */
static void run_true_end(struct bed *b)
{
	auto_buf struct buf bytes = {.max = 65536};
	char reply[600];
	int accepted = 0;
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET);
	build(&bytes, STR("\r\n.\r\n"));
	bed_send(c, buf_view(&bytes));
	while (strcmp(bed_reply(c, reply), "closed") != 0)
		accepted += strncmp(reply, "250 2.0.0 Ok: queued", 20) == 0;
	assert_int_equal(accepted, 2);
	stream_close(c);
}

static void test_true_end(void **state)
{
	bed_run(run_true_end, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- limits --- */

static void small_limits(struct gate_conf *conf)
{
	conf->message_size = 2000;
	conf->header_size = 500;
	conf->hops = 3;
	conf->text_line = 300;
	conf->recipients = 3;
	conf->errors = 3;
	conf->commands = 5;
	conf->messages = 4;
	conf->line = 1000;
}

static void repeat(struct buf *out, const char *text, int times)
{
	for (int i = 0; i < times; i++)
		buf_str(out, str_from(text));
}

static void send_repeated(struct stream *c, const char *before, const char *text, int times, const char *after)
{
	auto_buf struct buf bytes = {.max = 64 << 20};
	buf_str(&bytes, str_from(before));
	repeat(&bytes, text, times);
	buf_str(&bytes, str_from(after));
	bed_send(c, buf_view(&bytes));
}

static void run_limits(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET "> MAIL FROM:<a@good.example> SIZE=2001\n< 552 5.3.4\n" ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "", "x\r\n", 700, ".\r\n");
	talk(c, "< 552 5.3.4\n> DATA\n< 503\n" ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "A: ", "b\r\n c", 200, "\r\n\r\n.\r\n");
	talk(c, "< 552 5.3.4\n" ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "", "Received: x\r\n", 4, "\r\nx\r\n.\r\n");
	talk(c, "< 554 5.4.6\n");
	talk(c, "> MAIL FROM:<a@good.example>\n< 421 4.7.0\n< closed\n"); /* the fifth */
	stream_close(c);

	c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "A: b\r\n\r\n", "x", 301, "\r\n.\r\n");
	talk(c, "< 554 5.6.0\n" ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "", "Received: x\r\n", 3, "\r\nx\r\n.\r\n");
	talk(c, "< 250 2.0.0 Ok: queued\n");
	talk(c, ENVELOPE "> RCPT TO:<b@here.example>\n< 250\n> RCPT TO:<c@here.example>\n< 250\n> RCPT TO:<d@here.example>\n< 452 4.5.3\n"
	        "> RCPT TO:<jane@here.example>\n< 452 4.5.3\n");
	for (int i = 0; i < 5; i++)
		talk(c, "> RCPT TO:<d@here.example>\n< 452\n");
	talk(c, "> RCPT TO:<d@here.example>\n< 421\n< closed\n");
	stream_close(c);

	talk_alone(b, "192.0.2.1", GREET "> FOO\n< 500\n> FOO\n< 500\n> FOO\n< 500\n> FOO\n< 500\n< 421 4.7.0 Too many errors\n< closed\n");
	talk_alone(b, "192.0.2.1", GREET "> NOOP\n< 250\n> RSET\n< 250\n> NOOP\n< 250\n> VRFY x\n< 252\n> NOOP\n< 250\n"
	                                 "< 421 4.7.0 Too many commands\n< closed\n");

	c = bed_connect(b, "192.0.2.1");
	talk(c, GREET);
	send_repeated(c, "NOOP ", "x", 2000, "\r\n");
	talk(c, "< 500 5.5.2 Command line too long\n> NOOP\n< 250\n");
	/* Past all reason the line is not even read to its end. */
	send_repeated(c, "NOOP ", "x", 1 << 20, "\r\n");
	talk(c, "< closed\n");
	stream_close(c);
}

static void test_limits(void **state)
{
	bed_run(run_limits, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = small_limits});
}

/* What nobody wants is drained within reason, and then not any more. */
static void run_endless(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE "> DATA\n< 354\n");
	auto_buf struct buf bytes = {.max = 2 << 20};
	repeat(&bytes, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 16384);
	struct err err = {0};
	for (int i = 0; i < 80 && !stream_has_input(c); i++) {
		stream_write(c, buf_view(&bytes));
		if (!stream_flush(c, &err))
			break;
	}
	talk(c, "< 552 5.3.4\n");
	stream_close(c);
	assert_int_equal(bed_accepted(b), 0);
}

static void test_endless(void **state)
{
	bed_run(run_endless, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = small_limits});
}

/* --- memory --- */

static void little_memory(struct gate_conf *conf)
{
	conf->session_memory = 200000;
	conf->memory = 1 << 20;
}

static void run_memory(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1"), *many[12];
	talk(c, GREET ENVELOPE "> DATA\n< 354\n");
	send_repeated(c, "A: b\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 3900, ".\r\n");
	talk(c, "< 452 4.3.1\n> DATA\n< 503\n");
	/* Ninety kilobytes each, held open: the twelfth has no room in all. */
	for (int i = 0; i < 12; i++) {
		many[i] = bed_connect(b, "192.0.2.1");
		talk(many[i], GREET ENVELOPE "> DATA\n< 354\n");
		send_repeated(many[i], "A: b\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 1400, "");
		struct err err;
		assert_true(rt_sleep(USEC_MS, "test", &err));
		assert_true(b->gate->memory <= (1 << 20) + (200 << 10));
	}
	int refused = 0;
	char reply[600];
	for (int i = 0; i < 12; i++) {
		bed_send(many[i], STR(".\r\n"));
		bed_reply(many[i], reply);
		refused += strncmp(reply, "452 4.3.1", 9) == 0;
		assert_true(strncmp(reply, "250", 3) == 0 || strncmp(reply, "452", 3) == 0);
		stream_close(many[i]);
	}
	assert_in_range(refused, 1, 6);
	assert_int_equal(b->gate->memory, 0);
	talk(c, ENVELOPE "> DATA\n< 354\n> .\n< 250\n");
	stream_close(c);
}

static void test_memory(void **state)
{
	bed_run(run_memory, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = little_memory});
}

/* --- time --- */

static void run_slow(struct bed *b)
{
	struct err err;
	talk_alone(b, "192.0.2.1", "< 220\n~ 301\n< 421 4.4.2 Timed out\n< closed\n");
	talk_alone(b, "192.0.2.1", GREET ENVELOPE "~ 299\n> NOOP\n< 250\n~ 301\n< 421 4.4.2\n< closed\n");
	talk_alone(b, "192.0.2.1", GREET ENVELOPE "> DATA\n< 354\n~ 301\n< 421 4.4.2\n< closed\n");
	/* A byte every nine seconds keeps no session for half an hour. */
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE "> DATA\n< 354\n");
	usec_t begun = rt_now();
	while (!stream_has_input(c) && rt_now() - begun < USEC_HOUR) {
		bed_send(c, STR("x"));
		assert_true(rt_sleep(9 * USEC_S, "test", &err));
	}
	assert_true(rt_now() - begun < 6 * USEC_MIN);
	talk(c, "< 421 4.4.2 Message arrives too slowly\n< closed\n");
	stream_close(c);
	/* A transaction that never gets anywhere ends too. */
	c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE);
	begun = rt_now();
	while (!stream_has_input(c) && rt_now() - begun < USEC_HOUR) {
		talk(c, "~ 200\n");
		if (!stream_has_input(c))
			talk(c, "> RCPT TO:<jane@here.example>\n< 250\n");
	}
	assert_true(rt_now() - begun <= 34 * USEC_MIN);
	talk(c, "< 421 4.4.2\n< closed\n");
	stream_close(c);
	assert_int_equal(b->gate->n_transactions, 0);
}

static void test_slow(void **state)
{
	bed_run(run_slow, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- many tiny chunks: bounded memory, same message --- */

static void run_tiny_chunks(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	char reply[600];
	talk(c, GREET ENVELOPE);
	for (int i = 0; i < 20000; i++) {
		stream_write(c, STR("BDAT 1\r\nx"));
		if (i % 100 == 99)
			for (int k = 0; k < 100; k++)
				assert_int_equal(strncmp(bed_reply(c, reply), "250 2.0.0 1 octets", 18), 0);
	}
	assert_true(b->gate->memory < 100000);
	list_each(it, &b->gate->sessions)
		assert_true(session_memory(container_of(it, struct session, link)) < 100000);
	talk(c, "> BDAT 0 LAST\n< 250 2.0.0 Ok: queued\n");
	stream_close(c);
}

static void test_tiny_chunks(void **state)
{
	bed_run(run_tiny_chunks, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- a chunk that fails in the middle --- */

static void run_failed_chunk(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET ENVELOPE);
	send_repeated(c, "BDAT 3000\r\n", "x\r\n", 1000, "");
	talk(c, "< 552 5.3.4\n! BDAT 6\\r\\nQUIT\\r\\nBDAT 6 LAST\\r\\nQUIT\\r\\n\n< 503 5.5.1 BDAT failed\n< 503 5.5.1 BDAT failed\n"
	        "> MAIL FROM:<a@good.example>\n< 503\n> RSET\n< 250\n");
	talk(c, ENVELOPE "! BDAT 2 LAST\\r\\n\\r\\n\n< 250 2.0.0 Ok: queued\n");
	/* Failing at the last chunk, the transaction is over, and the next may begin. */
	talk(c, ENVELOPE);
	send_repeated(c, "BDAT 3000 LAST\r\n", "x\r\n", 1000, "");
	talk(c, "< 552 5.3.4\n" ENVELOPE);
	stream_close(c);
}

static void test_failed_chunk(void **state)
{
	bed_run(run_failed_chunk, &(struct bed_options){.mode = VERIFY_MODE_OFF, .configure = small_limits});
}

/* --- a disk that fails --- */

static void run_disk_trouble(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	talk(c, GREET);
	static const struct {
		enum sim_call call;
		int error;
	} rows[] = {{SIM_SYNC, EIO}, {SIM_WRITE, EIO}, {SIM_WRITE, ENOSPC}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t before = bed_accepted(b);
		talk(c, ENVELOPE "> DATA\n< 354\n> x: y\n");
		sim_fault(b->disk, rows[i].call, 1, 100, rows[i].error);
		talk(c, "> .\n< 45");
		sim_fault_clear(b->disk);
		assert_int_equal(bed_accepted(b), before);
		assert_int_equal(b->gate->memory, 0);
		talk(c, "> DATA\n< 503\n~ 120\n");
	}
	/* Once the disk is well again, mail is taken again. */
	talk(c, ENVELOPE "> DATA\n< 354\n> x: y\n> .\n< 250\n");
	/* A file of its own that cannot be written is told after the whole message was read. */
	talk(c, ENVELOPE "> DATA\n< 354\n");
	sim_fault(b->disk, SIM_WRITE, 1, 1000, EIO);
	send_repeated(c, "A: b\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 8000, ".\r\n");
	talk(c, "< 451 4.3.0 Error writing spool\n> DATA\n< 503\n");
	stream_close(c);
}

static void test_disk_trouble(void **state)
{
	bed_run(run_disk_trouble, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

/* --- a large message goes through a file --- */

static void run_large(struct bed *b)
{
	struct stream *c = bed_connect(b, "192.0.2.1");
	auto_buf struct buf bytes = {.max = 2 << 20};
	talk(c, GREET ENVELOPE "> DATA\n< 354\n");
	repeat(&bytes, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 16384);
	bed_send(c, STR("A: b\r\n\r\n"));
	for (int i = 0; i < 5; i++)
		bed_send(c, buf_view(&bytes));
	talk(c, "> .\n< 250 2.0.0 Ok: queued\n");
	stream_close(c);
	assert_int_equal(bed_accepted(b), 1);
}

static void test_large(void **state)
{
	bed_run(run_large, &(struct bed_options){.mode = VERIFY_MODE_OFF});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smuggling),   cmocka_unit_test(test_true_end),    cmocka_unit_test(test_limits),
		cmocka_unit_test(test_endless),     cmocka_unit_test(test_memory),      cmocka_unit_test(test_slow),
		cmocka_unit_test(test_disk_trouble), cmocka_unit_test(test_tiny_chunks), cmocka_unit_test(test_failed_chunk), cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
