/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reference-counted answers and the bounds they keep. */
#include "dns/answer.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <stdlib.h>

#define ARENA_MAX ((size_t)2 * DNS_RECORDS_MAX * DNS_TEXT_MAX)
#define WHY_MAX   200

const char *dns_outcome_name(enum dns_outcome o)
{
	switch (o) {
	case DNS_FOUND:
		return "found";
	case DNS_NODATA:
		return "nodata";
	case DNS_NXDOMAIN:
		return "nxdomain";
	case DNS_TEMPORARY:
		return "temporary";
	case DNS_BOGUS:
		return "bogus";
	}
	assert(!"an outcome of dns.h");
	return "";
}

const char *dns_type_name(enum dns_type t)
{
	switch (t) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_TLSA:
		return "TLSA";
	case DNS_SPF:
		return "SPF";
	}
	return "?";
}

struct dns_answer *dns_answer_new(struct str name, enum dns_type type)
{
	struct dns_answer *a = mem_new(struct dns_answer);

	a->refs = 1;
	a->outcome = DNS_TEMPORARY;
	a->type = type;
	a->ttl = UINT32_MAX;
	arena_init(&a->arena, ARENA_MAX);
	a->name = arena_str(&a->arena, name);
	a->canonical = a->name;
	return a;
}

/* Answers are const to all who hold them; the count is the one thing that changes, on the loop thread. */
const struct dns_answer *dns_answer_ref(const struct dns_answer *a)
{
	((struct dns_answer *)(uintptr_t)a)->refs++;
	return a;
}

void dns_answer_release(const struct dns_answer *a)
{
	struct dns_answer *mine = (struct dns_answer *)(uintptr_t)a;

	if (!mine)
		return;
	assert(mine->refs > 0);
	if (--mine->refs > 0)
		return;
	arena_done(&mine->arena);
	free(mine);
}

static void grow(struct dns_answer *a)
{
	unsigned capacity = a->capacity ? a->capacity * 4 : 4;
	struct dns_record *records;

	if (capacity > DNS_RECORDS_MAX)
		capacity = DNS_RECORDS_MAX;
	records = arena_alloc(&a->arena, capacity * sizeof(*records));
	if (a->n > 0)
		memcpy(records, a->records, a->n * sizeof(*records));
	a->records = records;
	a->capacity = capacity;
}

static void replace_worst_mx(struct dns_answer *a, const struct dns_record *record)
{
	struct dns_record *worst = &a->records[0];

	for (size_t i = 1; i < a->n; i++)
		if (a->records[i].mx.preference > worst->mx.preference)
			worst = &a->records[i];
	if (record->mx.preference < worst->mx.preference)
		*worst = *record;
}

void dns_answer_add(struct dns_answer *a, const struct dns_record *record)
{
	if (a->n == DNS_RECORDS_MAX) {
		a->is_cut = true;
		if (a->type == DNS_MX)
			replace_worst_mx(a, record);
		return;
	}
	if (a->n == a->capacity)
		grow(a);
	a->records[a->n++] = *record;
}

struct str dns_answer_text(struct dns_answer *a, struct str text)
{
	if (text.n > DNS_TEXT_MAX)
		a->is_cut = true;
	return arena_str(&a->arena, str_slice(text, 0, DNS_TEXT_MAX));
}

void dns_answer_lower_ttl(struct dns_answer *a, uint32_t ttl)
{
	if (ttl < a->ttl)
		a->ttl = ttl;
}

void dns_answer_fail(struct dns_answer *a, enum dns_outcome outcome, struct str why)
{
	struct buf b;

	buf_init(&b, 4 * WHY_MAX);
	buf_escaped(&b, str_slice(why, 0, WHY_MAX));
	a->outcome = outcome;
	a->why = arena_str(&a->arena, str_slice(buf_view(&b), 0, WHY_MAX));
	a->canonical = a->name;
	a->records = NULL;
	a->n = 0;
	a->capacity = 0;
	a->is_secure = false;
	buf_done(&b);
}

static void swap(struct dns_record *a, struct dns_record *b)
{
	struct dns_record kept = *a;
	*a = *b;
	*b = kept;
}

void dns_answer_sort(struct dns_answer *a)
{
	if (a->type != DNS_MX)
		return;
	for (size_t i = a->n; i > 1; i--)
		swap(&a->records[i - 1], &a->records[random_below(i)]);
	/* Insertion keeps the shuffled order of equals and is enough for 100. */
	for (size_t i = 1; i < a->n; i++)
		for (size_t j = i; j > 0; j--) {
			if (a->records[j - 1].mx.preference <= a->records[j].mx.preference)
				break;
			swap(&a->records[j - 1], &a->records[j]);
		}
}
