/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the queue share: the queue over the fake network, with scripted next hops, a scripted DNS and a
 * spool on a simulated disk; five days pass in milliseconds. verify and history are doubles: what they are told is
 * compared.
 *
 *	WAITS static void happy(struct world *w) { server_start(&w->a, &w->servers); submit(w, "s@…", "joe@a.example"); … }
 *	static const struct scene scenes[] = {{"happy", happy}};
 *	play_scenes(scenes, COUNT(scenes));
 *
 * The doubles are defined here: one .c of a program includes this.
 */
#pragma once

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
	struct test_server a, b, c, d;
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

static inline bool was_told(const char *what)
{
	return str_find(buf_view(&told), str_from(what)) < told.n;
}

static unsigned in_doubt; /* warnings of a possible duplicate */

static inline void no_log(void *arg, enum log_level level, struct str line)
{
	in_doubt += str_find(line, STR("in_doubt")) < line.n;
	if (getenv("SHOW_LOG"))
		fprintf(stderr, "%.*s\n", STR_ARG(line));
}

/* --- the world --- */

static inline void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
	struct world *w = arg;
	w->recovered++;
	queue_add(w->queue, id, e, NULL, size);
}

WAITS static inline void world_open_queue(struct world *w)
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

WAITS static inline void world_close_queue(struct world *w, bool drains)
{
	if (drains)
		queue_drain(w->queue);
	group_done(&w->root);
	queue_close(w->queue);
	spool_close(w->spool);
}

static inline void add_route(struct world *w, struct route_conf route)
{
	if (route.concurrency == 0)
		route.concurrency = 20;
	w->routes[w->n_routes++] = route;
}

static inline void world_domains(struct world *w)
{
	struct err err;
	const struct route_conf *routes[4];
	for (size_t i = 0; i < w->n_routes; i++)
		routes[i] = &w->routes[i];
	w->domains = domains_new(routes, w->n_routes, &err);
	if (!w->domains)
		fail_msg("%s", err.text);
}

WAITS static inline void world_begin(struct world *w)
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

WAITS static inline void world_end(struct world *w)
{
	world_close_queue(w, true);
	group_done(&w->servers);
	for (struct test_server *t = &w->a; t <= &w->d; t++)
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

WAITS static inline struct spool_id submit_with(struct world *w, const char *sender, const char *rcpts, struct wishes wishes)
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

WAITS static inline struct spool_id submit(struct world *w, const char *sender, const char *rcpts)
{
	return submit_with(w, sender, rcpts, (struct wishes){0});
}

WAITS static inline void pass(usec_t duration)
{
	struct err err;
	assert_true(rt_sleep(duration, "test", &err));
}

static inline struct queue_stats stats(struct world *w)
{
	struct queue_stats s;
	queue_stats(w->queue, &s);
	return s;
}

static inline uint64_t spooled(struct world *w)
{
	struct spool_stats s;
	spool_stats(w->spool, &s);
	return s.messages;
}

static inline struct queue_item item(struct world *w, struct spool_id id)
{
	struct queue_item i = {0};
	assert_true(queue_find(w->queue, id, &i));
	return i;
}

/* --- scenes --- */

struct scene {
	const char *name;
	WAITS void (*fn)(struct world *w);
	int64_t concurrency, per_site, session_messages; /* 0: the default */
	bool has_route_to_itself;                        /* instead of the one for hop.test */
};

WAITS static inline void run_scene(void *arg)
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
	if (s->has_route_to_itself)
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

/* Each of them with several seeds; SCENE names the only one to play. */
static inline void play_scenes(const struct scene *scenes, size_t n)
{
	struct err err;
	const char *only = getenv("SCENE");
	log_open(LOG_TEXT, LOG_INFO_, no_log, NULL);
	for (size_t i = 0; i < n; i++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct rt_options o = {.is_fake = true, .seed = seed};
			if (only && strcmp(only, scenes[i].name) != 0)
				continue;
			print_message("%s, seed %d\n", scenes[i].name, (int)seed);
			random_seed(seed);
			assert_true(rt_run(&o, run_scene, (void *)&scenes[i], &err));
		}
}
