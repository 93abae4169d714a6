/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing our own header fields, finding forged ones. */
#include "gate/tags.h"

#include "base/auto.h"
#include "mail/header.h"

/* RFC 8601 2.7: the result words that other methods have given their meaning. */
static const char *result_word(const struct verify_answer *a)
{
	switch (a->verdict) {
	case VERIFY_EXISTS:
		return "pass";
	case VERIFY_ABSENT:
		return "fail";
	case VERIFY_CATCH_ALL:
	case VERIFY_UNVERIFIABLE:
		return "neutral";
	case VERIFY_BLOCKED:
	case VERIFY_TEMPORARY:
		return "temperror";
	case VERIFY_SKIPPED:
		break;
	}
	return "none";
}

/* A pvalue needs no quotes for dots, hyphens and the like (RFC 8601 2.2: local-part "@" domain); what would need
 * care is left at its domain. */
static struct str mailfrom(struct arena *arena, const struct address *a)
{
	for (size_t i = 0; i < a->local.n; i++) {
		char c = ascii_lower(a->local.p[i]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(".-_+=", c))))
			return a->ascii_domain;
	}
	return arena_printf(arena, "%.*s@%.*s", STR_ARG(a->local), STR_ARG(a->ascii_domain));
}

static void add_reason(struct buf *out, const struct verify_answer *a)
{
	buf_str(out, str_from(verify_verdict_name(a->verdict)));
	if (a->verdict == VERIFY_SKIPPED)
		buf_printf(out, ", %s", verify_skip_name(a->skip));
	else if (a->class != VERIFY_CLASS_NONE)
		buf_printf(out, ", %s", verify_class_name(a->class));
}

struct str tag_fields(struct arena *arena, const struct tag_args *args)
{
	const struct verify_answer *a = args->answer;
	auto_buf struct buf out = {.max = 4096};
	if (a->verdict == VERIFY_SKIPPED && !args->is_tagged)
		return STR("");
	if (args->is_tagged) {
		buf_str(&out, STR("X-Postern-Sender: "));
		add_reason(&out, a);
		buf_printf(&out, "; ref=%.*s\r\n", STR_ARG(args->ref));
	}
	buf_printf(&out, "Authentication-Results: %.*s;\r\n\tx-sender-verify=%s (", STR_ARG(args->host), result_word(a));
	add_reason(&out, a);
	buf_printf(&out, ")\r\n\tsmtp.mailfrom=%.*s\r\n", STR_ARG(mailfrom(arena, args->sender)));
	return arena_str(arena, buf_view(&out));
}

/* --- what comes in --- */

static bool is_ours(struct str name, struct str value, struct str host)
{
	if (str_ieq(name, STR("Authentication-Results")))
		return header_claims_authserv_id(value, host);
	/* Return-Path is written at the final delivery alone (RFC 5321 4.4). */
	return str_ieq(name, STR("X-Postern-Sender")) || str_ieq(name, STR("Return-Path"));
}

struct ranges {
	struct arena *arena;
	struct spool_range *items;
	size_t n, capacity;
};

static void add_range(struct ranges *r, uint64_t from, uint64_t to)
{
	if (r->n && r->items[r->n - 1].to == from) {
		r->items[r->n - 1].to = to; /* neighbours are one */
		return;
	}
	if (r->n == r->capacity) {
		r->capacity = r->capacity ? 2 * r->capacity : 4;
		struct spool_range *more = arena_alloc(r->arena, r->capacity * sizeof *more);
		if (r->n)
			memcpy(more, r->items, r->n * sizeof *more);
		r->items = more;
	}
	r->items[r->n++] = (struct spool_range){from, to};
}

void header_check(struct arena *arena, struct str head, struct str host, struct header_check *out)
{
	struct ranges ranges = {.arena = arena};
	struct header_scan scan;
	struct header_field field;
	size_t received = 0;
	bool has_kept = false;
	header_scan_init(&scan, head);
	while (header_scan_next(&scan, &field)) {
		received += str_ieq(field.name, STR("Received"));
		if (is_ours(field.name, field.value, host)) {
			size_t from, to;
			header_field_cut(&field, has_kept, &from, &to);
			add_range(&ranges, from, to);
		} else {
			has_kept = true;
		}
	}
	*out = (struct header_check){
		.header_bytes = scan.at,
		.received = received,
		.is_whole = scan.has_body,
		.forged = ranges.items,
		.n_forged = ranges.n,
	};
}
