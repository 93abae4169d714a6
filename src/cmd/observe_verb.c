/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `report observe`, as the daemon answers it. */
#include "cmd/cmd.h"
#include "cmd/daemon_verbs.h"
#include "cmd/observe.h"

#define SINCE_DEFAULT (7 * USEC_DAY)
#define MESSAGES_MAX  200000 /* read of each kind */
#define DOMAINS_MAX   1000   /* printed */
#define LOOKUPS_AT_ONCE 500

static const char *mode_text(enum verify_mode mode)
{
	static const char *const names[] = {"off", "observe", "tag", "enforce"};

	return names[mode];
}

static bool has_word(const struct control_request *request, const char *word)
{
	for (size_t i = 0; i < request->n; i++) {
		if (str_eq(request->words[i], str_from(word)))
			return true;
	}
	return false;
}

/* Our own questions go on after the message has passed; what they found stands in the cache and not in its trail. */
WAITS static bool ask_memory(struct verify *v, struct observed *o, struct err *err)
{
	for (size_t i = 0; i < o->n_senders; i++) {
		struct observed_sender *s = o->senders[i];
		struct verify_answer a;
		if (i % LOOKUPS_AT_ONCE == LOOKUPS_AT_ONCE - 1 && !rt_yield(err))
			return false;
		if (observed_needs_proof(s) && verify_lookup(v, s->address, &a) && a.verdict == VERIFY_EXISTS &&
		    wall_is_before(s->first, a.checked))
			s->proofs |= OBSERVED_EXISTED;
	}
	observed_finish(o);
	return true;
}

/* A duration back from now, or a time. */
static bool read_since(struct str text, struct wall now, struct wall *out)
{
	usec_t back = SINCE_DEFAULT;

	if (text.n > 0 && wall_parse_rfc3339(text, out))
		return true;
	if (text.n > 0 && (!conf_parse_duration(text, &back) || back <= 0))
		return false;
	*out = wall_add(now, -back);
	return true;
}

static void print_report(const struct control_request *request, struct observe_report *r, struct buf *out)
{
	observe_suggest(request->arena, r->o, &r->suggestions, &r->n_suggestions);
	if (request->as_json)
		observe_print_json(r, out);
	else if (has_word(request, "--html"))
		observe_print_html(r, out);
	else
		observe_print_text(r, out);
}

int answer_report_observe(void *arg, const struct control_request *request, struct buf *out)
{
	struct daemon *d = arg;
	struct wall now = rt_wall(), since;
	struct observed *o;
	uint64_t limit = 20;
	struct err err;

	if (!read_since(request_option(request, "since"), now, &since) || !wall_is_before(since, now))
		return answer_usage(out, "report observe: --since is a duration such as 7d, or a time such as 2026-11-15T00:00:00Z");
	struct str text = request_option(request, "limit");
	if (text.n > 0 && !str_to_u64(text, DOMAINS_MAX, &limit))
		return answer_usage(out, "report observe: --limit is a number of domains, at most 1000");
	if (!observed_read(d->history, since, now, MESSAGES_MAX, &o, &err))
		return answer_err(out, EXIT_UNKNOWN, &err);
	if (!ask_memory(d->verify, o, &err)) {
		observed_free(o);
		return answer_err(out, EXIT_UNKNOWN, &err);
	}
	struct observe_report r = {.o = o, .mode = mode_text(verify_mode(d->verify)), .domains_max = limit};
	print_report(request, &r, out);
	observed_free(o);
	return EXIT_FINE;
}
