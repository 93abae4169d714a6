/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DKIM signatures of one message, verified in one pass over its body (RFC 6376 6, RFC 8301, RFC 8463).
 *
 *	bodies = dkim_bodies_new();
 *	check = dkim_check_new(&arena, &options, header, bodies);  // reads the signatures, orders the body hashes
 *	dkim_bodies_push(bodies, piece) …; dkim_bodies_finish(bodies);
 *	dkim_check_finish(check, bodies, resolver, keys, &err);    // asks for the keys
 *
 * The body is never kept, so that 50 MB cost no memory. A message without signatures orders no hash. Signatures past
 * `max_signatures` are not looked at. Fields of DKIM2 have other names and are left alone.
 */
#pragma once

#include "auth/dkim_fields.h"
#include "auth/dkim_key.h"
#include "dns/dns.h"

/* RFC 8601 2.7.1; `policy` is what we do not trust although it may verify. */
enum dkim_verdict { DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY, DKIM_TEMPERROR, DKIM_PERMERROR };
const char *dkim_verdict_name(enum dkim_verdict v);

struct dkim_options {
	struct wall now;
	bool allow_sha1;          /* RFC 8301 3.1 forbids it */
	unsigned min_rsa_bits;    /* 0: 1024 (RFC 8301 3.2) */
	unsigned max_signatures;  /* 0: 10 */
	bool allow_partial_body;  /* l= that leaves the end of the body unsigned (RFC 6376 8.2) */
};
#define DKIM_MAX_RSA_BITS 8192 /* verifying costs with the square of the size */

struct dkim_result {
	enum dkim_verdict verdict;
	const char *reason;          /* empty for a plain pass */
	struct str domain, selector, algorithm, identity;
	struct str b;                /* b= as written, for header.b (RFC 6008) */
	unsigned bits;
	bool is_testing;             /* the key says t=y: treat a failure as no signature (3.6.1) */
};
struct dkim_check {
	enum dkim_verdict verdict;   /* pass if one passes; else the mildest of what went wrong */
	const char *reason;          /* when nothing could be evaluated */
	struct dkim_result *results; /* in the order of the header */
	size_t n;
	struct dkim_pending *pending; /* private */
	struct dkim_fields fields;    /* private */
	struct dkim_options options;
	struct arena *arena;
};

struct dkim_check *dkim_check_new(struct arena *arena, const struct dkim_options *options, struct str header,
                                  struct dkim_bodies *bodies);
/* False only when the fiber is cancelled or late. Call once. */
WAITS bool dkim_check_finish(struct dkim_check *c, const struct dkim_bodies *bodies, struct resolver *r,
                             struct dkim_keys *keys, struct err *err);
void dkim_check_done(struct dkim_check *c); /* accepts NULL */

/* What ARC shares: the steps for one signature, each with its own verdict. */
struct dkim_pending {
	struct dkim_signature signature;
	struct header_field field;
	int body;                /* handle, -1: none */
	bool is_decided;
};
/* Orders the body hash and decides what the field alone decides. */
void dkim_pending_init(struct dkim_pending *p, struct arena *arena, const struct dkim_options *o,
                       enum dkim_kind kind, const struct header_field *field, struct dkim_bodies *bodies,
                       struct dkim_result *result);
void dkim_pending_check_body(struct dkim_pending *p, const struct dkim_options *o, const struct dkim_bodies *bodies,
                             struct dkim_result *result);
WAITS bool dkim_pending_check_key(struct dkim_pending *p, const struct dkim_options *o, const struct dkim_digest *digest,
                                  struct resolver *r, struct dkim_keys *keys, struct arena *arena,
                                  struct dkim_result *result, struct err *err);
