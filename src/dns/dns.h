/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typed DNS answers with one of six outcomes, and the resolver that gives them.
 *
 * A look-up never fails in the sense of `struct err` save when the fiber is cancelled or its deadline
 * passes: trouble of the DNS is an outcome. Answers are reference-counted and immutable; release them.
 * Cached answers cost one hash look-up and no wait; equal questions under way are asked once.
 * CNAMEs are followed (at most 8). Bounds: 100 records of a type are kept, 16 KiB of text for each TXT
 * record, names 253; what lies beyond is dropped and the answer marked `is_cut`. FOUND has one record at least.
 * Names in records are safe to print: bytes that no host name has are written \DDD (such a name resolves to
 * nothing, so an MX record with one stays visible and leads nowhere).
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf_row.h"
#include "base/ip.h"
#include "rt/rt.h"

enum dns_type { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_TLSA = 52, DNS_SPF = 99 /* left over from RFC 4408; read as TXT */ };
enum dns_outcome {
	DNS_FOUND,
	DNS_NODATA,
	DNS_NXDOMAIN,
	DNS_TEMPORARY, /* SERVFAIL, REFUSED, time-out; `why` says which */
	DNS_BOGUS,     /* DNSSEC says forged; treated as temporary by callers, never as absence */
};
const char *dns_outcome_name(enum dns_outcome o);
const char *dns_type_name(enum dns_type t);

struct dns_record {
	union {
		struct ip ip;                                     /* A, AAAA */
		struct { uint16_t preference; struct str host; } mx; /* host "" with preference 0: null MX (RFC 7505) */
		struct str name;                                  /* PTR, CNAME, NS; lower case, no trailing dot */
		struct str text;                                  /* TXT: strings of one record joined */
		struct { uint8_t usage, selector, matching; struct str data; } tlsa;
		struct { struct str mname, rname; uint32_t serial, refresh, retry, expire, minimum; } soa;
	};
};
struct dns_answer {
	enum dns_outcome outcome;
	enum dns_type type;
	struct str name;       /* asked, lower case */
	struct str canonical;  /* after CNAMEs */
	bool is_secure;        /* DNSSEC validated */
	bool is_cut;
	uint32_t ttl;          /* seconds, as received and capped */
	usec_t expires;        /* in our cache */
	struct str why;        /* for TEMPORARY and BOGUS: "timed out", "SERVFAIL", … */
	struct dns_record *records; /* MX sorted by preference */
	size_t n;
	unsigned capacity;     /* private */
	int refs;              /* private */
	struct arena arena;    /* private */
};
void dns_answer_release(const struct dns_answer *a); /* accepts NULL */

struct dns_conf {
	struct str resolver;       /* "recursive", or "ADDR[@PORT]" to forward to, several separated by spaces */
	struct str trust_anchor;   /* file; empty: Debian's root key where it is installed; "none": no validation */
	struct str root_hints;
	usec_t timeout;            /* own deadline for one look-up, default 10 s */
	usec_t ttl_min, ttl_max;   /* caps of our cache: 5 s, 1 d */
	usec_t ttl_negative_max;   /* 15 min */
	usec_t ttl_temporary;      /* how long trouble is remembered: 10 s */
	int64_t cache_max;         /* answers kept: 100000 */
};
extern const struct conf_row dns_conf_rows[];
extern const struct conf_section dns_section; /* "dns" */

struct resolver;
/* The network: libunbound in a thread of its own. */
struct resolver *resolver_open(const struct dns_conf *conf, struct err *err);
/* Answers from a script (CLI.md `--dns`): JSON array text. A name not listed is NXDOMAIN, a listed name
 * without the type NODATA; TIMEOUT waits for the deadline on the fake clock and answers at once otherwise. */
struct resolver *resolver_open_script(const struct dns_conf *conf, struct str json, struct err *err);
/* The same from a jansson list, which is read and not kept. */
struct json_t;
struct resolver *resolver_open_json(const struct dns_conf *conf, const struct json_t *list, struct err *err);
/* Questions under way are answered TEMPORARY. Accepts NULL. */
WAITS void resolver_close(struct resolver *r);

/* `name` in A-label form, any case, with or without trailing dot; an invalid name is NXDOMAIN.
 * False only for ERR_CANCELLED, or ERR_TIMEOUT of a caller's scope that is shorter than conf->timeout. */
WAITS bool dns_lookup(struct resolver *r, struct str name, enum dns_type type,
                      const struct dns_answer **out, struct err *err);
/* The cache alone, without waiting: NULL when it is not there; else release it as any answer. */
const struct dns_answer *dns_lookup_cached(struct resolver *r, struct str name, enum dns_type type);
/* Whether some PTR name of ip resolves back to ip (FCrDNS, RFC 8601 3 "iprev"). *name: the first that does,
 * else the first PTR name, in `arena`. Outcome FOUND: confirmed; NODATA/NXDOMAIN: no PTR or no match. */
WAITS bool dns_iprev(struct resolver *r, struct ip ip, struct arena *arena, enum dns_outcome *outcome,
                     struct str *name, struct err *err);
void dns_flush(struct resolver *r, struct str name); /* name and what is below; empty: all */
