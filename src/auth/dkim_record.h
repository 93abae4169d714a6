/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tag lists, the signatures written in them and the key records that signatures name. Pure.
 *
 * One reader serves DKIM-Signature (RFC 6376 3.5), ARC-Message-Signature and ARC-Seal (RFC 8617 4.1), because
 * the ARC fields are DKIM's with a few tags changed. What is parsed points into the input or the arena.
 * DKIM2 fields have names of their own and are nobody's business here.
 */
#pragma once

#include "base/arena.h"

struct dkim_tag {
	struct str name;
	struct str value; /* without the white space around it */
	struct str span;  /* all between '=' and ';' */
};
#define DKIM_TAGS_MAX 32
struct dkim_tags {
	struct dkim_tag tag[DKIM_TAGS_MAX];
	size_t n;
};
/* RFC 6376 3.2. A name twice makes the list invalid. False: *why is a sentence. */
bool dkim_tags_parse(struct str text, struct dkim_tags *out, const char **why);
/* NULL: not there. */
const struct dkim_tag *dkim_tags_find(const struct dkim_tags *tags, struct str name);

enum dkim_kind { DKIM_SIGNATURE, ARC_MESSAGE_SIGNATURE, ARC_SEAL };
enum dkim_hash { DKIM_SHA256, DKIM_SHA1 };
enum arc_cv { ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };
#define ARC_SETS_MAX 50 /* RFC 8617 4.2.1 */

struct dkim_signature {
	enum dkim_kind kind;
	struct str algorithm;  /* "rsa-sha256" */
	bool is_ed25519;
	enum dkim_hash hash;
	struct str domain;     /* d=, A-labels in lower case */
	struct str selector;   /* s=, lower case */
	struct str identity;   /* i= of DKIM as written; empty: not there */
	struct str identity_domain;
	struct str fields;     /* h= as written: names with colons between */
	struct str signature;  /* b=, decoded */
	struct str body_hash;  /* bh=, decoded */
	struct str b_text;     /* b= as written, for reports */
	struct str b_span;     /* what is cut out of the field before it is hashed */
	bool is_header_relaxed, is_body_relaxed;
	bool has_length;       /* l= */
	bool has_expiry;       /* x= */
	bool has_time;         /* t= */
	uint64_t length, expires, time; /* times in seconds since 1970 */
	unsigned instance;     /* i= of ARC */
	enum arc_cv cv;        /* of a seal */
};
/* `value` is what stands behind the field's colon, raw. False: *why says what is wrong; algorithm, domain and
 * selector are filled as far as they could be read. */
bool dkim_signature_parse(struct arena *arena, enum dkim_kind kind, struct str value, struct dkim_signature *out,
                          const char **why);
/* The names in h= one by one; empty ones are skipped. */
bool dkim_fields_next(struct str *rest, struct str *name);

struct dkim_key {
	struct str p;            /* as written; empty: revoked */
	bool is_ed25519;
	bool allows_sha1, allows_sha256;
	bool is_for_mail;        /* s= */
	bool is_testing;         /* t=y */
	bool is_same_domain;     /* t=s: i= may not be a subdomain of d= */
};
/* RFC 6376 3.6.1. */
bool dkim_key_parse(struct str record, struct dkim_key *out, const char **why);

/* "i=N;" in front of an ARC-Authentication-Results value; *rest: what follows. 0: not so. */
unsigned arc_results_instance(struct str value, struct str *rest);
