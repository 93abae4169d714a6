/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which recipients exist: postmaster always, else by the route's source. */
#include "policy/recipients.h"

#include "base/auto.h"
#include "base/mem.h"
#include "dns/dns.h"
#include "policy/recipient_file.h"

#include <assert.h>

#define HOP_IPS_MAX 4

struct recipients {
	const struct domains *domains;
	struct verify *verify;
	struct resolver *resolver;
	struct map files; /* path → struct recipient_file */
};

struct answer {
	enum recipient_result result;
	enum cause_id cause;
	struct str why;
};

struct recipients *recipients_open(const struct domains *domains, struct verify *verify,
                                   struct resolver *resolver, struct err *err)
{
	struct recipients *r = mem_new(struct recipients);
	r->domains = domains;
	r->verify = verify;
	r->resolver = resolver;
	map_init(&r->files);
	return r;
}

void recipients_close(struct recipients *r)
{
	size_t at = 0;
	struct str key;
	void *file;
	if (!r)
		return;
	while (map_next(&r->files, &at, &key, &file))
		recipient_file_free(file);
	map_done(&r->files);
	free(r);
}

/* Trouble is an answer; only the end of the fiber is a failure. */
static bool doubt(struct answer *a, enum cause_id cause, struct arena *arena, const struct err *err)
{
	if (err->kind == ERR_CANCELLED)
		return false;
	*a = (struct answer){RECIPIENT_ERROR, cause, arena_str(arena, str_from(err->text))};
	return true;
}

WAITS static bool check_file(struct recipients *r, struct str path, const struct address *a, struct arena *arena,
                             struct answer *out, struct err *err)
{
	struct recipient_file *file = map_get(&r->files, path);
	bool has;
	if (!file) {
		file = recipient_file_new(path);
		map_put(&r->files, path, file);
	}
	if (!recipient_file_has(file, a, &has, err))
		return doubt(out, CAUSE_DIRECTORY, arena, err);
	*out = (struct answer){.result = has ? RECIPIENT_FOUND : RECIPIENT_ABSENT};
	return true;
}

/* The next hop's 252 is a promise to try, as is any other 2xx: what it would tell the mail itself. */
static struct answer judge(const struct verify_answer *v, struct arena *arena)
{
	switch (v->verdict) {
	case VERIFY_EXISTS:
	case VERIFY_CATCH_ALL:
	case VERIFY_UNVERIFIABLE:
		return (struct answer){.result = RECIPIENT_FOUND};
	case VERIFY_ABSENT:
		return (struct answer){.result = RECIPIENT_ABSENT};
	case VERIFY_BLOCKED:
	case VERIFY_TEMPORARY:
	case VERIFY_SKIPPED:
		break;
	}
	struct str why = arena_printf(arena, "next hop %s: %s %s", v->host, verify_class_name(v->class), v->said);
	return (struct answer){RECIPIENT_ERROR, CAUSE_RCPT_VERIFY, why};
}

/* Addresses of the next hop, IPv4 first; none with the reason in *why. */
WAITS static bool resolve_hop(struct recipients *r, struct str host, struct ip ips[HOP_IPS_MAX], size_t *n,
                              struct arena *arena, struct str *why, struct err *err)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	*n = 0;
	for (size_t t = 0; t < 2; t++) {
		const struct dns_answer *answer;
		if (!dns_lookup(r->resolver, host, types[t], &answer, err))
			return false;
		for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n && *n < HOP_IPS_MAX; i++)
			ips[(*n)++] = answer->records[i].ip;
		if (*n == 0)
			*why = arena_printf(arena, "next hop %.*s: %s", STR_ARG(host),
			                    dns_outcome_name(answer->outcome));
		dns_answer_release(answer);
	}
	return true;
}

/* One address after the other while nobody answers there. */
WAITS static bool ask_hop(struct recipients *r, struct verify_next_hop *hop, const struct ip *ips, size_t n,
                          const struct address *a, struct arena *arena, struct answer *out, struct err *err)
{
	auto_free struct verify_answer *v = mem_new(struct verify_answer); /* too big for a fiber's stack */
	for (size_t i = 0; i < n; i++) {
		hop->ip = ips[i];
		if (!verify_recipient(r->verify, hop, a, v, err))
			return doubt(out, CAUSE_RCPT_VERIFY, arena, err);
		if (v->verdict != VERIFY_TEMPORARY || v->class != VERIFY_CLASS_NO_ANSWER)
			break;
	}
	*out = judge(v, arena);
	return true;
}

WAITS static bool call_ahead(struct recipients *r, const struct route_conf *route, const struct address *a,
                             struct arena *arena, struct answer *out, struct err *err)
{
	struct next_hop to;
	struct ip ips[HOP_IPS_MAX];
	size_t n = 1;
	if (!next_hop_parse(route->next_hop, route->kind, &to, err))
		return doubt(out, CAUSE_RCPT_VERIFY, arena, err);
	ips[0] = to.ip;
	*out = (struct answer){RECIPIENT_ERROR, CAUSE_RCPT_VERIFY, STR("next hop has no address")};
	if (to.ip.family == 0 && !resolve_hop(r, to.host, ips, &n, arena, &out->why, err))
		return doubt(out, CAUSE_RCPT_VERIFY, arena, err);
	struct verify_next_hop hop = {.host = to.host, .port = to.port, .is_lmtp = route->kind == ROUTE_LMTP};
	return n == 0 || ask_hop(r, &hop, ips, n, a, arena, out, err);
}

WAITS static bool check(struct recipients *r, const struct address *a, struct arena *arena, struct answer *out,
                        struct err *err)
{
	const struct route_conf *route = domains_route(r->domains, a->ascii_domain);
	assert(route);
	*out = (struct answer){.result = RECIPIENT_FOUND};
	/* RFC 5321 4.5.1: postmaster of each domain that we receive for. */
	if (str_ieq(a->local, STR("postmaster")) || route->recipients == RECIPIENTS_ANY)
		return true;
	if (route->recipients == RECIPIENTS_FILE)
		return check_file(r, route->recipients_file, a, arena, out, err);
	return call_ahead(r, route, a, arena, out, err);
}

bool recipients_check(struct recipients *r, const struct address *a, struct arena *arena,
                      enum recipient_result *out, enum cause_id *cause, struct str *why, struct err *err)
{
	struct answer answer;
	if (!check(r, a, arena, &answer, err))
		return false;
	*out = answer.result;
	*cause = answer.cause;
	*why = answer.why;
	return true;
}
