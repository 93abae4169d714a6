/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies a second through cause_classify on one core, beside KumoMTA's rules tried one by one with PCRE2's JIT.
 *
 * classify_bench [RULES.TSV] < replies. Without replies the rules' own samples are read; without rules, or built without
 * PCRE2, there is no peer. The peer gives a class and nothing else; ours also finds stage, codes, who is quoted, the
 * time to come back, links and addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "cause/classify.h"
#include "rounds.h"

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif

#define REPLIES_MAX 4096
#define RULES_MAX   1024
#define SLICE_S     0.1

struct replies {
	struct str text[REPLIES_MAX];
	size_t n, bytes;
	const struct rules *rules;
};

static void read_replies(struct arena *arena, struct replies *r)
{
	static char line[65536];

	while (r->n < REPLIES_MAX && !isatty(STDIN_FILENO) && fgets(line, sizeof line, stdin))
		r->text[r->n++] = arena_str(arena, str_trim(str_from(line)));
	for (size_t i = 0, none = r->n; none == 0 && i < rules_count(r->rules); i++)
		r->text[r->n++] = rules_sample(r->rules, rules_get(r->rules, i)->first_like);
	for (size_t i = 0; i < r->n; i++)
		r->bytes += r->text[i].n;
}

/* All replies once. */
static size_t ours(void *arg)
{
	const struct replies *r = arg;
	size_t known = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct classify_question q = {.text = r->text[i]};
		struct classification c;
		cause_classify(r->rules, &q, &c);
		known += c.cause != CAUSE_UNKNOWN;
	}
	return known;
}

static double rate(size_t (*once)(void *arg), void *arg, size_t n, size_t *known)
{
	double start = rounds_cpu_s(), took;
	size_t done = 0;

	do {
		*known = once(arg);
		done += n;
		took = rounds_cpu_s() - start;
	} while (took < SLICE_S);
	return (double)done / took;
}

#ifdef HAVE_PCRE2
struct peer {
	const struct replies *replies;
	pcre2_code *rules[RULES_MAX];
	size_t n;
	pcre2_match_data *match;
};

/* Lines of file, class, pattern with tabs between; a pattern that only Rust understands is left out. */
static bool peer_open(struct peer *p, const char *path)
{
	static char line[65536];
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	while (p->n < RULES_MAX && fgets(line, sizeof line, f)) {
		struct str rest = str_from(line), word;
		int error;
		size_t at;
		if (!str_cut(&rest, '\t', &word) || !str_cut(&rest, '\t', &word))
			continue;
		rest = str_slice(rest, 0, str_find_char(rest, '\n'));
		pcre2_code *code = pcre2_compile((PCRE2_SPTR)rest.p, rest.n, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &at, NULL);
		if (code && pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0)
			p->rules[p->n++] = code;
	}
	fclose(f);
	p->match = pcre2_match_data_create(1, NULL);
	return p->n > 0;
}

static size_t peer_once(void *arg)
{
	struct peer *p = arg;
	size_t known = 0;

	for (size_t i = 0; i < p->replies->n; i++) {
		struct str s = p->replies->text[i];
		for (size_t k = 0; k < p->n; k++) {
			if (pcre2_match(p->rules[k], (PCRE2_SPTR)s.p, s.n, 0, 0, p->match, NULL) >= 0) {
				known++;
				break;
			}
		}
	}
	return known;
}
#endif

static void measure(struct replies *r, const char *rules_path)
{
	double mine[ROUNDS], other[ROUNDS] = {0}, ratio[ROUNDS] = {0};
	size_t known = 0, other_known = 0;
	bool has_peer = false;
#ifdef HAVE_PCRE2
	static struct peer peer;
	peer.replies = r;
	has_peer = rules_path && peer_open(&peer, rules_path);
#endif

	for (int i = 0; i < ROUNDS; i++) {
		mine[i] = rate(ours, r, r->n, &known);
#ifdef HAVE_PCRE2
		other[i] = has_peer ? rate(peer_once, &peer, r->n, &other_known) : 1;
		ratio[i] = mine[i] / other[i];
#endif
	}
	printf("%zu different replies, %.0f bytes on average; replies per second of processor time, medians of %d rounds\n", r->n,
	       (double)r->bytes / (double)r->n, ROUNDS);
	double middle = rounds_median(mine);
	printf("  %-38s %9.0f (%.0f ... %.0f), %.1f %% known\n", "cause_classify", middle, mine[0], mine[ROUNDS - 1],
	       100.0 * (double)known / (double)r->n);
	if (!has_peer)
		return;
	middle = rounds_median(other);
	printf("  %-38s %9.0f (%.0f ... %.0f), %.1f %% known\n  %-38s %9.1f\n", "KumoMTA's rules by PCRE2 JIT, class only",
	       middle, other[0], other[ROUNDS - 1], 100.0 * (double)other_known / (double)r->n, "ratio", rounds_median(ratio));
}

int main(int argc, char **argv)
{
	static struct replies replies;
	auto_arena struct arena arena = {.max = 64 << 20};
	double start = rounds_cpu_s();

	replies.rules = rules_builtin();
	double built = rounds_cpu_s() - start;
	read_replies(&arena, &replies);
	measure(&replies, argc > 1 ? argv[1] : NULL);
	printf("  rules built in %.1f ms\n", built * 1e3);
	return 0;
}
