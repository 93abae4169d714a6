/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One small record for each operator that ever complained. */
#include "verify/breaker.h"

#include "base/log.h"
#include "base/metric.h"

#define OPERATORS_MAX   10000
#define BLOCKED_TIMES   3
#define STORM_TIMES     8
#define STORM_WITHIN    (10 * USEC_MIN)
#define APART           USEC_MIN         /* blocked replies closer together are one time */
#define COUNT_FOR       USEC_DAY         /* complaints older than this are forgotten */
#define STORM_OPEN      (30 * USEC_MIN)
#define OPEN_MAX        (30 * USEC_DAY)
#define CLAIM           (2 * USEC_MIN)   /* how long the one probe of HALF_OPEN may take */
#define REMEMBER_EXTRA  (2 * USEC_DAY)   /* after closing: so that the next time is longer */

struct state {
	int64_t last_counted, storm_begun, open_until, claimed;
	uint8_t blocked, storm, opened, why, said_n;
	char said[127];
};

static struct metric *opened(enum breaker_why why)
{
	return metric_counter("postern_verify_breaker_opened_total", "why", breaker_why_name(why),
	                      "MX operators that are left alone because of what they said");
}

bool breaker_open(struct breaker *b, struct store *store, struct err *err)
{
	struct table *t = store_table(store, "verify_operator", OPERATORS_MAX, err);
	if (!t)
		return false;
	b->operators = t;
	for (int why = BREAKER_BLOCKED; why <= BREAKER_OPT_OUT; why++)
		opened((enum breaker_why)why);
	return true;
}

static bool load(struct breaker *b, struct str key, struct state *s)
{
	struct str value;
	if (table_get(b->operators, key, &value, NULL) && value.n == sizeof(*s)) {
		memcpy(s, value.p, sizeof(*s));
		if (s->why <= BREAKER_OPT_OUT && s->said_n <= sizeof(s->said))
			return true;
	}
	*s = (struct state){0};
	return false;
}

static void save(struct breaker *b, struct str key, const struct state *s, struct wall now)
{
	struct wall keep = {s->open_until > now.us ? s->open_until : now.us};
	table_put(b->operators, key, (struct str){(const char *)s, sizeof(*s)}, wall_add(keep, REMEMBER_EXTRA));
}

static void fill(const struct state *s, enum breaker_state state, struct breaker_look *out)
{
	*out = (struct breaker_look){state, (enum breaker_why)s->why, {s->open_until}, ""};
	memcpy(out->said, s->said, s->said_n);
}

static enum breaker_state state_of(const struct state *s, struct wall now)
{
	if (s->open_until == 0)
		return BREAKER_CLOSED;
	if (now.us < s->open_until || (s->claimed && now.us < s->claimed + CLAIM))
		return BREAKER_OPEN;
	return BREAKER_HALF_OPEN;
}

void breaker_peek(struct breaker *b, struct str mx_operator, struct wall now, struct breaker_look *out)
{
	struct state s;
	load(b, mx_operator, &s);
	fill(&s, state_of(&s, now), out);
}

void breaker_look(struct breaker *b, struct str mx_operator, struct wall now, struct breaker_look *out)
{
	struct state s;
	load(b, mx_operator, &s);
	fill(&s, state_of(&s, now), out);
	if (out->state == BREAKER_HALF_OPEN) {
		s.claimed = now.us;
		save(b, mx_operator, &s, now);
	}
}

static usec_t open_for(const struct state *s, enum breaker_why why, usec_t first)
{
	usec_t d = why == BREAKER_STORM ? STORM_OPEN : first;
	for (unsigned i = 0; i < s->opened && d < OPEN_MAX; i++)
		d *= 2;
	return d < OPEN_MAX ? d : OPEN_MAX;
}

static bool is_enough(struct state *s, enum breaker_why why, struct wall now)
{
	if (s->claimed) /* HALF_OPEN, and it is still so */
		return true;
	if (now.us - s->last_counted > COUNT_FOR)
		s->blocked = 0;
	if (why == BREAKER_BLOCKED && (s->blocked == 0 || now.us - s->last_counted >= APART)) {
		s->blocked++;
		s->last_counted = now.us;
	}
	if (why == BREAKER_STORM) {
		if (now.us - s->storm_begun > STORM_WITHIN) {
			s->storm = 0;
			s->storm_begun = now.us;
		}
		s->storm++;
	}
	return why == BREAKER_OPT_OUT || s->blocked >= BLOCKED_TIMES || s->storm >= STORM_TIMES;
}

/* The one alert: an operator of ours should look into it. */
static void alert(struct str mx_operator, enum breaker_why why, struct str said, struct wall until)
{
	char text[WALL_FORMAT_MAX];
	log_event(LOG_WARN_, "verify_breaker_open", LOG_S("operator", mx_operator), LOG_C("why", breaker_why_name(why)),
	          LOG_S("until", wall_rfc3339(until, text)), LOG_S("said", said));
	metric_inc(opened(why));
}

bool breaker_trip(struct breaker *b, struct str mx_operator, enum breaker_why why, struct str said, usec_t open, struct wall now)
{
	struct state s;
	load(b, mx_operator, &s);
	bool opens = state_of(&s, now) != BREAKER_OPEN || s.claimed;
	if (!is_enough(&s, why, now)) {
		save(b, mx_operator, &s, now);
		return false;
	}
	if (!opens)
		return false;
	s.open_until = wall_add(now, open_for(&s, why, open)).us;
	s.opened += s.opened < 20;
	s.why = (uint8_t)why;
	s.said_n = (uint8_t)(said.n < sizeof(s.said) ? said.n : sizeof(s.said));
	memcpy(s.said, said.p ? said.p : "", s.said_n);
	s.claimed = 0;
	s.blocked = s.storm = 0;
	save(b, mx_operator, &s, now);
	alert(mx_operator, why, said, (struct wall){s.open_until});
	return true;
}

void breaker_answered(struct breaker *b, struct str mx_operator, struct wall now)
{
	struct state s;
	if (!load(b, mx_operator, &s) || (!s.open_until && !s.blocked && !s.storm))
		return;
	if (now.us < s.open_until) /* a session that began before it opened */
		return;
	s.open_until = s.claimed = 0;
	s.blocked = s.storm = 0;
	save(b, mx_operator, &s, now);
}

void breaker_release(struct breaker *b, struct str mx_operator, struct wall now)
{
	struct state s;
	if (!load(b, mx_operator, &s) || !s.claimed)
		return;
	s.claimed = 0;
	save(b, mx_operator, &s, now);
}

bool breaker_reset(struct breaker *b, struct str mx_operator)
{
	bool was = table_get(b->operators, mx_operator, NULL, NULL);
	table_remove(b->operators, mx_operator);
	return was;
}

const char *breaker_why_name(enum breaker_why why)
{
	static const char *const names[] = {"blocked", "storm", "opt_out"};
	return names[why];
}
