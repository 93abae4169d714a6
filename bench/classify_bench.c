/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies a second through cause_classify on one core: the lines of standard input, or the rules' own samples. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/auto.h"
#include "cause/classify.h"

#define REPLIES_MAX 4096
#define SECONDS     2.0

/* Processor time: other programs on the machine do not count. */
static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t read_replies(struct arena *arena, struct str *replies)
{
	char line[4096];
	size_t n = 0;

	while (n < REPLIES_MAX && fgets(line, sizeof line, stdin))
		replies[n++] = arena_str(arena, str_trim(str_from(line)));
	if (n > 0)
		return n;
	const struct rules *rules = rules_builtin();
	for (size_t i = 0; i < rules_count(rules) && n < REPLIES_MAX; i++)
		replies[n++] = rules_sample(rules, rules_get(rules, i)->first_like);
	return n;
}

int main(void)
{
	static struct str replies[REPLIES_MAX];
	auto_arena struct arena arena = {.max = 64 << 20};
	double start = now_s();
	const struct rules *rules = rules_builtin();
	double built = now_s() - start;
	size_t n = read_replies(&arena, replies), done = 0, bytes = 0, known = 0;

	start = now_s();
	while (now_s() - start < SECONDS) {
		for (size_t i = 0; i < n; i++) {
			struct classify_question q = {.text = replies[i]};
			struct classification c;
			cause_classify(rules, &q, &c);
			known += c.cause != CAUSE_UNKNOWN;
			bytes += replies[i].n;
		}
		done += n;
	}
	double took = now_s() - start;
	printf("%zu different replies, %.0f bytes on average: %.0f replies/s; rules built in %.1f ms; %.1f %% known\n", n,
	       (double)bytes / (double)done, (double)done / took, built * 1e3, 100.0 * (double)known / (double)done);
	return 0;
}
