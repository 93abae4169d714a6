/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of SPF records (RFC 7208 12), read without memory of its own: a record is checked whole, then walked
 * term by term. All text points into the record.
 *
 *	if (spf_record_check(text, &record, &fault))
 *		for (size_t at = 0; spf_term_next(text, &at, &term, &fault);) …
 */
#pragma once

#include "base/ip.h"

enum spf_kind { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS, SPF_REDIRECT, SPF_EXP,
	SPF_OTHER_MODIFIER };
const char *spf_kind_name(enum spf_kind kind);

struct spf_term {
	enum spf_kind kind;
	char qualifier;      /* + - ~ ?; '+' where none is written */
	struct str text;     /* as written */
	size_t at;           /* where it begins in the record */
	struct str domain;   /* the domain-spec with its macros; empty: the domain that is checked */
	struct ip ip;        /* of ip4 and ip6; an IPv6 address stays one even when it is IPv4-mapped */
	uint8_t bits4, bits6; /* prefix lengths: of ip4, ip6, a, mx; 32 and 128 where none is written */
	bool has_prefix;     /* one is written */
};
struct spf_record {
	struct str text;
	struct spf_term redirect, exp; /* `text` is empty where there is none */
	bool has_all;
	size_t terms;
};
struct spf_fault {
	size_t at, n;        /* the bytes of the record that are wrong */
	enum { SPF_BAD_SYNTAX, SPF_BAD_MECHANISM, SPF_BAD_PREFIX, SPF_BAD_ADDRESS, SPF_BAD_MACRO, SPF_REPEATED } kind;
	char text[160];      /* a sentence that a person can read */
};

/* RFC 7208 4.5: begins with "v=spf1" in any case and a space or the end behind it. */
bool spf_is_record(struct str text);
/* The whole record, RFC 7208 4.6: any syntax error anywhere is a permanent error. The first one in `fault`. */
bool spf_record_check(struct str text, struct spf_record *out, struct spf_fault *fault);
/* Walks the terms; begin with *at = 0. At the end false with fault->n 0; at a term that is wrong false with what is
 * wrong, and *at behind it, so that a reader who wants all faults may go on. */
bool spf_term_next(struct str text, size_t *at, struct spf_term *out, struct spf_fault *fault);
/* Whether the term costs one of the ten look-ups (RFC 7208 4.6.4). */
bool spf_kind_costs(enum spf_kind kind);
