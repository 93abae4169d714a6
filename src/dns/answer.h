/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building an answer: who builds holds the only reference, fills it, finishes it; from then on it is
 * immutable and shared. The bounds of dns.h are kept here, for every source of answers alike.
 */
#pragma once

#include "dns/dns.h"

#define DNS_RECORDS_MAX 100
#define DNS_TEXT_MAX    ((size_t)16 * 1024)

struct dns_answer *dns_answer_new(struct str name, enum dns_type type); /* one reference, TEMPORARY */
const struct dns_answer *dns_answer_ref(const struct dns_answer *a);
/* Strings of the record lie in a->arena. Beyond 100 records `is_cut` is set; of MX records the 100 with the
 * lowest preference stay. */
void dns_answer_add(struct dns_answer *a, const struct dns_record *record);
/* The text for a TXT record, cut at 16 KiB (then is_cut). */
struct str dns_answer_text(struct dns_answer *a, struct str text);
void dns_answer_lower_ttl(struct dns_answer *a, uint32_t ttl);
/* TEMPORARY or BOGUS without records. `why` is made printable and cut at 200 bytes. */
void dns_answer_fail(struct dns_answer *a, enum dns_outcome outcome, struct str why);
/* Sorts MX records by preference, equal ones in random order (RFC 5321 5.1). */
void dns_answer_sort(struct dns_answer *a);
