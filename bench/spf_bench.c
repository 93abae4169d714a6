/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evaluations of SPF and lint of records a second, on one core, with scripted DNS: the library calls alone, beside
 * libspf2 with the same records in its own scripted zone. */
#include "auth/spf_check.h"
#include "auth/spf_lint.h"

#include "base/auto.h"
#include "rounds.h"

#include <stdio.h>

#ifdef HAVE_SPF2
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <spf2/spf.h>
#include <spf2/spf_dns_zone.h>
#endif

#define SLICE_S 0.1

static const char script[] =
	"[[\"a.example\",\"TXT\",\"v=spf1 mx a:h.example include:b.example -all\"],[\"a.example\",\"MX\",[10,\"h.example\"]],"
	"[\"b.example\",\"TXT\",\"v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all\"],[\"h.example\",\"A\",\"198.51.100.1\"]]";

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "spf_bench: %s\n", what);
	exit(EXIT_FAILURE);
}

WAITS static void check_once(void *arg)
{
	struct spf_query q = {.helo = STR("m.a.example"), .from = STR("joe@a.example")};
	auto_arena struct arena arena;
	struct spf_answer answer;
	struct err err;

	arena_init(&arena, 1 << 20);
	ip_parse(STR("192.0.2.9"), &q.ip);
	must(spf_check(arg, &q, &arena, &answer, &err) && answer.result == SPF_PASS && answer.lookups == 3, "spf_check is wrong");
}

WAITS static void lint_once(void *arg)
{
	auto_arena struct arena arena;
	struct spf_lint answer;
	struct err err;

	arena_init(&arena, 1 << 20);
	must(spf_lint(arg, STR_NONE, STR("v=spf1 ip4:13.1.2.0/24 ip4:13.1.2.77/24 moo=x ?all"), &arena, &answer, &err) &&
	     answer.n_findings >= 3, "spf_lint is wrong");
}

#ifdef HAVE_SPF2
static SPF_server_t *peer_open(void)
{
	SPF_dns_server_t *zone = SPF_dns_zone_new(NULL, "zone", 0);

	must(zone != NULL, "libspf2 has no zone");
	SPF_dns_zone_add_str(zone, "a.example", ns_t_txt, 0, "v=spf1 mx a:h.example include:b.example -all");
	SPF_dns_zone_add_str(zone, "a.example", ns_t_mx, 0, "h.example");
	SPF_dns_zone_add_str(zone, "b.example", ns_t_txt, 0, "v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all");
	SPF_dns_zone_add_str(zone, "h.example", ns_t_a, 0, "198.51.100.1");
	return SPF_server_new_dns(zone, 0);
}

/* The same client, name and sender. */
WAITS static void peer_once(void *arg)
{
	SPF_request_t *request = SPF_request_new(arg);
	SPF_response_t *response = NULL;

	SPF_request_set_ipv4_str(request, "192.0.2.9");
	SPF_request_set_helo_dom(request, "m.a.example");
	SPF_request_set_env_from(request, "joe@a.example");
	SPF_request_query_mailfrom(request, &response);
	must(response && SPF_response_result(response) == SPF_RESULT_PASS, "libspf2 does not pass");
	SPF_response_free(response);
	SPF_request_free(request);
}
#endif

WAITS static double rate(WAITS void (*once)(void *arg), void *arg)
{
	double begun = rounds_cpu_s(), took;
	unsigned long n = 0;

	do {
		for (int i = 0; i < 200; i++, n++)
			once(arg);
		took = rounds_cpu_s() - begun;
	} while (took < SLICE_S);
	return (double)n / took;
}

static void print(const char *what, double values[ROUNDS])
{
	double middle = rounds_median(values);

	printf("  %-34s %9.0f (%.0f ... %.0f)\n", what, middle, values[0], values[ROUNDS - 1]);
}

WAITS static void measure(struct resolver *r)
{
	double check[ROUNDS], lint[ROUNDS];
#ifdef HAVE_SPF2
	double peer[ROUNDS], ratio[ROUNDS];
	SPF_server_t *server = peer_open();
#endif

	for (int i = 0; i < ROUNDS; i++) {
		check[i] = rate(check_once, r);
		lint[i] = rate(lint_once, r);
#ifdef HAVE_SPF2
		peer[i] = rate(peer_once, server);
		ratio[i] = check[i] / peer[i];
#endif
	}
	printf("SPF with scripted DNS, per second of processor time, medians of %d rounds\n", ROUNDS);
	print("spf_check, 3 look-ups", check);
#ifdef HAVE_SPF2
	print("libspf2, the same", peer);
	printf("  %-34s %9.1f\n", "ratio", rounds_median(ratio));
	SPF_server_free(server);
#endif
	print("spf_lint, 4 terms, 3 findings", lint);
}

WAITS static void in_fiber(void *arg)
{
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	must(r != NULL, "the script cannot be read");
	measure(r);
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

int main(void)
{
	struct rt_options options = {.stack_size = 1 << 20}; /* libspf2 takes more than our own fibers do */
	struct err err;

	return rt_run(&options, in_fiber, NULL, &err) ? EXIT_SUCCESS : EXIT_FAILURE;
}
