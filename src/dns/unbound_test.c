/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real back end: libunbound against a small DNS server in a thread of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/answer.h"
#include "dns/dns.h"

/* --- the server: the first label of the question says what to do --- */

static int server_fd;
static unsigned server_port;
static atomic_bool is_ending;
static atomic_int queries_for_once;

static size_t put_rr(uint8_t *at, unsigned type, unsigned ttl, const void *rdata, size_t n)
{
	const uint8_t head[12] = {0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, (uint8_t)(ttl >> 8), (uint8_t)ttl,
	                          (uint8_t)(n >> 8), (uint8_t)n};
	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), rdata, n);
	return sizeof(head) + n;
}

static bool is_label(const uint8_t *query, const char *label)
{
	return query[12] == strlen(label) && strncasecmp((const char *)query + 13, label, strlen(label)) == 0;
}

/* Returns the length of the answer, 0 for none. */
static size_t answer_to(uint8_t *m, size_t n)
{
	static const uint8_t mx[] = {0, 10, 2, 'm', 'x', 0xc0, 12};
	static const uint8_t ip[] = {192, 0, 2, 7};
	static uint8_t big[400];
	size_t end = 12;

	while (end < n && m[end] != 0)
		end += 1 + (size_t)m[end];
	end += 5;
	if (n < 12 || end > n || is_label(m, "silent"))
		return 0;
	unsigned type = m[end - 3];
	m[2] = 0x81;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	if (is_label(m, "gone"))
		m[3] |= 3;
	else if (is_label(m, "fail"))
		m[3] |= 2;
	else if (is_label(m, "refused"))
		m[3] |= 5;
	else if (is_label(m, "garbage"))
		return 13;
	else if (type == DNS_MX) {
		m[7] = 1;
		end += put_rr(m + end, DNS_MX, 120, mx, sizeof(mx));
	} else if (type == DNS_TXT) {
		memset(big, 'x', sizeof(big));
		big[0] = 255;
		big[256] = 143;
		m[7] = 1;
		end += put_rr(m + end, DNS_TXT, 120, big, sizeof(big));
	} else if (type == DNS_A) {
		if (is_label(m, "once")) {
			atomic_fetch_add(&queries_for_once, 1);
			usleep(100000);
		}
		m[7] = 1;
		end += put_rr(m + end, DNS_A, 120, ip, sizeof(ip));
	}
	return end;
}

static void *serve(void *arg)
{
	struct pollfd p = {.fd = server_fd, .events = POLLIN};

	while (!atomic_load(&is_ending)) {
		uint8_t m[4096];
		struct sockaddr_in from;
		socklen_t size = sizeof(from);

		if (poll(&p, 1, 50) <= 0)
			continue;
		ssize_t n = recvfrom(server_fd, m, 2048, 0, (struct sockaddr *)&from, &size);
		size_t length = n > 0 ? answer_to(m, (size_t)n) : 0;
		if (length > 0)
			sendto(server_fd, m, length, 0, (struct sockaddr *)&from, size);
	}
	return NULL;
}

static void open_server(pthread_t *thread)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(server_fd >= 0);
	assert_int_equal(bind(server_fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(server_fd, (struct sockaddr *)&at, &size), 0);
	server_port = ntohs(at.sin_port);
	atomic_store(&is_ending, false);
	assert_int_equal(pthread_create(thread, NULL, serve, NULL), 0);
}

/* --- running --- */

static struct resolver *resolver;

struct plan {
	WAITS void (*test)(void);
	char at[64];
};

WAITS static void in_fiber(void *arg)
{
	struct plan *plan = arg;
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct dns_conf mine = conf;
	mine.resolver = str_from(plan->at);
	mine.trust_anchor = STR("none");
	mine.timeout = 1500 * USEC_MS;
	resolver = resolver_open(&mine, &err);
	if (!resolver)
		fail_msg("%s", err.text);
	plan->test();
	resolver_close(resolver);
	conf_rows_done(dns_conf_rows, &conf);
}

static void run(void (*test)(void))
{
	struct rt_options options = {.offload_threads = 1};
	struct plan plan = {.test = test};
	pthread_t thread;
	struct err err;

	open_server(&thread);
	snprintf(plan.at, sizeof(plan.at), "127.0.0.1@%u", server_port);
	if (!rt_run(&options, in_fiber, &plan, &err))
		fail_msg("%s", err.text);
	atomic_store(&is_ending, true);
	pthread_join(thread, NULL);
	close(server_fd);
}
#define FIBER_TEST(name)                                                                           \
	WAITS static void name##_fiber(void);                                                      \
	static void name(void **state)                                                             \
	{                                                                                          \
		run(name##_fiber);                                                                 \
	}                                                                                          \
	WAITS static void name##_fiber(void)

WAITS static const struct dns_answer *get(const char *name, enum dns_type type)
{
	const struct dns_answer *a;
	struct err err;

	if (!dns_lookup(resolver, str_from(name), type, &a, &err))
		fail_msg("%s", err.text);
	return a;
}

FIBER_TEST(test_outcomes)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_outcome outcome;
		const char *why;
	} cases[] = {
		{"www.example.test", DNS_A, DNS_FOUND, ""},
		{"www.example.test", DNS_AAAA, DNS_NODATA, ""},
		{"www.example.invalid", DNS_A, DNS_FOUND, ""},
		{"1.0.0.127.in-addr.arpa", DNS_A, DNS_FOUND, ""},
		{"host.10.in-addr.arpa", DNS_A, DNS_FOUND, ""},
		{"a+b=c.example.test", DNS_A, DNS_FOUND, ""},
		{"www.example.test", DNS_MX, DNS_FOUND, ""},
		{"gone.example.test", DNS_A, DNS_NXDOMAIN, ""},
		{"fail.example.test", DNS_A, DNS_TEMPORARY, "SERVFAIL"},
		{"refused.example.test", DNS_A, DNS_TEMPORARY, "SERVFAIL"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_answer *a = get(cases[i].name, cases[i].type);
		if (a->outcome != cases[i].outcome || !str_eq(a->why, str_from(cases[i].why)))
			fail_msg("%s: %s %.*s", cases[i].name, dns_outcome_name(a->outcome), STR_ARG(a->why));
		assert_false(a->is_secure);
		dns_answer_release(a);
	}
}

FIBER_TEST(test_records)
{
	const struct dns_answer *a = get("Example.TEST", DNS_MX);

	assert_int_equal(a->n, 1);
	assert_true(str_eq(a->records[0].mx.host, STR("mx.example.test")));
	assert_in_range(a->ttl, 119, 120);
	dns_answer_release(a);
	a = get("example.test", DNS_TXT);
	assert_int_equal(a->records[0].text.n, 255 + 143);
	dns_answer_release(a);
}

FIBER_TEST(test_a_silent_server_is_bounded_by_our_deadline)
{
	const struct dns_answer *a;
	usec_t begun = rt_now();

	a = get("silent.example.test", DNS_A);
	assert_int_equal(a->outcome, DNS_TEMPORARY);
	assert_true(str_starts(a->why, STR("timed out")));
	assert_in_range(rt_now() - begun, 1500 * USEC_MS, 2500 * USEC_MS);
	dns_answer_release(a);
	/* Garbage counts as silence; the resolver goes on. */
	a = get("garbage.example.test", DNS_A);
	assert_int_equal(a->outcome, DNS_TEMPORARY);
	dns_answer_release(a);
	a = get("www.example.test", DNS_A);
	assert_int_equal(a->outcome, DNS_FOUND);
	dns_answer_release(a);
}

static int seen;

WAITS static void ask_once(void *arg)
{
	const struct dns_answer *a = get("once.example.test", DNS_A);

	assert_int_equal(a->outcome, DNS_FOUND);
	dns_answer_release(a);
	seen++;
}

FIBER_TEST(test_a_hundred_askers_make_one_query)
{
	struct group g;
	struct err err;

	seen = 0;
	group_init(&g, "askers");
	for (int i = 0; i < 100; i++)
		assert_true(group_go(&g, "asker", ask_once, NULL, &err));
	assert_true(group_wait(&g, &err));
	group_done(&g);
	assert_int_equal(seen, 100);
	assert_int_equal(atomic_load(&queries_for_once), 1);
}

WAITS static void ask_many(void *arg)
{
	char name[64];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d-%d.example.test", (int)(intptr_t)arg, i);
		const struct dns_answer *a = get(name, DNS_A);
		seen += a->outcome == DNS_FOUND;
		dns_answer_release(a);
	}
}

FIBER_TEST(test_many_at_once)
{
	struct group g;
	struct err err;

	seen = 0;
	group_init(&g, "askers");
	for (intptr_t i = 0; i < 50; i++)
		assert_true(group_go(&g, "asker", ask_many, (void *)i, &err));
	assert_true(group_wait(&g, &err));
	group_done(&g);
	assert_int_equal(seen, 1000);
}

WAITS static void ask_silent(void *arg)
{
	dns_answer_release(get("silent.example.test", DNS_A));
	seen++;
}

FIBER_TEST(test_close_while_a_question_is_under_way)
{
	struct resolver *outer = resolver;
	struct dns_conf conf;
	char at[64];
	struct group g;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct dns_conf mine = conf;
	snprintf(at, sizeof(at), "127.0.0.1@%u", server_port);
	mine.resolver = str_from(at);
	mine.trust_anchor = STR("none");
	resolver = resolver_open(&mine, &err);
	assert_non_null(resolver);
	seen = 0;
	group_init(&g, "askers");
	assert_true(group_go(&g, "asker", ask_silent, NULL, &err));
	assert_true(rt_sleep(100 * USEC_MS, "test", &err));
	resolver_close(resolver);
	assert_true(group_wait(&g, &err));
	group_done(&g);
	assert_int_equal(seen, 1);
	resolver = outer;
	conf_rows_done(dns_conf_rows, &conf);
}

WAITS static void faults_in_fiber(void *arg)
{
	static const struct {
		const char *resolver, *anchor, *want;
	} cases[] = {
		{"resolver.example", "none", "is not"},     {"127.0.0.1@0", "none", "is not"},
		{"127.0.0.1@x", "none", "is not"},          {"127.0.0.1@70000", "none", "is not"},
		{"127.0.0.1", "/nonexistent", "be read"},   {"127.0.0.1 ::1@53 nonsense", "none", "is not"},
		{"127.0.0.1", "/etc/passwd", "libunbound"},
	};
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_conf wrong = conf;
		wrong.resolver = str_from(cases[i].resolver);
		wrong.trust_anchor = str_from(cases[i].anchor);
		assert_null(resolver_open(&wrong, &err));
		if (str_find(str_from(err.text), str_from(cases[i].want)) == strlen(err.text))
			fail_msg("%s: %s", cases[i].resolver, err.text);
	}
	/* Debian's key and hints, where they are installed; no question is asked. */
	struct resolver *r = resolver_open(&conf, &err);
	if (!r)
		fail_msg("%s", err.text);
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

static void test_configurations(void **state)
{
	struct rt_options options = {.offload_threads = 1};
	struct err err;

	assert_true(rt_run(&options, faults_in_fiber, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_a_silent_server_is_bounded_by_our_deadline),
		cmocka_unit_test(test_a_hundred_askers_make_one_query),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_close_while_a_question_is_under_way),
		cmocka_unit_test(test_configurations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
