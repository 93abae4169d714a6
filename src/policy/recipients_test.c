/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recipients by route: any, a file, call-ahead to a next hop in memory; doubt is never absence. */
#include "policy/recipients.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

/* A next hop: joe exists, busy is deferred, everybody else is not there. */
static struct listener *hop;
static struct group hop_group;
static int visits;

static const char *hop_reply(struct str line)
{
	if (str_istarts(line, STR("RCPT TO:<joe@")))
		return "250 ok\r\n";
	if (str_istarts(line, STR("RCPT TO:<busy@")))
		return "451 4.3.0 later\r\n";
	if (str_istarts(line, STR("RCPT")))
		return "550 5.1.1 no such user\r\n";
	return str_istarts(line, STR("QUIT")) ? "221 bye\r\n" : "250 ok\r\n";
}

static void visit(void *arg)
{
	struct stream *s = arg;
	struct str line;
	struct err err;
	bool is_too_long;
	visits++;
	stream_write(s, STR("220 hop\r\n"));
	while (stream_read_line(s, 1000, &line, NULL, &is_too_long, &err))
		stream_write(s, str_from(hop_reply(line)));
	stream_close(s);
}

static void serve(void *arg)
{
	struct stream *s;
	struct err err;
	while ((s = listener_accept(hop, &err)))
		assert_true(group_go(&hop_group, "visit", visit, s, &err));
}

static void hop_open(void)
{
	struct conf_addr at = {.port = 2525};
	struct err err;
	assert_true(ip_parse(STR("203.0.113.9"), &at.ip));
	group_init(&hop_group, "hop");
	hop = listener_open(&at, &err);
	assert_non_null(hop);
	assert_true(group_go(&hop_group, "hop", serve, NULL, &err));
}

struct services {
	struct group root;
	struct dns_conf dns;
	struct verify_conf conf;
	struct resolver *resolver;
	struct store *store;
	struct verify *verify;
	struct tls_context *tls;
};

static void services_open(struct services *v)
{
	struct err err;
	group_init(&v->root, "services");
	conf_rows_default(dns_conf_rows, &v->dns, sizeof v->dns);
	conf_rows_default(verify_conf_rows, &v->conf, sizeof v->conf);
	v->resolver = resolver_open_script(&v->dns, STR("[[\"hop.example\",\"A\",\"203.0.113.9\"],[\"slow.example\",\"*\",\"SERVFAIL\"],"
	                                                "[\"two.example\",\"A\",\"203.0.113.8\"],[\"two.example\",\"A\",\"203.0.113.9\"]]"), &err);
	v->store = store_open(NULL, "state", &err);
	v->tls = tls_client_context(&err);
	assert_true(v->resolver && v->store && store_start(v->store, &v->root, &err));
	const struct verify_deps deps = {.resolver = v->resolver, .store = v->store, .tls = v->tls,
	                                 .host = STR("mx.here.example")};
	assert_true(verify_open(&v->conf, &deps, &v->verify, &err));
}

static void services_close(struct services *v)
{
	verify_close(v->verify);
	store_close(v->store);
	group_done(&v->root);
	resolver_close(v->resolver);
	tls_context_unref(v->tls);
	conf_rows_done(dns_conf_rows, &v->dns);
	conf_rows_done(verify_conf_rows, &v->conf);
}

static const struct route_conf routes[] = {
	{.domain = STR("any.example"), .kind = ROUTE_MX, .is_local = true, .recipients = RECIPIENTS_ANY},
	{.domain = STR("file.example"), .kind = ROUTE_MX, .is_local = true, .recipients = RECIPIENTS_FILE,
	 .recipients_file = STR("/nonexistent/file")},
	{.domain = STR("ahead.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("203.0.113.9:2525")},
	{.domain = STR("named.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("hop.example:2525")},
	{.domain = STR("lmtp.example"), .kind = ROUTE_LMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("203.0.113.9:2525")},
	{.domain = STR("down.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("203.0.113.1")},
	{.domain = STR("unnamed.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("nowhere.example")},
	{.domain = STR("slow.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("slow.example")},
	{.domain = STR("two.example"), .kind = ROUTE_SMTP, .is_local = true, .recipients = RECIPIENTS_CALL_AHEAD,
	 .next_hop = STR("two.example:2525")},
};

static const struct {
	const char *address;
	enum recipient_result result;
	enum cause_id cause;
} rows[] = {
	{"x@any.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"x@file.example", RECIPIENT_ERROR, CAUSE_DIRECTORY},
	{"Postmaster@file.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"joe@ahead.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"jane@ahead.example", RECIPIENT_ABSENT, CAUSE_NONE},
	{"busy@ahead.example", RECIPIENT_ERROR, CAUSE_RCPT_VERIFY},
	{"postmaster@ahead.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"joe@named.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"jane@named.example", RECIPIENT_ABSENT, CAUSE_NONE},
	{"joe@lmtp.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"jane@lmtp.example", RECIPIENT_ABSENT, CAUSE_NONE},
	{"joe@down.example", RECIPIENT_ERROR, CAUSE_RCPT_VERIFY},
	{"joe@unnamed.example", RECIPIENT_ERROR, CAUSE_RCPT_VERIFY},
	{"joe@slow.example", RECIPIENT_ERROR, CAUSE_RCPT_VERIFY},
	{"joe@two.example", RECIPIENT_FOUND, CAUSE_NONE},
	{"jane@two.example", RECIPIENT_ABSENT, CAUSE_NONE},
};

static void check_all(struct recipients *r)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 1 << 16};
		struct address a;
		enum recipient_result result;
		enum cause_id cause = CAUSE_NONE;
		struct str why;
		struct err err;
		assert_true(address_parse(&arena, str_from(rows[i].address), false, &a, &err));
		assert_true(recipients_check(r, &a, &arena, &result, &cause, &why, &err));
		assert_row(result == rows[i].result && cause == rows[i].cause, rows[i].address);
		assert_row(result != RECIPIENT_ERROR || why.n > 0, rows[i].address);
	}
}

static void run(void *arg)
{
	static struct services v;
	const struct route_conf *list[COUNT(routes)];
	struct err err;
	for (size_t i = 0; i < COUNT(routes); i++)
		list[i] = &routes[i];
	memset(&v, 0, sizeof v);
	hop_open();
	services_open(&v);
	struct domains *domains = domains_new(list, COUNT(routes), &err);
	assert_non_null(domains);
	struct recipients *r = recipients_open(domains, v.verify, v.resolver, &err);
	check_all(r);
	int before = visits;
	assert_true(rt_sleep(USEC_S, "test", &err));
	check_all(r); /* what was found is remembered */
	assert_true(visits <= before + 1); /* but for the one that was deferred */
	recipients_close(r);
	domains_free(domains);
	services_close(&v);
	group_done(&hop_group);
	listener_close(hop);
}

static void test_sources(void **state)
{
	const struct rt_options fake = {.is_fake = true, .seed = 1};
	struct err err;
	assert_true(rt_run(&fake, run, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
