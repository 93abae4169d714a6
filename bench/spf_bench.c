/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evaluations of SPF and lint of records a second, on one core, with scripted DNS: the library calls alone. */
#include "auth/spf_check.h"
#include "auth/spf_lint.h"

#include "base/auto.h"

#include <stdio.h>
#include <time.h>

#define SECONDS 2.0

static const char script[] =
	"[[\"a.example\",\"TXT\",\"v=spf1 mx a:h.example include:b.example -all\"],[\"a.example\",\"MX\",[10,\"h.example\"]],"
	"[\"b.example\",\"TXT\",\"v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all\"],[\"h.example\",\"A\",\"198.51.100.1\"]]";

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

WAITS static void check_once(struct resolver *r, struct arena *arena)
{
	struct spf_query q = {.helo = STR("m.a.example"), .from = STR("joe@a.example")};
	struct spf_answer answer;
	struct err err;

	ip_parse(STR("192.0.2.9"), &q.ip);
	if (!spf_check(r, &q, arena, &answer, &err) || answer.result != SPF_PASS || answer.lookups != 3)
		abort();
}

WAITS static void lint_once(struct resolver *r, struct arena *arena)
{
	struct spf_lint answer;
	struct err err;

	if (!spf_lint(r, STR_NONE, STR("v=spf1 ip4:13.1.2.0/24 ip4:13.1.2.77/24 moo=x ?all"), arena, &answer, &err) ||
	    answer.n_findings < 3)
		abort();
}

WAITS static void measure(struct resolver *r, const char *what, WAITS void (*once)(struct resolver *, struct arena *))
{
	double begun = seconds(), took;
	unsigned long n = 0;

	do {
		for (int i = 0; i < 1000; i++, n++) {
			auto_arena struct arena arena;
			arena_init(&arena, 1 << 20);
			once(r, &arena);
		}
		took = seconds() - begun;
	} while (took < SECONDS);
	printf("%-24s %10.0f /s\n", what, (double)n / took);
}

WAITS static void in_fiber(void *arg)
{
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	if (!r)
		abort();
	measure(r, "spf_check, 3 look-ups", check_once);
	measure(r, "spf_lint", lint_once);
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

int main(void)
{
	struct rt_options options = {0};
	struct err err;

	return rt_run(&options, in_fiber, NULL, &err) ? 0 : 1;
}
