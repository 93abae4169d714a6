/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions and connects of one client, and that what is remembered stays bounded. */
#include "policy/client_limits.h"

#include "base/test.h"

static struct ip ip(const char *text)
{
	struct ip out = {0};
	assert_true(ip_parse(str_from(text), &out));
	return out;
}

static void counts_sessions(void **state)
{
	const struct client_limits_conf conf = {.sessions = 2};
	struct client_limits *l = client_limits_new(10);
	usec_t wait;
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), 1, &wait), CLIENT_WELCOME);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), 1, &wait), CLIENT_WELCOME);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), 1, &wait), CLIENT_HAS_TOO_MANY);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.2"), 1, &wait), CLIENT_WELCOME);
	client_limits_leave(l, ip("192.0.2.1"));
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), 1, &wait), CLIENT_WELCOME);
	client_limits_free(l);
}

static void counts_ipv6_by_network(void **state)
{
	const struct client_limits_conf conf = {.sessions = 1};
	struct client_limits *l = client_limits_new(10);
	usec_t wait;
	assert_int_equal(client_limits_enter(l, &conf, ip("2001:db8::1"), 1, &wait), CLIENT_WELCOME);
	assert_int_equal(client_limits_enter(l, &conf, ip("2001:db8::2"), 1, &wait), CLIENT_HAS_TOO_MANY);
	assert_int_equal(client_limits_enter(l, &conf, ip("2001:db8:0:1::2"), 1, &wait), CLIENT_WELCOME);
	client_limits_leave(l, ip("2001:db8::9"));
	assert_int_equal(client_limits_enter(l, &conf, ip("2001:db8::2"), 1, &wait), CLIENT_WELCOME);
	client_limits_free(l);
}

static void counts_connects_a_minute(void **state)
{
	const struct client_limits_conf conf = {.connects_per_minute = 6};
	struct client_limits *l = client_limits_new(10);
	usec_t wait = 0, now = USEC_S;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), now, &wait), CLIENT_WELCOME);
		client_limits_leave(l, ip("192.0.2.1"));
	}
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), now, &wait), CLIENT_IS_TOO_FAST);
	assert_int_equal(wait, 10 * USEC_S);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), now + wait, &wait), CLIENT_WELCOME);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.1"), now + 10 * USEC_S, &wait), CLIENT_IS_TOO_FAST);
	client_limits_free(l);
}

static void remembers_a_bounded_number(void **state)
{
	const struct client_limits_conf conf = {.sessions = 1, .connects_per_minute = 2};
	struct client_limits *l = client_limits_new(3);
	char text[32];
	usec_t wait;
	assert_int_equal(client_limits_enter(l, &conf, ip("10.0.0.1"), 1, &wait), CLIENT_WELCOME);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "192.0.2.%d", i);
		assert_int_equal(client_limits_enter(l, &conf, ip(text), 1, &wait), CLIENT_WELCOME);
		client_limits_leave(l, ip(text));
		assert_true(client_limits_count(l) <= 3);
	}
	/* The one with a session open was never forgotten, the one that came last is still known. */
	assert_int_equal(client_limits_enter(l, &conf, ip("10.0.0.1"), 1, &wait), CLIENT_HAS_TOO_MANY);
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.99"), 1, &wait), CLIENT_WELCOME);
	client_limits_leave(l, ip("192.0.2.99"));
	assert_int_equal(client_limits_enter(l, &conf, ip("192.0.2.99"), 1, &wait), CLIENT_IS_TOO_FAST);
	client_limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_sessions),
		cmocka_unit_test(counts_ipv6_by_network),
		cmocka_unit_test(counts_connects_a_minute),
		cmocka_unit_test(remembers_a_bounded_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
