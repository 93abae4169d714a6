/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call-ahead: the same engine asked about a recipient at our own next hop. */
#include "base/auto.h"
#include "verify/answer.h"
#include "verify/service.h"
#include "verify/work.h"

/* "→[192.0.2.1]:25 joe@example.org": never the key of a sender. */
static struct str recipient_key(struct arena *arena, const struct verify_next_hop *hop, const struct address *a)
{
	char ip[IP_TEXT_MAX];
	struct str at = hop->ip.family ? ip_text(hop->ip, ip) : hop->host;
	struct str key = address_key(arena, a);
	return arena_printf(arena, "→[%.*s]:%u %.*s", STR_ARG(at), hop->port, STR_ARG(key));
}

static bool known(struct verify *v, struct str key, struct verify_answer *out)
{
	struct address_record r;
	if (!cache_address(&v->cache, key, &r))
		return false;
	answer_of_record(&r, rt_wall(), out);
	return true;
}

bool verify_recipient(struct verify *v, const struct verify_next_hop *hop, const struct address *recipient,
                      struct verify_answer *out, struct err *err)
{
	auto_arena struct arena arena;
	arena_init(&arena, 4096);
	struct str key = recipient_key(&arena, hop, recipient);
	if (known(v, key, out))
		return true;
	struct ticket *t = work_join(v, key, recipient, NULL, hop);
	bool ok = verify_wait(t, v->conf->wait, out, err);
	if (ok)
		out->dialogue = STR_NONE; /* it goes with the ticket */
	ticket_unref(t);
	return ok;
}
