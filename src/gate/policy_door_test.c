/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy door as Postfix meets it: verdicts and modes, one message in many requests, time, trouble, limits, drain. */
#include "gate/policy_door.h"
#include "gate/session_hosts.h"
#include "trail/would.h"

#define DOOR "203.0.113.5"
#define PORT 10040

static void listens(struct policy_door_conf *conf)
{
	bed_row(policy_door_conf_rows, conf, "listen", DOOR ":10040");
	conf->connections = 5;
	conf->request_size = 4096;
}

static void run_door(enum verify_mode mode, const char *exceptions, void (*configure)(struct verify_conf *conf),
                     void (*test)(struct bed *b))
{
	the_test = test;
	bed_run(with_hosts, &(struct bed_options){.mode = mode, .dns = HOSTS_DNS, .exceptions = exceptions,
	                                          .configure_verify = configure, .configure_policy = listens});
}

static void pass(usec_t time)
{
	struct err err;
	assert_true(rt_sleep(time, "test", &err));
}

/* --- a policy client --- */

struct question {
	const char *state, *sender, *recipient, *instance, *client, *more;
};

static struct stream *dial_door(void)
{
	struct ip ip = {0};
	struct err err;
	ip_parse(STR(DOOR), &ip);
	return stream_dial(&(struct dial){.ip = ip, .port = PORT, .label = "test"}, &err);
}

static void put(struct stream *c, const struct question *q)
{
	stream_printf(c, "request=smtpd_access_policy\nprotocol_state=%s\nprotocol_name=ESMTP\nhelo_name=c.example\n"
	              "client_address=%s\nsender=%s\nrecipient=%s\ninstance=%s\nqueue_id=\n%s\n",
	              q->state ? q->state : "RCPT", q->client ? q->client : "192.0.2.1", q->sender,
	              q->recipient ? q->recipient : "jane@here.example", q->instance, q->more ? q->more : "");
}

/* The answer without "action=", or "closed". */
static const char *get(struct stream *c, char out[600])
{
	struct str line, end;
	bool is_too_long;
	struct err err;
	if (!stream_read_line(c, 590, &line, NULL, &is_too_long, &err))
		return strcpy(out, err.kind == ERR_CLOSED ? "closed" : err.text);
	assert_true(str_starts(line, STR("action=")));
	snprintf(out, 600, "%.*s", STR_ARG(str_skip(line, 7)));
	assert_true(stream_read_line(c, 590, &end, NULL, &is_too_long, &err));
	assert_int_equal(end.n, 0);
	return out;
}

static void expect(struct stream *c, const char *wanted)
{
	char got[600];
	get(c, got);
	if (!str_starts(str_from(got), str_from(wanted)))
		fail_msg("wanted \"%s\", got \"%s\"", wanted, got);
}

static void ask_for(struct stream *c, const struct question *q, const char *wanted)
{
	put(c, q);
	expect(c, wanted);
}

/* A message of one recipient, asked about at RCPT. */
static void message(struct stream *c, const char *sender, const char *wanted)
{
	static unsigned number;
	char instance[32];
	snprintf(instance, sizeof instance, "i%u", ++number);
	ask_for(c, &(struct question){.sender = sender, .instance = instance}, wanted);
}

/* The newest trail about this address, once it is stored. */
static struct trail trail_of(struct bed *b, struct arena *arena, const char *address)
{
	struct trail trail = {0};
	struct str *found;
	struct err err;
	size_t n;
	pass(10 * USEC_S);
	assert_true(history_find(b->history, HISTORY_ADDRESS, str_from(address), 1, arena, &found, &n, &err));
	if (n == 0)
		fail_msg("no trail of %s", address);
	assert_true(trail_decode(arena, found[0], &trail, &err));
	return trail;
}

static bool has_entry(const struct trail *t, const char *check, const char *result)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->entries[i].check, str_from(check)) && str_eq(t->entries[i].result, str_from(result)))
			return true;
	return false;
}

/* --- what is answered --- */

static void enforces(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct stream *c = dial_door();
	message(c, "joe@good.example", "dunno");
	message(c, "nobody@good.example", "550 5.1.7 <nobody@good.example>: Sender verify failed: no such mailbox");
	message(c, "nobody@good.example", "550 5.1.7 <nobody@good.example>");
	message(c, "x@all.example", "dunno");
	message(c, "x@nothere.example", "550 5.1.8 <x@nothere.example>: Domain of sender address not found");
	message(c, "x@nomail.example", "550 5.7.27 <x@nomail.example>: Sender domain accepts no mail");
	message(c, "x@broken.example", "451 4.4.3 <x@broken.example>: Domain of sender address does not resolve");
	message(c, "", "dunno");
	message(c, "joe", "dunno"); /* no mailbox: Postfix has checks of its own for that */
	message(c, "a b@good.example", "550 5.1.7 <\"a b\"@good.example>");
	message(c, "owner@here.example", "dunno");
	assert_int_equal(hosts[0].sessions, 3);
	stream_close(c);
	struct trail t = trail_of(b, &arena, "nobody@good.example");
	assert_int_equal(t.verdict, VERDICT_REJECT);
	assert_true(str_starts(t.reply, STR("550 5.1.7 <nobody@good.example>")));
	assert_str(t.recipients, "jane@here.example");
	assert_str(t.helo, "c.example");
	assert_true(has_entry(&t, "policy", "asked") && has_entry(&t, "verify", "absent"));
	t = trail_of(b, &arena, "joe@good.example");
	assert_int_equal(t.verdict, VERDICT_ACCEPT);
	assert_str(t.reply, "dunno");
}

static void test_enforce(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, enforces);
}

static void observes(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct stream *c = dial_door();
	message(c, "joe@good.example", "dunno");
	message(c, "nobody@good.example", "dunno");
	message(c, "x@nothere.example", "dunno");
	stream_close(c);
	const struct trail_entry *entry;
	struct trail t = trail_of(b, &arena, "nobody@good.example");
	assert_int_equal(t.verdict, VERDICT_ACCEPT);
	assert_int_equal(trail_would(&t, &entry), VERDICT_REJECT);
	assert_true(str_find(entry->text, STR("550 5.1.7 <nobody@good.example>")) < entry->text.n);
	t = trail_of(b, &arena, "joe@good.example");
	assert_int_equal(trail_would(&t, NULL), VERDICT_NONE);
}

static void test_observe(void **state)
{
	run_door(VERIFY_MODE_OBSERVE, NULL, NULL, observes);
}

static void tags(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct stream *c = dial_door();
	struct question q = {.sender = "nobody@good.example", .instance = "t"};
	message(c, "joe@good.example", "dunno");
	ask_for(c, &q, "prepend X-Postern-Sender: absent; ref=");
	q.recipient = "joe@here.example";
	ask_for(c, &q, "dunno"); /* one field for each message */
	q.state = "DATA";
	ask_for(c, &q, "dunno");
	/* At the end of a message nothing can be prepended any more. */
	ask_for(c, &(struct question){.state = "END-OF-MESSAGE", .sender = "nobody@good.example", .instance = "u"}, "dunno");
	stream_close(c);
	struct trail t = trail_of(b, &arena, "nobody@good.example");
	assert_int_equal(t.verdict, VERDICT_TAG);
}

static void test_tag(void **state)
{
	run_door(VERIFY_MODE_TAG, NULL, NULL, tags);
}

static void is_off(struct bed *b)
{
	struct stream *c = dial_door();
	message(c, "nobody@good.example", "dunno");
	message(c, "x@nothere.example", "dunno");
	stream_close(c);
	assert_int_equal(hosts[0].sessions, 0);
}

static void test_off(void **state)
{
	run_door(VERIFY_MODE_OFF, NULL, NULL, is_off);
}

static void excepts(struct bed *b)
{
	struct stream *c = dial_door();
	message(c, "nobody@good.example", "dunno");
	message(c, "bad@good.example", "550 5.7.1 <bad@good.example>: Refused by a rule");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "a", .client = "192.0.2.77"}, "dunno");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "b", .client = "10.1.2.3"}, "dunno");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "c", .more = "sasl_username=joe\n"}, "dunno");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "d", .recipient = "PostMaster@here.example"}, "dunno");
	ask_for(c, &(struct question){.sender = "joe@good.example", .instance = "e", .recipient = "closed@here.example"}, "550 5.7.1");
	ask_for(c, &(struct question){.sender = "joe@good.example", .instance = "e"}, "dunno");
	assert_int_equal(hosts[0].sessions, 1); /* joe */
	/* A message to postmaster and another: each hears what is due. */
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "f", .recipient = "postmaster@here.example"}, "dunno");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "f"}, "550 5.1.7");
	ask_for(c, &(struct question){.sender = "no2@good.example", .instance = "f", .recipient = "abuse@here.example"}, "dunno");
	ask_for(c, &(struct question){.state = "DATA", .recipient = "", .sender = "no2@good.example", .instance = "f", .more = "recipient_count=2\n"}, "dunno");
	stream_close(c);
}

static void test_exceptions(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, "sender nobody@good.example never-ask\nsender bad@good.example refuse\nclient 192.0.2.77 accept\n"
	         "recipient closed@here.example refuse\n", NULL, excepts);
}

/* --- one message, several requests --- */

static void is_one_message(struct bed *b)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct stream *c = dial_door(), *d = dial_door();
	struct question q = {.sender = "nobody@good.example", .instance = "m"};
	/* At DATA only: once for all recipients, and the same again at the end. */
	q.state = "DATA";
	q.recipient = "";
	ask_for(c, &q, "550 5.1.7");
	q.state = "END-OF-MESSAGE";
	ask_for(c, &q, "550 5.1.7");
	/* The same instance of another Postfix or another client is another message. */
	q = (struct question){.sender = "joe@good.example", .instance = "m"};
	ask_for(d, &q, "dunno");
	q.recipient = "joe@list.example";
	ask_for(d, &q, "dunno");
	ask_for(d, &q, "dunno");
	ask_for(c, &(struct question){.state = "MAIL", .sender = "nobody@good.example", .instance = "n"}, "dunno");
	stream_close(c);
	stream_close(d);
	struct trail t = trail_of(b, &arena, "joe@good.example");
	assert_str(t.recipients, "jane@here.example joe@list.example joe@list.example");
	pass(USEC_MIN + USEC_S);
	assert_int_equal(b->gate->policy->messages.n_open, 0);
	assert_int_equal(b->gate->policy->messages.n, 2);
	/* Asked after its trail is stored: what was decided holds. */
	c = dial_door();
	ask_for(c, &(struct question){.state = "DATA", .recipient = "", .sender = "nobody@good.example", .instance = "m"}, "550 5.1.7");
	/* One more recipient after all that time: its own trail, the same verdict. */
	ask_for(c, &(struct question){.sender = "joe@good.example", .instance = "m", .recipient = "late@here.example"}, "dunno");
	t = trail_of(b, &arena, "joe@good.example");
	assert_str(t.recipients, "late@here.example");
	stream_close(c);
	pass(11 * USEC_MIN);
	c = dial_door();
	message(c, "joe@good.example", "dunno");
	pass(3 * USEC_S);
	assert_true(b->gate->policy->messages.n <= 2);
	stream_close(c);
}

static void test_one_message(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, is_one_message);
}

/* --- time --- */

static void see_wait(void *arg, const struct gate_session_info *info)
{
	if (strcmp(info->state, "policy") == 0)
		snprintf(arg, 300, "%.*s %.*s %.*s", STR_ARG(info->sender), STR_ARG(info->helo), STR_ARG(info->wait));
}

static void waits(struct bed *b)
{
	struct stream *c = dial_door(), *d = dial_door();
	char seen[300] = "";
	usec_t begun = rt_now();
	struct question q = {.sender = "x@mute.example", .instance = "w"};
	put(c, &q);
	stream_flush(c, &(struct err){0});
	put(d, &q); /* the same question on another connection */
	stream_flush(d, &(struct err){0});
	pass(USEC_S);
	gate_sessions(b->gate, see_wait, seen);
	if (!strstr(seen, "x@mute.example c.example ") || !strstr(seen, ", 1 s"))
		fail_msg("sessions shows: %s", seen);
	expect(c, "defer_if_permit 4.1.7 <x@mute.example>: Could not complete sender verify callout: no answer; try again in");
	assert_true(rt_now() - begun >= 8 * USEC_S && rt_now() - begun < 9 * USEC_S);
	expect(d, "defer_if_permit 4.1.7");
	q.recipient = "joe@list.example"; /* has waited for enough */
	ask_for(c, &q, "defer_if_permit 4.1.7");
	assert_true(rt_now() - begun < 9 * USEC_S);
	pass(USEC_MIN);
	assert_true(hosts[2].sessions >= 1);
	begun = rt_now();
	message(c, "x@mute.example", "451 4.1.7 <x@mute.example>"); /* the work went on: known now */
	assert_true(rt_now() - begun < USEC_S);
	stream_close(c);
	stream_close(d);
}

static void test_wait(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, waits);
}

/* Answers come in the order of the questions, and all of a bunch within the time of one. */
static void pipelines(struct bed *b)
{
	struct stream *c = dial_door();
	usec_t begun = rt_now();
	put(c, &(struct question){.sender = "joe@good.example", .instance = "1"});
	put(c, &(struct question){.sender = "x@mute.example", .instance = "2"});
	put(c, &(struct question){.sender = "nobody@good.example", .instance = "3"});
	put(c, &(struct question){.sender = "y@mute.example", .instance = "4"});
	put(c, &(struct question){.sender = "joe@good.example", .instance = "5"});
	stream_flush(c, &(struct err){0});
	expect(c, "dunno");
	assert_true(rt_now() - begun < USEC_S);
	expect(c, "defer_if_permit 4.1.7 <x@mute.example>");
	expect(c, "defer_if_permit 4.");
	expect(c, "defer_if_permit 4.");
	expect(c, "dunno");
	assert_true(rt_now() - begun < 9 * USEC_S);
	stream_close(c);
}

static void test_pipelining(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, pipelines);
}

/* --- what is no request --- */

static void closes(struct bed *b)
{
	static const char long_line[5000] = {[0 ... 4998] = 'x'};
	static const char *const bad[] = {
		"\n", "GET / HTTP/1.1\r\n\r\n\n\n", "request=other\n\n", "request=smtpd_access_policy\nsender=a@b\nsender=c@d\n\n", long_line,
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct stream *c = dial_door();
		message(c, "joe@good.example", "dunno");
		bed_send(c, str_from(bad[i]));
		expect(c, "closed");
		stream_close(c);
	}
	/* Half a request, and half a minute for the rest; nothing at all, and ten. */
	usec_t begun = rt_now();
	struct stream *c = dial_door(), *d = dial_door();
	bed_send(c, STR("request=smtpd_access_policy\n"));
	for (int i = 0; i < 29; i++) {
		pass(USEC_S);
		bed_send(c, STR("a=b\n"));
	}
	expect(c, "closed");
	assert_true(rt_now() - begun >= 29 * USEC_S && rt_now() - begun < 32 * USEC_S);
	expect(d, "closed");
	assert_true(rt_now() - begun >= 10 * USEC_MIN && rt_now() - begun < 11 * USEC_MIN);
	stream_close(c);
	stream_close(d);
	assert_int_equal(gate_policy_count(b->gate), 0);
}

static void test_closes(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, closes);
}

static void is_limited(struct bed *b)
{
	struct stream *c[6];
	for (int i = 0; i < 6; i++)
		c[i] = dial_door();
	for (int i = 0; i < 5; i++)
		message(c[i], "joe@good.example", "dunno");
	expect(c[5], "closed");
	assert_int_equal(gate_policy_count(b->gate), 5);
	for (int i = 0; i < 6; i++)
		stream_close(c[i]);
	pass(USEC_S);
	assert_int_equal(gate_policy_count(b->gate), 0);
}

static void test_limits(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, is_limited);
}

/* --- drain, and a new configuration --- */

static void drain_in_background(void *arg)
{
	struct bed *b = arg;
	gate_drain(b->gate, true);
}

static void drains(struct bed *b)
{
	struct group g;
	struct err err;
	struct stream *idle = dial_door(), *busy = dial_door();
	message(idle, "joe@good.example", "dunno");
	put(busy, &(struct question){.sender = "x@mute.example", .instance = "d"});
	stream_flush(busy, &err);
	pass(USEC_S);
	usec_t begun = rt_now();
	group_init(&g, "drain");
	assert_true(group_go(&g, "drain", drain_in_background, b, &err));
	expect(busy, "defer_if_permit 4.1.7"); /* a question is answered, and the last */
	expect(busy, "closed");
	expect(idle, "closed");
	assert_true(rt_now() - begun < 8 * USEC_S);
	assert_true(group_wait(&g, &err));
	group_done(&g);
	stream_close(idle);
	stream_close(busy);
	assert_int_equal(gate_policy_count(b->gate), 0);
	assert_int_equal(b->gate->policy->messages.n, 0);
}

static void test_drain(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, drains);
}

static void reconfigures(struct bed *b)
{
	static struct policy_door_conf next;
	struct err err;
	struct stream *c = dial_door();
	message(c, "joe@good.example", "dunno");
	conf_rows_default(policy_door_conf_rows, &next, sizeof next);
	next.wait = USEC_S;
	b->deps.policy_door = &next;
	assert_true(gate_reconfigure(b->gate, &b->conf, &b->deps, &err));
	assert_null(dial_door()); /* no door any more */
	usec_t begun = rt_now();
	message(c, "x@mute.example", "defer_if_permit"); /* who is in stays, by the new rules */
	assert_true(rt_now() - begun < 2 * USEC_S);
	b->deps.policy_door = &b->policy_conf;
	assert_true(gate_reconfigure(b->gate, &b->conf, &b->deps, &err));
	struct stream *again = dial_door();
	message(again, "joe@good.example", "dunno");
	stream_close(again);
	stream_close(c);
}

static void test_reconfigure(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, reconfigures);
}

/* More messages than are kept: the oldest are stored and forgotten, in bounded memory. */
static void floods(struct bed *b)
{
	struct stream *c = dial_door();
	char instance[32], got[600];
	for (int i = 0; i < 2500; i++) {
		snprintf(instance, sizeof instance, "f%d", i);
		put(c, &(struct question){.sender = "joe@good.example", .instance = instance});
		assert_string_equal(get(c, got), "dunno");
		assert_true(b->gate->policy->messages.n_open <= 2000);
	}
	/* One message of recipients without end: no more of them in memory than of a short one. */
	size_t most = 0;
	for (int i = 0; i < 3000; i++) {
		char recipient[200];
		snprintf(recipient, sizeof recipient, "%0150d@here.example", i % 10);
		put(c, &(struct question){.sender = "joe@good.example", .instance = "endless", .recipient = recipient});
		assert_string_equal(get(c, got), "dunno");
		const struct policy_message *m = container_of(b->gate->policy->messages.open.head.prev, struct policy_message, open);
		size_t used = m->open_case->arena.used;
		most = used > most ? used : most;
	}
	assert_in_range(most, 200 << 10, 300 << 10);
	assert_int_equal(hosts[0].sessions, 1);
	stream_close(c);
}

static void test_flood(void **state)
{
	run_door(VERIFY_MODE_ENFORCE, NULL, NULL, floods);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enforce),     cmocka_unit_test(test_observe),    cmocka_unit_test(test_tag),
		cmocka_unit_test(test_off),         cmocka_unit_test(test_exceptions), cmocka_unit_test(test_one_message),
		cmocka_unit_test(test_wait),        cmocka_unit_test(test_pipelining), cmocka_unit_test(test_closes),
		cmocka_unit_test(test_limits),      cmocka_unit_test(test_drain),      cmocka_unit_test(test_reconfigure),
		cmocka_unit_test(test_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
