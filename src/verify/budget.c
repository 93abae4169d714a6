/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token buckets over a table: looked at all together, taken all together. */
#include "verify/budget.h"

#include <stdio.h>

#define BUCKETS_MAX 100000
#define KEY_MAX     300

struct slot {
	enum budget_limit limit;
	char key[KEY_MAX];
	size_t key_n;
	struct bucket_rate rate;
	struct bucket bucket;
};

bool budget_open(struct budget *b, struct store *store, struct err *err)
{
	struct table *t = store_table(store, "verify_budget", BUCKETS_MAX, err);
	if (!t)
		return false;
	*b = (struct budget){.buckets = t};
	return true;
}

static struct str slot_key(const struct slot *s)
{
	return (struct str){s->key, s->key_n};
}

static void slot_load(struct budget *b, struct slot *s)
{
	struct str value;
	s->bucket = (struct bucket){0};
	if (table_get(b->buckets, slot_key(s), &value, NULL) && value.n == sizeof(s->bucket))
		memcpy(&s->bucket, value.p, sizeof(s->bucket));
}

/* After the longest time in which it can refill a bucket need not be remembered: gone means full. */
static void slot_save(struct budget *b, const struct slot *s, struct wall now)
{
	double hours = s->rate.per_hour > 0 ? s->rate.burst / s->rate.per_hour : 24;
	usec_t keep = (usec_t)(hours * (double)USEC_HOUR) + USEC_MIN;
	table_put(b->buckets, slot_key(s), (struct str){(const char *)&s->bucket, sizeof(s->bucket)}, wall_add(now, keep));
}

static void slot_set(struct slot *s, enum budget_limit limit, const char *kind, struct str name, double per_hour,
                     double burst)
{
	int n = snprintf(s->key, KEY_MAX, "%s %.*s", kind, STR_ARG(str_slice(name, 0, KEY_MAX - 20)));
	s->key_n = (size_t)n;
	s->limit = limit;
	s->rate = (struct bucket_rate){per_hour, burst};
}

static bool set_client(struct slot *s, const struct verify_conf *conf, struct ip client)
{
	char net[IP_TEXT_MAX + 4];
	if (client.family == 0)
		return false;
	double per_minute = (double)conf->per_client_minute;
	slot_set(s, BUDGET_CLIENT, "client", ip_net_text(ip_client_net(client), net), per_minute * 60, per_minute);
	return true;
}

static void set_domain(struct slot *s, const struct verify_conf *conf, const struct budget_asker *asker)
{
	double factor = asker->is_vouched ? (double)conf->vouched_factor : 1;
	slot_set(s, BUDGET_DOMAIN, asker->is_vouched ? "vouched" : "domain", asker->domain,
	         (double)conf->per_domain_hour * factor, (double)conf->per_domain_burst * factor);
}

/* In the order of REPLIES.md's budgets; *all last. */
static size_t collect(const struct verify_conf *conf, const struct budget_asker *asker, struct slot slots[3])
{
	size_t n = 0;
	n += set_client(&slots[n], conf, asker->client);
	set_domain(&slots[n++], conf, asker);
	if (asker->mx_operator.n) {
		double per_hour = (double)conf->per_operator_hour;
		slot_set(&slots[n++], BUDGET_OPERATOR, "operator", asker->mx_operator, per_hour, per_hour);
	}
	return n;
}

static struct bucket_rate rate_of_all(const struct verify_conf *conf)
{
	return (struct bucket_rate){(double)conf->per_second * 3600, (double)conf->per_second};
}

enum budget_limit budget_take(struct budget *b, const struct verify_conf *conf, const struct budget_asker *asker,
                              struct wall now, usec_t *wait)
{
	struct slot slots[3];
	size_t n = collect(conf, asker, slots);
	for (size_t i = 0; i < n; i++) {
		slot_load(b, &slots[i]);
		if (!bucket_has(&slots[i].bucket, slots[i].rate, now.us)) {
			*wait = bucket_wait(&slots[i].bucket, slots[i].rate, now.us);
			return slots[i].limit;
		}
	}
	if (!bucket_take(&b->all, rate_of_all(conf), now.us)) {
		*wait = bucket_wait(&b->all, rate_of_all(conf), now.us);
		return BUDGET_ALL;
	}
	for (size_t i = 0; i < n; i++) {
		bucket_take(&slots[i].bucket, slots[i].rate, now.us);
		slot_save(b, &slots[i], now);
	}
	*wait = 0;
	return BUDGET_OK;
}

bool budget_client_has(struct budget *b, const struct verify_conf *conf, struct ip client, struct wall now)
{
	struct slot s = {0};
	if (!set_client(&s, conf, client))
		return true;
	slot_load(b, &s);
	return bucket_has(&s.bucket, s.rate, now.us);
}

const char *budget_limit_name(enum budget_limit limit)
{
	static const char *const names[] = {"nothing", "this client", "this domain", "this operator", "all questions"};
	return names[limit];
}
