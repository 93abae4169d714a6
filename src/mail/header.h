/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a message as bytes: walking its fields, measuring it, taking fields out without copying
 * the message, and writing the trace fields that a gate adds (RFC 5322 2.2, RFC 5321 4.4).
 *
 * A line ends at CR LF, at a bare LF and at a run of CR, exactly where smtp/dot.h ends it when it writes:
 * what we looked for and what leaves us can therefore not differ. The header ends at the first empty
 * line. A line that is neither a field nor a continuation is a field without a name, because others read
 * on behind it. Everything is linear in the bytes looked at and allocates nothing unless it takes an arena.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"

struct header_field {
	struct str name;   /* without blanks before the colon; empty when the line is no field */
	struct str value;  /* raw, behind the colon, with folds, without the last line end */
	struct str whole;  /* all bytes of the field, the last line end too */
	size_t offset;     /* of `whole` in the message */
	size_t text_n;     /* of `whole` without its last line end */
	size_t before;     /* where the text of the field before ends: its line end lies between; 0 for the first */
};
struct header_scan {
	struct str message;
	size_t text_end;   /* of the last field */
	size_t at;         /* where the next field begins; at the end, where the header ends */
	size_t body;       /* valid at the end: behind the empty line, or message.n without one */
	bool has_body;     /* an empty line was seen */
};
void header_scan_init(struct header_scan *s, struct str message);
bool header_scan_next(struct header_scan *s, struct header_field *out);

/* The value on one line: line ends removed, the blanks of a fold kept, trimmed (RFC 5322 2.2.3). */
struct str header_unfold(struct arena *arena, struct str value);
/* The first field of that name, case-insensitively, raw; false: there is none. */
bool header_find(struct str message, struct str name, struct str *value);

/* What limits and loop detection look at, in one pass. */
struct header_summary {
	size_t header_bytes;     /* without the empty line */
	size_t body_offset;
	bool has_body;
	size_t fields, longest_field;
	size_t nameless;         /* lines that are no fields */
	size_t received;         /* hops so far (RFC 5321 6.3) */
	size_t from, date, message_id;
	bool is_automatic;       /* Auto-Submitted other than "no" (RFC 3834) */
};
void header_summarise(struct str message, struct header_summary *out);

/* The bytes [*from, *to) to leave out so that the field is gone and every other line ends where it did. With its text
 * goes the line end of the field before, and its own stays: a bare CR kept in front of the LF of an empty line would become
 * one line end with it, and the body header. Where nothing before it is kept, has_kept false, it goes with its own. */
void header_field_cut(const struct header_field *f, bool has_kept, size_t *from, size_t *to);

/* Taking fields out: init, then each `next` gives a slice of the message to keep, in order; the last
 * one holds the body. `names` are field names; Authentication-Results fields whose authserv-id is
 * `authserv_id` go too (RFC 8601 5), in any case, folding, quoting or comment; empty: none do. */
struct header_keep {
	struct header_scan scan;
	const struct str *names;
	size_t n_names;
	struct str authserv_id;
	size_t kept_to;          /* bytes before are yielded or dropped */
	size_t dropped;          /* fields taken out so far */
	bool has_kept;           /* a field was kept */
	bool is_done;
};
void header_keep_init(struct header_keep *k, struct str message, const struct str *names, size_t n_names,
                      struct str authserv_id);
bool header_keep_next(struct header_keep *k, struct str *slice);
/* Behind folding blanks and comments, which nest (RFC 5322 3.2.2); a comment without end ends the text. */
struct str header_skip_cfws(struct str s);
/* The authserv-id that the value of an Authentication-Results field begins with; false: none readable. */
bool header_authserv_id(struct arena *arena, struct str value, struct str *out);
/* Whether that value claims to be by `authserv_id`, an unreadable one that names it anywhere too. */
bool header_claims_authserv_id(struct str value, struct str authserv_id);

struct received_args {
	struct str helo;         /* as the client said it; odd bytes become '?' */
	struct str ptr;          /* confirmed reverse name, else empty */
	struct ip ip;            /* family 0: no network client */
	struct str host;         /* ours */
	bool is_lmtp, is_esmtp, is_utf8, is_tls, is_auth;
	struct str tls;          /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; a comment, left out when empty */
	struct str ref;
	struct str rcpt;         /* local@domain of the only recipient, else empty */
	struct wall now;
};
/* RFC 5321 4.4 and the protocol names of RFC 3848 and 6531; folded, ends with CR LF. */
void header_received(struct buf *out, const struct received_args *a);
/* address: local@domain as on the wire, empty for the null path. */
void header_return_path(struct buf *out, struct str address);
