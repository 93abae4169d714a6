/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue over the fake network, with scripted next hops, a scripted DNS and a spool on a simulated disk; five days
 * pass in milliseconds. verify and history are doubles: what they are told is compared.
 */
#include "queue/queue.h"

#include "base/log.h"
#include "base/random.h"
#include "client/test_server.h"
#include "spool/io_sim.h"

#include <unistd.h>

#define A_IP "20.0.0.1"
#define B_IP "20.0.0.2"
#define C_IP "20.0.0.3"

static const char zone[] =
        "[[\"a.example\",\"MX\",[10,\"mx.a.example\"]],[\"mx.a.example\",\"A\",\"20.0.0.1\"],"
        "[\"a2.example\",\"MX\",[10,\"mx.a.example\"]],"
        "[\"b.example\",\"MX\",[10,\"mx.b.example\"]],[\"mx.b.example\",\"A\",\"20.0.0.2\"],"
        "[\"two.example\",\"MX\",[10,\"mx.a.example\"]],[\"two.example\",\"MX\",[20,\"mx.b.example\"]],"
        "[\"sender.example\",\"MX\",[10,\"mx.sender.example\"]],[\"mx.sender.example\",\"A\",\"20.0.0.3\"],"
        "[\"null.example\",\"MX\",[0,\".\"]],"
        "[\"ours.example\",\"MX\",[10,\"gate.example\"]],[\"gate.example\",\"A\",\"20.0.0.99\"],"
        "[\"loopback.example\",\"MX\",[10,\"lo.example\"]],[\"lo.example\",\"A\",\"127.0.0.1\"],"
        "[\"dnsdead.example\",\"MX\",\"SERVFAIL\"],"
        "[\"hop.example\",\"A\",\"20.0.0.2\"]]";

struct world {
	struct sim *sim;
	struct spool_conf spool_conf;
	struct spool *spool;
	struct resolver *resolver;
	struct dns_conf dns_conf;
	struct route_conf routes[4];
	size_t n_routes;
	struct domains *domains;
	struct queue_conf conf;
	struct queue *queue;
	struct group root, servers;
	struct ip_set own;
	struct test_server a, b, c;
	struct arena arena;
	char *maildir;
	unsigned recovered;
};

/* --- doubles --- */

static struct buf learned, told;

void verify_learn_exists(struct verify *v, struct str address_key)
{
	buf_str(&learned, address_key);
	buf_char(&learned, ' ');
}

void history_put(struct history *h, const struct trail *t)
{
	buf_clear(&told);
	trail_encode(t, &told);
}

bool history_find(struct history *h, enum history_by by, struct str what, size_t limit, struct arena *arena, struct str **found,
                  size_t *n, struct err *err)
{
	*found = arena_new(arena, struct str);
	**found = arena_str(arena, buf_view(&told));
	*n = told.n && str_find(buf_view(&told), what) < told.n;
	return true;
}

static bool was_told(const char *what)
{
	return str_find(buf_view(&told), str_from(what)) < told.n;
}

static unsigned in_doubt; /* warnings of a possible duplicate */

static void no_log(void *arg, enum log_level level, struct str line)
{
	in_doubt += str_find(line, STR("in_doubt")) < line.n;
	if (getenv("SHOW_LOG"))
		fprintf(stderr, "%.*s\n", STR_ARG(line));
}

/* --- the world --- */

static void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
	struct world *w = arg;
	w->recovered++;
	queue_add(w->queue, id, e, NULL, size);
}

static void world_open_queue(struct world *w)
{
	struct err err;
	struct queue_deps deps = {.resolver = w->resolver, .history = (struct history *)w, .domains = w->domains,
		.verify = (struct verify *)w, .root = &w->root, .host = STR("gate.example"), .own_addresses = w->own};
	group_init(&w->root, "root");
	/* The spool is opened with the queue there to take what it recovers; the queue needs to know the spool. */
	assert_true(queue_open(&w->conf, &deps, &w->queue, &err));
	if (!spool_open(&w->spool_conf, sim_io(w->sim), &w->root, on_recovered, w, &w->spool, &err))
		fail_msg("%s", err.text);
	queue_set_spool(w->queue, w->spool);
	assert_true(queue_start(w->queue, &err));
}

static void world_close_queue(struct world *w, bool drains)
{
	if (drains)
		queue_drain(w->queue);
	group_done(&w->root);
	queue_close(w->queue);
	spool_close(w->spool);
}

static void add_route(struct world *w, struct route_conf route)
{
	if (route.concurrency == 0)
		route.concurrency = 20;
	w->routes[w->n_routes++] = route;
}

static void world_domains(struct world *w)
{
	struct err err;
	const struct route_conf *routes[4];
	for (size_t i = 0; i < w->n_routes; i++)
		routes[i] = &w->routes[i];
	w->domains = domains_new(routes, w->n_routes, &err);
	if (!w->domains)
		fail_msg("%s", err.text);
}

static void world_begin(struct world *w)
{
	struct err err;
	group_init(&w->servers, "servers");
	assert_true(ip_set_add(&w->own, STR("20.0.0.99"), &err));
	arena_init(&w->arena, SIZE_MAX);
	buf_init(&learned, 1 << 20);
	buf_init(&told, 1 << 20);
	w->sim = sim_new(5);
	w->spool_conf = (struct spool_conf){.directory = STR("/spool"), .segment_size = 1 << 20, .inline_max = 65536,
		.inodes_min = 10, .reserve = 65536, .batch_max = 64};
	conf_rows_default(dns_conf_rows, &w->dns_conf, sizeof(w->dns_conf));
	w->resolver = resolver_open_script(&w->dns_conf, str_from(zone), &err);
	assert_non_null(w->resolver);
	w->a.ip = A_IP;
	w->b.ip = B_IP;
	w->c.ip = C_IP;
	world_domains(w);
	world_open_queue(w);
}

static void world_end(struct world *w)
{
	world_close_queue(w, true);
	group_done(&w->servers);
	for (struct test_server *t = &w->a; t <= &w->c; t++)
		if (t->listener)
			server_stop(t);
	domains_free(w->domains);
	ip_set_done(&w->own);
	resolver_close(w->resolver);
	conf_rows_done(dns_conf_rows, &w->dns_conf);
	conf_rows_done(queue_conf_rows, &w->conf);
	arena_done(&w->arena);
	buf_done(&learned);
	buf_done(&told);
	sim_free(w->sim);
}

struct wishes {
	unsigned notify;
	struct str orcpt;
	size_t size;
	bool on_hold;
};

static struct spool_id submit_with(struct world *w, const char *sender, const char *rcpts, struct wishes wishes)
{
	struct err err;
	struct spool_rcpt list[40] = {0};
	struct spool_envelope e = {.sender = str_from(sender), .accepted = rt_wall(), .rcpts = list, .is_on_hold = wishes.on_hold};
	struct str rest = str_from(rcpts), word;
	struct trail t;
	auto_buf struct buf json;
	auto_arena struct arena arena = {.max = 65536};
	buf_init(&json, 65536);
	while (str_next_word(&rest, &word))
		list[e.n_rcpts++] = (struct spool_rcpt){.address = word, .notify = (uint8_t)wishes.notify, .orcpt = wishes.orcpt};
	struct spool_id id = spool_next_id(w->spool);
	char text[SPOOL_ID_MAX];
	trail_init(&t, &arena, rt_wall());
	t.ref = spool_id_text(id, text);
	t.sender = e.sender;
	trail_note(&t, rt_wall(), 0, "connect", "ok", CAUSE_NONE, STR_NONE, "hello");
	trail_encode(&t, &json);
	e.trail = buf_view(&json);
	struct spool_body *body = spool_body_new(w->spool);
	assert_true(spool_body_write(body, STR("Subject: test\r\n\r\nbody\r\n"), &err));
	for (size_t n = 0; n < wishes.size; n += 50)
		assert_true(spool_body_write(body, STR("0123456789012345678901234567890123456789012345678\r\n"), &err));
	uint64_t size = spool_body_size(body);
	assert_true(spool_accept(w->spool, id, &e, STR_NONE, NULL, 0, body, &err));
	queue_add(w->queue, id, &e, NULL, size);
	return id;
}

static struct spool_id submit(struct world *w, const char *sender, const char *rcpts)
{
	return submit_with(w, sender, rcpts, (struct wishes){0});
}

static void pass(usec_t duration)
{
	struct err err;
	assert_true(rt_sleep(duration, "test", &err));
}

static struct queue_stats stats(struct world *w)
{
	struct queue_stats s;
	queue_stats(w->queue, &s);
	return s;
}

static uint64_t spooled(struct world *w)
{
	struct spool_stats s;
	spool_stats(w->spool, &s);
	return s.messages;
}

static struct queue_item item(struct world *w, struct spool_id id)
{
	struct queue_item i = {0};
	assert_true(queue_find(w->queue, id, &i));
	return i;
}

/* --- delivery --- */

static void happy(struct world *w)
{
	w->a.offers = "PIPELINING CHUNKING SIZE";
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "Joe@a.example ann@a2.example");
	pass(USEC_S);
	/* Two domains with one MX set are one site, but each domain is asked for in its own turn. */
	assert_int_equal(stats(w).delivered, 2);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).messages, 0);
	assert_true(server_heard(&w->a, "RCPT TO:<Joe@a.example>"));
	assert_str(buf_view(&w->a.message), "Subject: test\r\n\r\nbody\r\n");
	assert_true(str_find(buf_view(&learned), STR("Joe@a.example ")) < learned.n);
	assert_true(was_told("\"connect\"") && was_told("delivered") && was_told("ann@a2.example") && was_told("Joe@a.example"));
}

static void large(struct world *w)
{
	w->a.offers = "PIPELINING CHUNKING SIZE";
	server_start(&w->a, &w->servers);
	submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.size = 500000});
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 1);
	assert_int_equal(w->a.message.n, 500000 / 50 * 51 + 23);
}

static void reuses(struct world *w)
{
	w->a.offers = "PIPELINING";
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 10; i++) {
		submit(w, "s@sender.example", "joe@a.example");
		pass(USEC_S);
	}
	assert_int_equal(w->a.messages, 10);
	assert_int_equal(w->a.sessions, 1);
	pass(3 * USEC_S); /* session_idle */
	assert_int_equal(w->a.open, 0);
	assert_int_equal(server_count(&w->a, "QUIT"), 1);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 2);
}

static void limits(struct world *w)
{
	w->a.delay = USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 60; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	assert_int_equal(w->a.open, 4);
	pass(60 * USEC_S);
	assert_int_equal(w->a.messages, 60);
	assert_int_equal(w->a.most_open, 4);
	/* session_messages = 5 */
	assert_true(w->a.sessions >= 12);
}

static void limits_in_all(struct world *w)
{
	w->a.delay = w->b.delay = USEC_S;
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@a.example");
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@b.example");
	pass(25 * USEC_S);
	assert_true(w->a.messages >= 10 && w->b.messages >= 10); /* in turns */
	pass(45 * USEC_S);
	assert_int_equal(w->a.messages, 30);
	assert_int_equal(w->b.messages, 30);
	assert_int_equal(w->a.most_open, 1);
	assert_int_equal(w->b.most_open, 1);
}

static void retries(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.7.1 greylisted, come back", 3};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct queue_item i = item(w, id);
	assert_int_equal(i.attempts, 1);
	assert_str(i.last_reply, "mx.a.example: 451 4.7.1 greylisted, come back");
	assert_str(i.site, "mx.a.example");
	usec_t until = wall_diff(i.next_attempt, rt_wall());
	assert_true(until > 4 * USEC_MIN && until < 6 * USEC_MIN);
	pass(6 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 2);
	pass(7 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 2);
	pass(5 * USEC_MIN);
	assert_int_equal(item(w, id).attempts, 3);
	pass(25 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
	assert_true(was_told("greylist") && was_told("\"connect\"") && was_told("\"delivered\""));
}

static void expires(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 never"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(3 * USEC_HOUR);
	assert_int_equal(w->c.messages, 0);
	pass(8 * USEC_HOUR);
	assert_int_equal(w->c.messages, 1); /* the delay notice */
	assert_true(str_find(buf_view(&w->c.message), STR("Action: delayed")) < w->c.message.n);
	pass(4 * USEC_DAY);
	assert_int_equal(w->c.messages, 1);
	assert_true(item(w, id).attempts > 20);
	pass(USEC_DAY);
	assert_int_equal(w->c.messages, 2);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Action: failed")) < report.n);
	assert_true(str_find(report, STR("Status: 4.4.7")) < report.n);
	assert_true(str_find(report, STR("451 4.3.0 never")) < report.n);
	assert_true(server_heard(&w->c, "MAIL FROM:<>\nRCPT TO:<s@sender.example>"));
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).dsns, 2);
}

static void bounces(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<joe", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	submit(w, "s@sender.example", "joe@a.example ann@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(w->c.messages, 1);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("joe@a.example")) < report.n);
	assert_true(str_find(report, STR("Status: 5.1.1")) < report.n);
	assert_true(str_find(report, STR("Subject: test")) < report.n);
	assert_true(str_find(report, STR("ann@a.example")) == report.n);
	assert_int_equal(spooled(w), 0);
}

/* Each of these fails for good, and nobody may be told. */
static void keeps(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id null = submit(w, "", "joe@a.example");
	struct spool_id never = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_NEVER});
	struct spool_id delay = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_DELAY});
	struct spool_id gone = submit(w, "s@missing.example", "joe@a.example");
	pass(USEC_S);
	struct spool_id ids[] = {null, never, delay, gone};
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_true(item(w, ids[i]).has_kept);
		assert_int_equal(item(w, ids[i]).rcpts_open, 0);
	}
	assert_int_equal(w->c.messages, 0);
	assert_int_equal(stats(w).kept, 4);
	assert_int_equal(spooled(w), 4);
	struct err err;
	/* Mended on the other side: the operator has it tried once more, and it goes. */
	w->a.rules[0] = (struct rule){0};
	assert_true(queue_retry(w->queue, never, &err));
	assert_int_equal(item(w, never).rcpts_open, 1);
	assert_false(item(w, never).has_kept);
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 3);
	/* Not mended: kept as before. */
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	assert_true(queue_retry(w->queue, delay, &err));
	pass(USEC_S);
	assert_true(item(w, delay).has_kept);
	assert_int_equal(spooled(w), 3);
	assert_true(queue_remove(w->queue, null, &err));
	assert_int_equal(spooled(w), 2);
	pass(36 * USEC_DAY);
	assert_int_equal(spooled(w), 0); /* keep_failed */
}

static void mixed_lmtp(struct world *w)
{
	w->b.is_lmtp = true;
	w->b.port = 24;
	w->b.offers = "PIPELINING";
	w->b.rules[0] = (struct rule){".", "250 2.0.0 kept", 1};
	w->b.rules[1] = (struct rule){".", "452 4.2.2 full", 1};
	w->b.rules[2] = (struct rule){".", "550 5.2.1 disabled", 1};
	server_start(&w->b, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "x@local.example y@local.example z@local.example");
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 2); /* one of them the report */
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(item(w, id).rcpts_open, 1);
	pass(USEC_HOUR);
	assert_int_equal(item(w, id).rcpts_open, 1); /* a full mailbox is left alone for hours */
	pass(5 * USEC_HOUR);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(server_count(&w->b, "RCPT TO:<x@"), 1);
	assert_int_equal(server_count(&w->b, "RCPT TO:<y@"), 2);
	assert_true(server_heard(&w->b, "LHLO gate.example"));
}

static void fails_over(struct world *w)
{
	server_start(&w->b, &w->servers); /* mx.a is down */
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->b.messages, 1);
	/* Now it refuses at the door. */
	w->a.rules[0] = (struct rule){"", "421 4.3.2 busy"};
	server_start(&w->a, &w->servers);
	pass(10 * USEC_MIN);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(w->b.messages, 2);
	/* Refused lately: not asked again at once. */
	pass(5 * USEC_S);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(w->b.messages, 3);
}

static void refused_at_the_door(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "554 5.7.1 we do not want you"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(spooled(w), 0);
}

static void dead_site(struct world *w)
{
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	/* One or a few asked, all others were spared the question. */
	assert_true(stats(w).deferred <= 20);
	assert_int_equal(stats(w).messages, 50);
	server_start(&w->a, &w->servers);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 50);
	assert_int_equal(spooled(w), 0);
}

/* A door that stays shut is knocked at by one for all. */
static void shut_door(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "421 4.3.2 closed"};
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	unsigned first = w->a.sessions;
	assert_true(first <= 20);
	pass(30 * USEC_MIN);
	assert_true(w->a.sessions > first + 2 && w->a.sessions <= first + 8);
	assert_int_equal(stats(w).messages, 50);
	struct err err;
	unsigned before = w->a.sessions;
	assert_true(queue_retry(w->queue, (struct spool_id){0}, &err));
	pass(USEC_S);
	assert_int_equal(w->a.sessions, before + 1);
}

/* Nobody answers for five days: dialled now and then, and the senders hear of it all the same. */
static void expires_at_dead_site(struct world *w)
{
	server_start(&w->c, &w->servers);
	for (int i = 0; i < 10; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(10 * USEC_HOUR);
	assert_int_equal(w->c.messages, 10);
	pass(6 * USEC_DAY);
	assert_int_equal(w->c.messages, 20);
	assert_int_equal(spooled(w), 0);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Status: 4.4.7")) < report.n);
	assert_true(str_find(report, STR("refused")) < report.n);
}

/* A site that takes two sessions and no more is used with two. */
static void takes_few_sessions(struct world *w)
{
	w->a.rules[0] = (struct rule){"", "220 hello", 2};
	w->a.rules[1] = (struct rule){"", "421 4.7.0 too many connections"};
	w->a.delay = USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 30; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(50 * USEC_S);
	assert_int_equal(w->a.messages, 30);
	assert_int_equal(stats(w).deferred, 0);
}

static void lost_behind_dot(struct world *w)
{
	w->a.rules[0] = (struct rule){".", "!close", 1};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct str reply = item(w, id).last_reply;
	assert_true(str_find(reply, STR("a duplicate is possible")) < reply.n);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
}

/* A server may hang up on an idle session whenever it likes; that costs nobody a deferral. */
static void reused_session_is_gone(struct world *w)
{
	w->a.rules[0] = (struct rule){"MAIL", "250 ok", 1};
	w->a.rules[1] = (struct rule){"MAIL", "!close", 1};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	submit(w, "s@sender.example", "joe@two.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	assert_int_equal(w->b.sessions, 0); /* nor does it make the host a bad one */
	assert_int_equal(w->a.sessions, 2);
	assert_int_equal(stats(w).deferred, 0);
}

static void tls_is_broken(struct world *w)
{
	w->a.offers = "STARTTLS";
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(w->a.tls_sessions, 0);
}

static void told_421(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<b", "421 4.7.0 enough", 1};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "a@a.example b@a.example c@a.example");
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 3);
	pass(20 * USEC_MIN);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
}

static void too_many_recipients(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<c", "452 4.5.3 too many recipients", 1};
	w->a.rules[1] = (struct rule){"RCPT TO:<d", "552 too many recipients", 1};
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "a@a.example b@a.example c@a.example d@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	assert_int_equal(w->a.sessions, 1);
	assert_int_equal(spooled(w), 0);
}

/* --- domains that lead nowhere --- */

static const struct {
	const char *rcpt, *status, *words;
} nowhere[] = {
	{"x@null.example", "Status: 5.1.10", "null MX"},
	{"x@missing.example", "Status: 5.1.2", "does not exist"},
	{"x@ours.example", "Status: 5.4.6", "come back to this host"},
	{"x@loopback.example", "Status: 5.4.4", "never dialled"},
	{"x@[127.0.0.1]", "Status: 5.4.4", "never dialled"},
	{"x@self.example", "Status: 5.4.6", "come back to this host"},
};

static void leads_nowhere(struct world *w)
{
	server_start(&w->c, &w->servers);
	for (size_t i = 0; i < COUNT(nowhere); i++) {
		submit(w, "s@sender.example", nowhere[i].rcpt);
		pass(USEC_S);
		struct str report = buf_view(&w->c.message);
		assert_row(w->c.messages == i + 1, nowhere[i].rcpt);
		if (str_find(report, str_from(nowhere[i].status)) == report.n || str_find(report, str_from(nowhere[i].words)) == report.n)
			fail_msg("%s: %.*s", nowhere[i].rcpt, STR_ARG(report));
	}
	struct spool_id id = submit(w, "s@sender.example", "x@dnsdead.example");
	pass(USEC_MIN);
	struct queue_item i = item(w, id);
	assert_int_equal(i.attempts, 1);
	assert_true(str_find(i.last_reply, STR("SERVFAIL")) < i.last_reply.n);
}

/* --- several sites, routes --- */

static void several_sites(struct world *w)
{
	w->b.rules[0] = (struct rule){"RCPT TO:<2", "451 4.3.0 later", 1};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "1@a.example 2@b.example 3@a2.example 4@hop.test");
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 1);
	assert_true(server_heard(&w->b, "RCPT TO:<4@hop.test>"));
	pass(20 * USEC_MIN);
	assert_int_equal(spooled(w), 0);
	assert_int_equal(server_count(&w->b, "RCPT TO:<2@b.example>"), 2);
}

static void into_maildir(struct world *w)
{
	char path[300];
	submit(w, "s@sender.example", "joe@maildir.example");
	pass(USEC_S);
	assert_int_equal(stats(w).delivered, 1);
	assert_int_equal(spooled(w), 0);
	snprintf(path, sizeof(path), "cat %s/maildir.example/joe/Maildir/new/* | grep -q '^Return-Path: <s@sender.example>'", w->maildir);
	assert_int_equal(system(path), 0);
}

static WAITS void submit_one(void *arg)
{
	submit(arg, "s@sender.example", "joe@maildir.example");
}

/* A session that is started for a message, and finds that another one has taken it, is free for the next: no message
 * waits until it goes. */
static void into_maildir_together(struct world *w)
{
	struct err err;
	uint64_t submitted = 0;
	for (int round = 0; round < 200; round++) {
		struct group senders;
		group_init(&senders, "senders");
		for (uint64_t n = 1 + random_below(8); n > 0; n--, submitted++) {
			assert_true(group_go(&senders, "sender", submit_one, w, &err));
			if (random_below(3) == 0)
				assert_true(rt_yield(&err));
		}
		assert_true(group_wait(&senders, &err));
		group_done(&senders);
		pass(100 * USEC_MS); /* much less than session_idle */
		assert_int_equal(stats(w).delivered, submitted);
	}
}

static void tells_of_success(struct world *w)
{
	server_start(&w->a, &w->servers);
	w->b.offers = "DSN";
	server_start(&w->b, &w->servers);
	server_start(&w->c, &w->servers);
	submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.notify = SMTP_NOTIFY_SUCCESS, .orcpt = STR("rfc822;J@a.example")});
	pass(USEC_S);
	assert_int_equal(w->c.messages, 1);
	struct str report = buf_view(&w->c.message);
	assert_true(str_find(report, STR("Action: relayed")) < report.n);
	submit_with(w, "s@sender.example", "joe@b.example", (struct wishes){.notify = SMTP_NOTIFY_SUCCESS});
	pass(USEC_S);
	assert_int_equal(w->b.messages, 1);
	assert_true(server_heard(&w->b, "NOTIFY=SUCCESS"));
	assert_int_equal(w->c.messages, 1); /* the next hop tells */
}

/* --- the operator --- */

static void operates(struct world *w)
{
	struct err err;
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 later", 1};
	server_start(&w->a, &w->servers);
	struct spool_id held = submit_with(w, "s@sender.example", "h@a.example", (struct wishes){.on_hold = true});
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_int_equal(w->a.messages, 0);
	assert_true(item(w, held).is_on_hold);
	assert_int_equal(stats(w).on_hold, 1);
	assert_true(queue_retry(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_false(queue_retry(w->queue, id, &err));
	assert_false(queue_retry(w->queue, held, &err));
	assert_true(queue_release(w->queue, held, &err));
	assert_false(queue_release(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(w->a.messages, 2);
	/* Held before its second attempt; removed. */
	w->a.rules[0].times = 0;
	id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_true(queue_hold(w->queue, id, STR("looks odd"), &err));
	pass(USEC_DAY);
	assert_int_equal(item(w, id).attempts, 1);
	assert_true(queue_remove(w->queue, id, &err));
	assert_false(queue_remove(w->queue, id, &err));
	assert_int_equal(spooled(w), 0);
	assert_int_equal(stats(w).messages, 0);
	/* All at once. */
	for (int i = 0; i < 5; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	w->a.rules[0] = (struct rule){"none", ""};
	assert_true(queue_retry(w->queue, (struct spool_id){0}, &err));
	pass(USEC_S);
	assert_int_equal(spooled(w), 0);
}

static void removes_what_is_under_way(struct world *w)
{
	struct err err;
	w->a.delay = 5 * USEC_S;
	w->a.rules[0] = (struct rule){".", "451 4.3.0 hm"};
	server_start(&w->a, &w->servers);
	struct spool_id id = submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	assert_true(item(w, id).is_active);
	assert_true(queue_remove(w->queue, id, &err));
	assert_int_equal(spooled(w), 0);
	pass(USEC_HOUR);
	assert_int_equal(server_count(&w->a, "RCPT"), 1);
}

/* --- restarts --- */

static void recovers(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT TO:<later", "451 4.7.1 later"};
	w->a.rules[1] = (struct rule){"RCPT TO:<gone", "550 5.1.1 no"};
	w->a.rules[2] = (struct rule){"RCPT TO:<slow", "!silent", 1};
	server_start(&w->a, &w->servers);
	struct spool_id later = submit(w, "s@sender.example", "later@a.example ok@a.example");
	struct spool_id kept = submit(w, "", "gone@a.example");
	struct spool_id held = submit_with(w, "s@sender.example", "h@a.example", (struct wishes){.on_hold = true});
	struct spool_id slow = submit(w, "s@sender.example", "slow@a.example");
	pass(USEC_MIN);
	struct wall next = item(w, later).next_attempt;
	assert_true(item(w, slow).is_active);
	world_close_queue(w, false);
	w->recovered = 0;
	world_open_queue(w);
	assert_int_equal(w->recovered, 4);
	assert_int_equal(item(w, later).rcpts_open, 1);
	assert_int_equal(item(w, later).attempts, 1);
	struct str reply = item(w, later).last_reply;
	assert_true(str_find(reply, STR("451 4.7.1 later")) < reply.n);
	usec_t moved = wall_diff(item(w, later).next_attempt, next);
	assert_true(moved < USEC_S && moved > -USEC_S);
	assert_true(item(w, kept).has_kept);
	assert_true(item(w, held).is_on_hold);
	pass(10 * USEC_S);
	struct queue_item none;
	assert_false(queue_find(w->queue, slow, &none)); /* sent at once */
	w->a.rules[0] = (struct rule){"none", ""};
	pass(20 * USEC_MIN);
	assert_int_equal(spooled(w), 2);
	assert_int_equal(server_count(&w->a, "RCPT TO:<ok@"), 1);
	assert_int_equal(server_count(&w->a, "RCPT TO:<later@"), 2);
}

/* Killed between the final dot and its answer: sent again, and said so. */
static void recovers_in_doubt(struct world *w)
{
	w->a.rules[0] = (struct rule){".", "!silent", 1};
	server_start(&w->a, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	in_doubt = 0;
	world_close_queue(w, false);
	world_open_queue(w);
	assert_int_equal(in_doubt, 1);
	pass(5 * USEC_S);
	assert_int_equal(w->a.messages, 1);
	assert_int_equal(spooled(w), 0);
	/* Killed before the dot: no doubt. */
	w->a.rules[0] = (struct rule){"DATA", "!silent", 1};
	submit(w, "s@sender.example", "joe@a.example");
	pass(5 * USEC_S);
	world_close_queue(w, false);
	world_open_queue(w);
	assert_int_equal(in_doubt, 1);
	pass(5 * USEC_S);
	assert_int_equal(w->a.messages, 2);
}

static void drains(struct world *w)
{
	w->a.delay = 3 * USEC_S;
	server_start(&w->a, &w->servers);
	for (int i = 0; i < 50; i++)
		submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	usec_t before = rt_now();
	world_close_queue(w, true);
	assert_true(rt_now() - before < 10 * USEC_S);
	unsigned sent = w->a.messages;
	assert_true(sent > 0 && sent < 50);
	w->recovered = 0;
	world_open_queue(w);
	assert_int_equal(w->recovered, 50 - sent);
	pass(USEC_MIN);
	assert_int_equal(w->a.messages, 50);
}

/* A new configuration sends what is queued another way. */
static void reconfigures(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "451 4.3.0 later"};
	server_start(&w->a, &w->servers);
	server_start(&w->b, &w->servers);
	submit(w, "s@sender.example", "joe@a.example");
	pass(USEC_S);
	struct domains *old = w->domains;
	add_route(w, (struct route_conf){.domain = STR("a.example"), .kind = ROUTE_SMTP, .next_hop = STR("[20.0.0.2]:25")});
	world_domains(w);
	queue_reconfigure(w->queue, &w->conf, w->domains);
	domains_free(old);
	submit(w, "s@sender.example", "ann@a.example");
	pass(USEC_S);
	assert_true(server_heard(&w->b, "RCPT TO:<ann@a.example>"));
	pass(20 * USEC_MIN);
	assert_int_equal(w->b.messages, 2);
	assert_int_equal(spooled(w), 0);
}

/* The disk is full when a report should be written: nothing is final, nothing is lost. */
static void no_room_for_report(struct world *w)
{
	w->a.rules[0] = (struct rule){"RCPT", "550 5.1.1 no such user"};
	server_start(&w->a, &w->servers);
	server_start(&w->c, &w->servers);
	struct spool_id id = submit_with(w, "s@sender.example", "joe@a.example", (struct wishes){.on_hold = true});
	struct err err;
	sim_fault(w->sim, SIM_WRITE, 1, 1000000, 28);
	assert_true(queue_release(w->queue, id, &err));
	pass(USEC_S);
	assert_int_equal(item(w, id).rcpts_open, 1);
	assert_int_equal(w->c.messages, 0);
	sim_fault_clear(w->sim);
	pass(30 * USEC_MIN);
	assert_int_equal(w->c.messages, 1);
	assert_int_equal(spooled(w), 0);
}

/* --- running them --- */

struct scene {
	const char *name;
	void (*fn)(struct world *w);
	int64_t concurrency, per_site, session_messages;
};
static const struct scene scenes[] = {
	{"happy", happy}, {"large", large}, {"reuses", reuses}, {"limits", limits, .per_site = 4, .session_messages = 5},
	{"limits_in_all", limits_in_all, .concurrency = 1}, {"retries", retries}, {"expires", expires}, {"bounces", bounces},
	{"keeps", keeps}, {"mixed_lmtp", mixed_lmtp}, {"fails_over", fails_over}, {"refused_at_the_door", refused_at_the_door},
	{"dead_site", dead_site}, {"shut_door", shut_door}, {"expires_at_dead_site", expires_at_dead_site}, {"recovers_in_doubt", recovers_in_doubt}, {"takes_few_sessions", takes_few_sessions}, {"lost_behind_dot", lost_behind_dot},
	{"reused_session_is_gone", reused_session_is_gone}, {"tls_is_broken", tls_is_broken}, {"told_421", told_421},
	{"too_many_recipients", too_many_recipients}, {"leads_nowhere", leads_nowhere}, {"several_sites", several_sites},
	{"into_maildir", into_maildir}, {"into_maildir_together", into_maildir_together}, {"tells_of_success", tells_of_success}, {"operates", operates},
	{"removes_what_is_under_way", removes_what_is_under_way}, {"recovers", recovers}, {"drains", drains},
	{"reconfigures", reconfigures}, {"no_room_for_report", no_room_for_report},
};

static void run_scene(void *arg)
{
	const struct scene *s = arg;
	char maildir[] = "/tmp/queue-test-XXXXXX", command[100];
	struct world *w = mem_new(struct world);
	assert_non_null(mkdtemp(maildir));
	w->maildir = maildir;
	conf_rows_default(queue_conf_rows, &w->conf, sizeof(w->conf));
	w->conf.concurrency = s->concurrency ? s->concurrency : w->conf.concurrency;
	w->conf.per_site = s->per_site ? s->per_site : w->conf.per_site;
	w->conf.session_messages = s->session_messages ? s->session_messages : w->conf.session_messages;
	add_route(w, (struct route_conf){.domain = STR("local.example"), .kind = ROUTE_LMTP, .next_hop = STR("20.0.0.2:24"),
		.recipients = RECIPIENTS_ANY, .is_local = true});
	add_route(w, (struct route_conf){.domain = STR("maildir.example"), .kind = ROUTE_MAILDIR, .maildir = str_from(maildir),
		.recipients = RECIPIENTS_ANY, .is_local = true});
	if (s->fn == leads_nowhere)
		add_route(w, (struct route_conf){.domain = STR("self.example"), .kind = ROUTE_SMTP, .next_hop = STR("20.0.0.99")});
	else
		add_route(w, (struct route_conf){.domain = STR("hop.test"), .kind = ROUTE_SMTP, .next_hop = STR("hop.example:25")});
	world_begin(w);
	s->fn(w);
	world_end(w);
	snprintf(command, sizeof(command), "rm -r %s", maildir);
	assert_int_equal(system(command), 0);
	free(w);
}

static void plays(void **state)
{
	struct err err;
	const char *only = getenv("SCENE");
	log_open(LOG_TEXT, LOG_INFO_, no_log, NULL);
	for (size_t i = 0; i < COUNT(scenes); i++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct rt_options o = {.is_fake = true, .seed = seed};
			if (only && strcmp(only, scenes[i].name) != 0)
				continue;
			print_message("%s, seed %d\n", scenes[i].name, (int)seed);
			random_seed(seed);
			assert_true(rt_run(&o, run_scene, (void *)&scenes[i], &err));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(plays)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
