/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many cached verdicts a second one thread hands out (verify_lookup): known senders in random order, and strangers. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/socket.h"
#include "cmd/daemon_conf.h"
#include "dns/dns.h"
#include "verify/verify.h"

#define ADDRESSES 100000
#define DOMAINS   10000
#define SECONDS   2.0

struct bench {
	const char *directory;
	struct verify *verify;
	int status;
	bool is_wrong; /* a lookup answered what it should not have */
};

static struct str key_of(char out[80], const char *user, unsigned number)
{
	return (struct str){out, (size_t)snprintf(out, 80, "%s%u@d%u.example.net", user, number, number % DOMAINS)};
}

/* Lookups a second; the keys are made beforehand, so that only the lookup is measured. */
static double measure(struct bench *b, const char *user, bool is_known)
{
	static char texts[1 << 14][80];
	static struct str keys[1 << 14];
	const size_t n_keys = sizeof(keys) / sizeof(*keys);
	struct verify_answer answer;
	uint64_t done = 0, start, now;

	for (size_t i = 0; i < n_keys; i++)
		keys[i] = key_of(texts[i], user, (unsigned)((i * 2654435761u) % ADDRESSES));
	start = now = now_ns();
	while (now - start < (uint64_t)(SECONDS * 1e9)) {
		for (size_t i = 0; i < n_keys; i++) {
			if (verify_lookup(b->verify, keys[i], &answer) != is_known ||
			    (is_known && answer.verdict != VERIFY_EXISTS))
				b->is_wrong = true;
		}
		done += n_keys;
		now = now_ns();
	}
	return (double)done / ((double)(now - start) / 1e9);
}

WAITS static bool run(struct bench *b, struct conf *conf, struct group *root, struct err *err)
{
	struct verify_deps deps = {.host = STR("bench.example.org")};
	char text[80];
	bool ok;

	deps.store = store_open(b->directory, "lookup.db", err);
	deps.resolver = resolver_open(conf_get(conf, &dns_section), err);
	ok = deps.store && deps.resolver && store_start(deps.store, root, err) &&
	     verify_open(conf_get(conf, &verify_section), &deps, &b->verify, err);
	for (unsigned i = 0; ok && i < ADDRESSES; i++)
		verify_learn_exists(b->verify, key_of(text, "known", i));
	if (ok) {
		double known = measure(b, "known", true), strangers = measure(b, "stranger", false);
		printf("lookup: cached verdicts, %d addresses of %d domains\n  known senders  %14.0f/s\n"
		       "  strangers      %14.0f/s\n{\"bench\":\"lookup\",\"known_per_s\":%.0f,\"strangers_per_s\":%.0f}\n",
		       ADDRESSES, DOMAINS, known, strangers, known, strangers);
	}
	verify_close(b->verify);
	store_close(deps.store);
	resolver_close(deps.resolver);
	return ok;
}

static void bench_fiber(void *arg)
{
	struct bench *b = arg;
	struct conf *conf;
	struct group root;
	struct err err;

	group_init(&root, "bench");
	conf = conf_load(NULL, daemon_sections, &err);
	if (!conf || !run(b, conf, &root, &err)) {
		fprintf(stderr, "lookup_bench: %s\n", err.text);
		b->status = 1;
	}
	if (b->is_wrong) {
		fputs("lookup_bench: an answer was not the one that was learned\n", stderr);
		b->status = 1;
	}
	group_done(&root);
	conf_unref(conf);
}

int main(int argc, char **argv)
{
	struct bench b = {.directory = argc == 2 ? argv[1] : NULL};
	struct err err;

	if (!b.directory)
		die("usage: lookup_bench DIRECTORY");
	if (!rt_run(&(struct rt_options){0}, bench_fiber, &b, &err))
		die("lookup_bench: %s", err.text);
	return b.status;
}
