/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered, in the bytes it is stored in. Pure. A value begins with a version and the number of causes
 * known to the program that wrote it; a value of another program version is not read but forgotten.
 */
#pragma once

#include "verify/verify.h"

#define RECORD_MAX 512
#define RECORD_HOST_MAX 127
#define RECORD_SAID_MAX 255

/* One address. Texts point into the value that was decoded. */
struct address_record {
	enum verify_verdict verdict;
	enum verify_class class;
	enum cause_id cause;
	int code;
	bool null_refused, control_refused;
	unsigned attempts;      /* own re-probes so far, while it is TEMPORARY */
	struct wall checked;
	struct wall first;      /* TEMPORARY: the first of this row */
	struct wall retry_at;   /* TEMPORARY: when an answer can be there */
	struct str host, said;
};

/* What is known of a domain's server, each with the time it was learned and when it ends. */
enum domain_kind {
	DOMAIN_NEW,
	DOMAIN_TELLS,        /* refused the random local part: a yes means yes */
	DOMAIN_CATCH_ALL,
	DOMAIN_UNVERIFIABLE, /* 252 */
};
struct domain_record {
	enum domain_kind kind;
	struct wall kind_at, kind_until;
	struct wall null_refused_at, null_refused_until;
	struct wall postmaster_at; /* last accepted */
	struct wall blocked_at, blocked_until;
	enum cause_id blocked_cause;
	enum verify_class blocked_class;
	int code;                  /* of what set kind or blocked last */
	struct str host, said;
};

/* One address of a mail server. */
struct host_record {
	struct wall down_until, blocked_until;
	unsigned steps;            /* failures in a row */
	enum cause_id cause;
	enum verify_class class;
	int code;
	struct str said;
};

/* Each writes into out and returns the view; decoding false: not ours, cut or of another version. */
struct str address_record_encode(const struct address_record *r, char out[RECORD_MAX]);
bool address_record_decode(struct str value, struct address_record *r);
struct str domain_record_encode(const struct domain_record *r, char out[RECORD_MAX]);
bool domain_record_decode(struct str value, struct domain_record *r);
struct str host_record_encode(const struct host_record *r, char out[RECORD_MAX]);
bool host_record_decode(struct str value, struct host_record *r);
