/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is asked, how often, in which order, and what is remembered: verification over time. */
#include "verify/test_bed.h"

#include "base/metric.h"
#include "verify/breaker.h"

static const struct habit truthful = {.name = "truthful"};
static const struct habit takes_all = {.name = "takes everything", .unknown = "250 ok"};

/* --- never verified, never dialled --- */

static bool everything_is_exempt(void *arg, const struct address *sender, struct ip client)
{
	(void)arg;
	(void)client;
	return str_eq(sender->local, STR("friend"));
}

static void skips_body(void *arg)
{
	struct bed b = {.is_exempt = everything_is_exempt};
	struct evidence local = client_at("10.0.0.1"), login = client_at("198.18.0.1");
	struct str own[] = {STR("ours.example")};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	local.is_local_network = true;
	login.is_authenticated = true;
	b.conf.own_domains = (struct conf_texts){own, 1};
	assert_int_equal(ask_as(&b, "joe@d.example", &local, USEC_S)->skip, SKIP_LOCAL_NETWORK);
	assert_int_equal(ask_as(&b, "joe@d.example", &login, USEC_S)->skip, SKIP_AUTHENTICATED);
	assert_int_equal(ask(&b, "joe@ours.example")->skip, SKIP_OWN_DOMAIN);
	assert_int_equal(ask(&b, "friend@d.example")->skip, SKIP_EXEMPT);
	assert_int_equal(ask(&b, "postern-probe@gate.example")->skip, SKIP_PROBE_ADDRESS);
	assert_int_equal(ask(&b, "joe@self.example")->skip, SKIP_OWN_DOMAIN);
	struct address none = {0};
	struct evidence e = client_at("198.18.0.1");
	struct ticket *t = verify_start(b.v, &none, &e);
	assert_int_equal(((const struct verify_answer *)ticket_result(t))->skip, SKIP_NULL_SENDER);
	ticket_unref(t);
	verify_set_mode(b.v, VERIFY_MODE_OFF);
	assert_int_equal(ask(&b, "joe@d.example")->skip, SKIP_OFF);
	assert_int_equal(m->sessions, 0);
	b.conf.own_domains = (struct conf_texts){0};
	bed_close(&b);
}
FAKE_TEST(skips)

static void certainty_body(void *arg)
{
	struct bed b = {0};
	enum verify_dns dns;
	struct str why;
	struct err err;
	(void)arg;
	bed_open(&b);
	static const struct {
		const char *address;
		enum verify_verdict verdict;
		enum verify_dns dns;
	} rows[] = {
		{"joe@nowhere.example", VERIFY_ABSENT, VERIFY_DNS_NO_DOMAIN},
		{"joe@null.example", VERIFY_ABSENT, VERIFY_DNS_NULL_MX},
		{"joe@loop.example", VERIFY_ABSENT, VERIFY_DNS_UNUSABLE},
		{"joe@servfail.example", VERIFY_TEMPORARY, VERIFY_DNS_TEMPORARY},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address a = address_of(&b, rows[i].address);
		struct verify_answer *out = ask(&b, rows[i].address);
		assert_row(out->verdict == rows[i].verdict && out->dns == rows[i].dns, rows[i].address);
		assert_true(verify_domain(b.v, &a, &dns, &why, &b.arena, &err));
		assert_row(dns == rows[i].dns, rows[i].address);
	}
	struct address a = address_of(&b, "joe@d.example");
	assert_true(verify_domain(b.v, &a, &dns, &why, &b.arena, &err));
	assert_int_equal(dns, VERIFY_DNS_OK);
	bool is;
	assert_true(verify_is_own_mx(b.v, STR("d.example"), client_at("192.88.1.1").client, &is, &err));
	assert_true(is);
	assert_true(verify_is_own_mx(b.v, STR("d.example"), client_at("192.88.1.2").client, &is, &err));
	assert_false(is);
	bed_close(&b);
}
FAKE_TEST(certainty)

static void loopback_body(void *arg)
{
	struct bed b = {0};
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "127.0.0.1", &truthful);
	assert_int_equal(ask(&b, "joe@loop.example")->dns, VERIFY_DNS_UNUSABLE);
	assert_int_equal(m->sessions, 0);
	assert_true(ip_set_add(&b.conf.dial_networks, STR("127.0.0.0/8"), &err));
	assert_int_equal(ask(&b, "joe@loop.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(m->sessions, 1);
	bed_close(&b);
}
FAKE_TEST(loopback)

static void never_asked_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	assert_int_equal(ask(&b, "joe@yahoo.example")->verdict, VERIFY_UNVERIFIABLE);
	assert_int_equal(m->sessions, 0);
	size_t n = b.conf.never_ask.n;
	b.conf.never_ask.n = 0; /* the administrator's list replaces ours */
	assert_int_equal(ask(&b, "joe@yahoo.example")->verdict, VERIFY_EXISTS);
	b.conf.never_ask.n = n;
	bed_close(&b);
}
FAKE_TEST(never_asked)

static void implicit_mx_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	bed_mx(&b, "192.88.1.1", &truthful);
	assert_int_equal(ask(&b, "joe@implicit.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(ask(&b, "joe@[192.88.1.1]")->verdict, VERIFY_EXISTS);
	bed_close(&b);
}
FAKE_TEST(implicit_mx)

/* --- the dialogue --- */

static void dialogue_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	struct verify_answer *a = ask(&b, "joe@d.example");
	pass(USEC_S);
	assert_true(a->control_refused);
	assert_string_equal(a->host, "mx.d.example");
	struct str said = buf_view(&m->heard), line;
	static const char *const want[] = {"EHLO gate.example", "MAIL FROM:<>", "RCPT TO:<joe@d.example>", "RSET", "MAIL FROM:<>"};
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(str_cut(&said, '\n', &line));
		assert_str(line, want[i]);
	}
	assert_true(str_cut(&said, '\n', &line));
	assert_true(str_starts(line, STR("RCPT TO:<")) && str_ends(line, STR("@d.example>")));
	assert_int_equal(line.n, strlen("RCPT TO:<") + 12 + strlen("@d.example>"));
	assert_true(str_cut(&said, '\n', &line));
	assert_str(line, "QUIT");
	assert_true(str_find(a->dialogue, STR("RCPT TO:<joe@d.example>")) < a->dialogue.n);
	/* The second address of a domain that is known costs one recipient. */
	assert_int_equal(ask(&b, "nobody@d.example")->verdict, VERIFY_ABSENT);
	assert_int_equal(m->rcpts, 3);
	bed_close(&b);
}
FAKE_TEST(dialogue)

static void mx_order_body(void *arg)
{
	static const struct habit busy = {.greeting = "421 busy"}, grey = {.real = "450 4.7.1 greylisted"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	/* nobody at the first: the second is asked */
	struct mail_server *second = bed_mx(&b, "192.88.1.2", &truthful);
	assert_int_equal(ask(&b, "joe@two.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(second->sessions, 1);
	pass(20 * USEC_MIN);
	/* the first is busy: the second again */
	struct mail_server *first = bed_mx(&b, "192.88.1.1", &busy);
	assert_string_equal(ask(&b, "joe2@two.example")->host, "mx.e.example");
	assert_int_equal(first->sessions, 1);
	pass(20 * USEC_MIN);
	/* 421 at MAIL is as good as no connection */
	static const struct habit leaves = {.mail_null = "421 shutting down"};
	first->habit = &leaves;
	struct verify_answer *a = ask(&b, "joe5@two.example");
	assert_int_equal(a->verdict, VERIFY_EXISTS);
	assert_string_equal(a->host, "mx.e.example");
	assert_true(str_find(a->dialogue, STR("421")) < a->dialogue.n);
	assert_true(str_find(a->dialogue, STR("RCPT TO:<joe5@two.example>")) < a->dialogue.n);
	pass(20 * USEC_MIN);
	/* 4xx at RCPT is an answer: nobody else is asked */
	first->habit = &grey;
	unsigned before = second->sessions;
	assert_int_equal(ask(&b, "joe3@two.example")->cause, CAUSE_GREYLIST);
	assert_int_equal(second->sessions, before);
	bed_close(&b);
}
FAKE_TEST(mx_order)

static void null_sender_body(void *arg)
{
	static const struct habit refuses = {.mail_null = "550 5.7.1 null sender denied"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &refuses);
	assert_true(ask(&b, "joe@d.example")->null_refused);
	assert_int_equal(heard(m, "MAIL FROM:<>"), 1);
	assert_int_equal(heard(m, "MAIL FROM:<postern-probe@gate.example>"), 2);
	/* remembered for the domain */
	assert_true(ask(&b, "joe2@d.example")->null_refused);
	assert_int_equal(heard(m, "MAIL FROM:<>"), 1);
	pass(4 * USEC_HOUR);
	assert_true(ask(&b, "joe3@d.example")->null_refused);
	assert_int_equal(heard(m, "MAIL FROM:<>"), 2);
	bed_close(&b);
}
FAKE_TEST(null_sender)

static void utf8_body(void *arg)
{
	static const struct habit speaks = {.pipelines = true}; /* offers SMTPUTF8 too */
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &speaks);
	bed_mx(&b, "192.88.1.2", &truthful);
	assert_int_equal(ask(&b, "joé@d.example")->verdict, VERIFY_ABSENT);
	assert_int_equal(heard(m, "MAIL FROM:<> SMTPUTF8\n"), 1);
	assert_int_equal(ask(&b, "joé@e.example")->verdict, VERIFY_UNVERIFIABLE); /* cannot be asked there */
	assert_int_equal(ask(&b, "\"joe s\"@d.example")->verdict, VERIFY_ABSENT);
	assert_int_equal(heard(m, "RCPT TO:<\"joe s\"@d.example>"), 1);
	bed_close(&b);
}
FAKE_TEST(utf8)

/* --- single-flight --- */

struct asker {
	struct bed *b;
	const char *address;
	enum verify_verdict verdict;
	bool is_running;
	usec_t wait;
};

static void asker_run(void *arg)
{
	struct asker *a = arg;
	struct evidence e = client_at(NULL);
	struct verify_answer *out = ask_as(a->b, a->address, &e, a->wait);
	a->verdict = out->verdict;
	a->is_running = out->is_running;
}

static void thousand_body(void *arg)
{
	static const struct habit slow = {.delay = USEC_S};
	static struct asker askers[1000];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &slow);
	group_init(&group, "askers");
	for (size_t i = 0; i < COUNT(askers); i++) {
		askers[i] = (struct asker){.b = &b, .address = "joe@d.example", .wait = 25 * USEC_S};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	for (size_t i = 0; i < COUNT(askers); i++)
		assert_int_equal(askers[i].verdict, VERIFY_EXISTS);
	assert_int_equal(m->sessions, 1);
	assert_int_equal(m->rcpts, 2);
	bed_close(&b);
}
FAKE_TEST(thousand)

static void sharing_body(void *arg)
{
	static const char *const addresses[] = {"joe1@d.example", "joe2@d.example", "joe3@d.example", "joe4@d.example",
	                                        "nobody@d.example", "joe6@d.example", "joe7@d.example", "joe8@d.example"};
	static struct asker askers[COUNT(addresses)];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	group_init(&group, "askers");
	for (size_t i = 0; i < COUNT(askers); i++) {
		askers[i] = (struct asker){.b = &b, .address = addresses[i], .wait = 25 * USEC_S};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	for (size_t i = 0; i < COUNT(askers); i++)
		assert_int_equal(askers[i].verdict, i == 4 ? VERIFY_ABSENT : VERIFY_EXISTS);
	assert_int_equal(m->rcpts, 9); /* eight, and one control for the domain */
	assert_true(m->sessions <= 3);
	assert_true(m->most_rcpts <= 5);
	assert_int_equal(m->most_open, 1);
	bed_close(&b);
}
FAKE_TEST(sharing)

/* While nothing is known for certain, too. */
static void thousand_grey_body(void *arg)
{
	static const struct habit grey = {.greylists = 5 * USEC_MIN, .delay = USEC_S};
	static struct asker askers[100];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &grey);
	group_init(&group, "askers");
	for (size_t i = 0; i < COUNT(askers); i++) {
		askers[i] = (struct asker){.b = &b, .address = "joe@d.example", .wait = 25 * USEC_S};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	for (size_t i = 0; i < COUNT(askers); i++)
		assert_int_equal(askers[i].verdict, VERIFY_TEMPORARY);
	assert_int_equal(m->rcpts, 2);
	bed_close(&b);
}
FAKE_TEST(thousand_grey)

/* What the first learns of the domain answers those who wait behind it. */
static void waiting_for_catch_all_body(void *arg)
{
	static struct asker askers[10];
	static char addresses[COUNT(askers)][32];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &takes_all);
	group_init(&group, "askers");
	for (size_t i = 0; i < COUNT(askers); i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "joe%zu@d.example", i);
		askers[i] = (struct asker){.b = &b, .address = addresses[i], .wait = 25 * USEC_S};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	for (size_t i = 0; i < COUNT(askers); i++)
		assert_int_equal(askers[i].verdict, VERIFY_CATCH_ALL);
	assert_int_equal(m->rcpts, 2);
	bed_close(&b);
}
FAKE_TEST(waiting_for_catch_all)

/* Whoever has waited as long as a whole question may take is answered, not asked about. */
static void expiry_body(void *arg)
{
	static const struct habit tarpit = {.delay = 8 * USEC_S};
	static struct asker askers[12];
	static char addresses[COUNT(askers)][32];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &tarpit);
	group_init(&group, "askers");
	usec_t begun = rt_now();
	for (size_t i = 0; i < COUNT(askers); i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "joe%zu@d.example", i);
		askers[i] = (struct asker){.b = &b, .address = addresses[i], .wait = USEC_HOUR};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	int exist = 0, temporary = 0;
	for (size_t i = 0; i < COUNT(askers); i++) {
		exist += askers[i].verdict == VERIFY_EXISTS;
		temporary += askers[i].verdict == VERIFY_TEMPORARY;
	}
	assert_int_equal(exist, 1);
	assert_int_equal(temporary, 11);
	assert_int_equal(m->sessions, 1);
	assert_true(rt_now() - begun <= 65 * USEC_S);
	bed_close(&b);
}
FAKE_TEST(expiry)

static void source_body(void *arg)
{
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	assert_true(ip_parse(STR("192.88.9.25"), &b.conf.source.ip));
	ask(&b, "joe@d.example");
	assert_true(ip_eq(m->peer, b.conf.source.ip));
	bed_close(&b);
}
FAKE_TEST(source)

/* A server that has enough of a session loses nothing for those who waited: they get another. */
static void several_sessions_body(void *arg)
{
	static const char *const addresses[] = {"joe1@d.example", "joe2@d.example", "joe3@d.example", "nobody@d.example"};
	static const struct habit short_ones[] = {{.drops_after = 2}, {.drops_after = 3}, {.mail_second = "550 enough"},
	                                          {.rset = "!close"}, {.drops_after = 3, .pipelines = true}};
	static struct asker askers[COUNT(addresses)];
	for (size_t h = 0; h < COUNT(short_ones); h++) {
		struct bed b = {0};
		struct group group;
		struct err err;
		(void)arg;
		bed_open(&b);
		bed_mx(&b, "192.88.1.1", &short_ones[h]);
		group_init(&group, "askers");
		for (size_t i = 0; i < COUNT(askers); i++) {
			askers[i] = (struct asker){.b = &b, .address = addresses[i], .wait = 25 * USEC_S};
			assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
		}
		assert_true(group_wait(&group, &err));
		for (size_t i = 0; i < COUNT(askers); i++)
			assert_int_equal(askers[i].verdict, i == 3 ? VERIFY_ABSENT : VERIFY_EXISTS);
		bed_close(&b);
	}
}
FAKE_TEST(several_sessions)

/* Two domains at one mail server: one session at a time. */
static void turn_body(void *arg)
{
	static const struct habit slow = {.delay = USEC_S};
	static struct asker askers[2];
	struct bed b = {0};
	struct group group;
	struct err err;
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &slow);
	group_init(&group, "askers");
	for (size_t i = 0; i < 2; i++) {
		askers[i] = (struct asker){.b = &b, .address = i ? "joe@shared.example" : "joe@d.example", .wait = 40 * USEC_S};
		assert_true(group_go(&group, "asker", asker_run, &askers[i], &err));
	}
	assert_true(group_wait(&group, &err));
	assert_int_equal(askers[0].verdict, VERIFY_EXISTS);
	assert_int_equal(askers[1].verdict, VERIFY_EXISTS);
	assert_int_equal(m->sessions, 2);
	assert_int_equal(m->most_open, 1);
	bed_close(&b);
}
FAKE_TEST(turn)

/* The asker leaves, the work goes on, the retry finds the answer. */
static void retry_body(void *arg)
{
	static const struct habit slow = {.delay = 5 * USEC_S};
	struct bed b = {0};
	struct evidence e = client_at("198.18.0.1");
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &slow);
	struct verify_answer *a = ask_as(&b, "joe@d.example", &e, 10 * USEC_S);
	assert_int_equal(a->verdict, VERIFY_TEMPORARY);
	assert_true(a->is_running);
	assert_int_equal(a->retry_after, USEC_MIN);
	assert_true(a->first_failed.us != 0);
	pass(a->retry_after);
	a = ask_as(&b, "joe@d.example", &e, 10 * USEC_S);
	assert_int_equal(a->verdict, VERIFY_EXISTS);
	assert_true(a->is_cached);
	assert_int_equal(m->sessions, 1);
	bed_close(&b);
}
FAKE_TEST(retry)

/* --- greylisting --- */

static void greylist_body(void *arg)
{
	static const struct habit grey = {.greylists = 5 * USEC_MIN};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &grey);
	struct verify_answer *a = ask(&b, "joe@d.example");
	assert_int_equal(a->cause, CAUSE_GREYLIST);
	assert_true(a->retry_after > 5 * USEC_MIN && a->retry_after <= 6 * USEC_MIN + USEC_S);
	pass(3 * USEC_MIN);
	struct verify_answer *early = ask(&b, "joe@d.example");
	assert_true(early->is_cached && early->retry_after < a->retry_after);
	assert_int_equal(m->sessions, 1);
	pass(a->retry_after - 3 * USEC_MIN);
	a = ask(&b, "joe@d.example");
	assert_int_equal(a->verdict, VERIFY_EXISTS);
	assert_true(a->is_cached && a->control_refused);
	assert_int_equal(m->sessions, 2); /* our own, in the background */
	pass(2 * USEC_DAY);
	assert_int_equal(m->sessions, 2);
	bed_close(&b);
}
FAKE_TEST(greylist)

static void greylist_catch_all_body(void *arg)
{
	static const struct habit grey = {.greylists = 5 * USEC_MIN, .unknown = "250 ok"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	bed_mx(&b, "192.88.1.1", &grey);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_TEMPORARY);
	pass(6 * USEC_MIN);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_CATCH_ALL); /* both triplets have aged */
	bed_close(&b);
}
FAKE_TEST(greylist_catch_all)

static void greylist_long_body(void *arg)
{
	static const struct habit grey = {.greylists = 25 * USEC_MIN}, never = {.greylists = 365 * USEC_DAY};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &grey), *e = bed_mx(&b, "192.88.1.2", &never);
	ask(&b, "joe@d.example");
	ask(&b, "joe@e.example");
	pass(20 * USEC_MIN);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_TEMPORARY);
	assert_int_equal(m->sessions, 3); /* at 0, 5.5 and 15 minutes, by itself */
	pass(11 * USEC_MIN);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(m->sessions, 4);
	pass(USEC_DAY);
	assert_int_equal(e->sessions, 4); /* and then not for ever */
	bed_close(&b);
}
FAKE_TEST(greylist_long)

/* --- patience --- */

static void patience_body(void *arg)
{
	static const struct habit down = {.greeting = "!close"};
	struct bed b = {0};
	struct evidence one = client_at("198.18.0.1"), near = client_at("198.18.0.77"), other = client_at("198.19.0.1");
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &down);
	for (usec_t t = 0; t < 4 * USEC_HOUR; t += 30 * USEC_MIN) {
		struct verify_answer *a = ask_as(&b, "joe@d.example", &one, 70 * USEC_S);
		assert_int_equal(verify_act(b.v, a, &one), VERIFY_DEFER);
		pass(30 * USEC_MIN);
	}
	/* the same network has waited as well, another has not */
	assert_int_equal(verify_act(b.v, ask_as(&b, "joe@d.example", &near, 70 * USEC_S), &near), VERIFY_ACCEPT_TAG);
	assert_int_equal(verify_act(b.v, ask_as(&b, "joe@d.example", &other, 70 * USEC_S), &other), VERIFY_DEFER);
	/* an answer ends the row */
	m->habit = &truthful;
	pass(20 * USEC_MIN);
	assert_int_equal(verify_act(b.v, ask_as(&b, "joe@d.example", &one, 70 * USEC_S), &one), VERIFY_ACCEPT);
	assert_int_equal(verify_cache_flush(b.v, STR("joe@d.example")), 1);
	m->habit = &down;
	assert_int_equal(verify_act(b.v, ask_as(&b, "joe@d.example", &one, 70 * USEC_S), &one), VERIFY_DEFER);
	bed_close(&b);
}
FAKE_TEST(patience)

/* --- manners --- */

static void budgets_body(void *arg)
{
	struct bed b = {0};
	char address[64];
	unsigned asked = 0, skipped = 0;
	(void)arg;
	bed_open(&b);
	b.conf.per_second = 1000;
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &truthful);
	for (int i = 0; i < 40; i++) {
		struct evidence e = client_at("198.18.0.1");
		e.client.b[2] = (uint8_t)i; /* each from a network of its own */
		snprintf(address, sizeof(address), "joe%d@d.example", i);
		struct verify_answer *a = ask_as(&b, address, &e, 70 * USEC_S);
		asked += a->verdict == VERIFY_EXISTS;
		skipped += a->verdict == VERIFY_SKIPPED && a->skip == SKIP_BUDGET;
	}
	assert_int_equal(asked, 20);
	assert_int_equal(skipped, 20);
	assert_int_equal(m->rcpts, 21);
	/* who is vouched for has the larger one */
	struct evidence e = client_at("198.18.200.1");
	e.spf = EVIDENCE_SPF_PASS;
	assert_int_equal(ask_as(&b, "joe100@d.example", &e, 70 * USEC_S)->verdict, VERIFY_EXISTS);
	/* over budget is not remembered, and the budget comes back */
	pass(4 * USEC_MIN);
	assert_int_equal(ask(&b, "joe39@d.example")->verdict, VERIFY_EXISTS);
	/* one client network asks for five in a minute */
	unsigned n = 0;
	for (int i = 0; i < 8; i++) {
		struct evidence c = client_at("198.19.0.1");
		c.is_own_mx = true;
		snprintf(address, sizeof(address), "joe%d@e.example", i);
		n += ask_as(&b, address, &c, 70 * USEC_S)->verdict == VERIFY_SKIPPED;
	}
	assert_int_equal(n, 3);
	/* twenty a second in all */
	b.conf.per_second = 20;
	n = 0;
	for (int i = 0; i < 30; i++) {
		struct evidence c = client_at("198.20.0.1");
		c.client.b[2] = (uint8_t)i;
		c.is_own_mx = true;
		snprintf(address, sizeof(address), "joe1%d@e.example", i);
		n += ask_as(&b, address, &c, 70 * USEC_S)->verdict == VERIFY_SKIPPED;
	}
	assert_true(n >= 9 && n <= 10);
	b.conf.budget_defers = true;
	struct evidence c = client_at("198.19.0.1");
	struct verify_answer *a = ask_as(&b, "joe7@e.example", &c, 70 * USEC_S);
	assert_int_equal(a->verdict, VERIFY_TEMPORARY);
	assert_int_equal(a->class, VERIFY_CLASS_BUSY);
	assert_int_equal(a->first_failed.us, 0); /* our own trouble: patience does not run */
	bed_close(&b);
}
FAKE_TEST(budgets)

/* The same operator says three times that we are blocked: nobody there is asked any more. */
static void breaker_trips_body(void *arg)
{
	static const struct habit blocks = {.real = "550 5.7.1 your IP is blocked", .unknown = "550 5.7.1 your IP is blocked"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	b.conf.ttl_blocked = 10 * USEC_MIN; /* so that the domain's own memory does not hide the breaker */
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &blocks);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&b, i ? (i == 1 ? "joe@shared.example" : "joe@two.example") : "joe@d.example")->verdict,
		                 VERIFY_BLOCKED);
		pass(2 * USEC_MIN);
	}
	assert_int_equal(m->sessions, 3);
	/* mx.d.example serves another domain that was never asked */
	m->habit = &truthful;
	struct verify_answer *a = ask(&b, "joe2@shared.example");
	assert_int_equal(a->verdict, VERIFY_BLOCKED);
	assert_int_equal(m->sessions, 3);
	pass(20 * USEC_MIN); /* half open: one may ask */
	assert_int_equal(ask(&b, "joe2@shared.example")->verdict, VERIFY_EXISTS);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_EXISTS);
	bed_close(&b);
}
FAKE_TEST(breaker_trips)

/* What a host says of us in its greeting holds for all domains that it serves. */
static void blocked_host_body(void *arg)
{
	static const struct habit blocks = {.greeting = "554 5.7.1 your IP is blocked"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &blocks);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_BLOCKED);
	assert_int_equal(ask(&b, "joe2@d.example")->verdict, VERIFY_BLOCKED);
	struct verify_answer *a = ask(&b, "joe@shared.example");
	assert_int_equal(a->verdict, VERIFY_BLOCKED);
	assert_string_equal(a->said, "554 5.7.1 your IP is blocked");
	assert_int_equal(m->sessions, 1);
	m->habit = &truthful;
	pass(7 * USEC_HOUR);
	assert_int_equal(ask(&b, "joe@shared.example")->verdict, VERIFY_EXISTS);
	bed_close(&b);
}
FAKE_TEST(blocked_host)

static void opt_out_body(void *arg)
{
	static const struct habit opts = {.real = "550 no callouts please"};
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &opts);
	assert_int_equal(ask(&b, "joe@d.example")->verdict, VERIFY_UNVERIFIABLE);
	assert_int_equal(ask(&b, "joe@shared.example")->verdict, VERIFY_UNVERIFIABLE);
	assert_int_equal(m->sessions, 1);
	bed_close(&b);
}
FAKE_TEST(opt_out)

/* A dead host is dialled at growing distances, whoever asks. */
static void back_off_body(void *arg)
{
	static const struct habit dead = {.greeting = "!close"};
	struct bed b = {0};
	char address[64];
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &dead);
	for (int i = 0; i < 60; i++) {
		struct evidence e = client_at("198.18.0.1");
		e.client.b[2] = (uint8_t)i;
		snprintf(address, sizeof(address), "joe%d@%s", i, i % 2 ? "d.example" : "shared.example");
		struct verify_answer *a = ask_as(&b, address, &e, 70 * USEC_S);
		if (a->verdict != VERIFY_SKIPPED)
			assert_int_equal(a->class, VERIFY_CLASS_NO_ANSWER);
		pass(USEC_MIN);
	}
	assert_true(m->sessions >= 6 && m->sessions <= 8); /* at 0, 1, 3, 8, 23, 38, 53 min */
	bed_close(&b);
}
FAKE_TEST(back_off)

/* --- call-ahead --- */

static void call_ahead_body(void *arg)
{
	struct bed b = {0};
	struct verify_answer out;
	struct err err;
	struct verify_next_hop hop = {.host = STR("next"), .port = 25};
	(void)arg;
	bed_open(&b);
	struct mail_server *m = bed_mx(&b, "10.0.0.5", &takes_all);
	assert_true(ip_parse(STR("10.0.0.5"), &hop.ip));
	struct address joe = address_of(&b, "joe@ours.example");
	assert_true(verify_recipient(b.v, &hop, &joe, &out, &err));
	assert_int_equal(out.verdict, VERIFY_EXISTS);
	assert_int_equal(m->rcpts, 1); /* no control */
	assert_true(verify_recipient(b.v, &hop, &joe, &out, &err));
	assert_true(out.is_cached);
	assert_int_equal(m->sessions, 1);
	m->habit = &truthful;
	struct address nobody = address_of(&b, "nobody@ours.example");
	assert_true(verify_recipient(b.v, &hop, &nobody, &out, &err));
	assert_int_equal(out.verdict, VERIFY_ABSENT);
	pass(6 * USEC_MIN); /* it was just made */
	m->habit = &takes_all;
	assert_true(verify_recipient(b.v, &hop, &nobody, &out, &err));
	assert_int_equal(out.verdict, VERIFY_EXISTS);
	/* down: doubt, and soon asked again */
	fake_net_fault(hop.ip, 25, FAKE_REFUSE);
	struct address third = address_of(&b, "third@ours.example");
	assert_true(verify_recipient(b.v, &hop, &third, &out, &err));
	assert_int_equal(out.verdict, VERIFY_TEMPORARY);
	fake_net_fault(hop.ip, 25, FAKE_OK);
	pass(15 * USEC_S);
	assert_true(verify_recipient(b.v, &hop, &third, &out, &err));
	assert_int_equal(out.verdict, VERIFY_EXISTS);
	bed_close(&b);
}
FAKE_TEST(call_ahead)

/* --- closing with work under way --- */

static void closing_body(void *arg)
{
	static const struct habit silent = {.real = "!silent"};
	static const char *const addresses[] = {"joe@d.example", "joe2@d.example", "joe@shared.example"};
	struct ticket *tickets[COUNT(addresses)];
	struct evidence e = client_at("198.18.0.1");
	struct bed b = {0};
	(void)arg;
	bed_open(&b);
	bed_mx(&b, "192.88.1.1", &silent);
	for (size_t i = 0; i < COUNT(tickets); i++) {
		struct address a = address_of(&b, addresses[i]);
		tickets[i] = verify_start(b.v, &a, &e);
	}
	pass(5 * USEC_S);
	verify_close(b.v);
	for (size_t i = 0; i < COUNT(tickets); i++) {
		assert_true(ticket_is_complete(tickets[i]));
		assert_int_equal(((const struct verify_answer *)ticket_result(tickets[i]))->verdict, VERIFY_TEMPORARY);
		ticket_unref(tickets[i]);
	}
	b.v = NULL;
	bed_close(&b);
}

static void closing(void **state)
{
	(void)state;
	run_fake(closing_body, NULL, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(skips),
		cmocka_unit_test(certainty),
		cmocka_unit_test(loopback),
		cmocka_unit_test(never_asked),
		cmocka_unit_test(implicit_mx),
		cmocka_unit_test(dialogue),
		cmocka_unit_test(mx_order),
		cmocka_unit_test(null_sender),
		cmocka_unit_test(utf8),
		cmocka_unit_test(thousand),
		cmocka_unit_test(thousand_grey),
		cmocka_unit_test(waiting_for_catch_all),
		cmocka_unit_test(expiry),
		cmocka_unit_test(source),
		cmocka_unit_test(several_sessions),
		cmocka_unit_test(sharing),
		cmocka_unit_test(turn),
		cmocka_unit_test(retry),
		cmocka_unit_test(greylist),
		cmocka_unit_test(greylist_catch_all),
		cmocka_unit_test(greylist_long),
		cmocka_unit_test(patience),
		cmocka_unit_test(budgets),
		cmocka_unit_test(breaker_trips),
		cmocka_unit_test(blocked_host),
		cmocka_unit_test(opt_out),
		cmocka_unit_test(back_off),
		cmocka_unit_test(call_ahead),
		cmocka_unit_test(closing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
