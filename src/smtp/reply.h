/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMTP replies: parsing what a server says (RFC 5321 4.2, RFC 2034, RFC 3463) and writing what we say.
 * The reader is a push machine: feed it lines, it says when the reply is whole. Bounded: 100 lines and
 * 8 KiB of text are kept, what comes beyond is read and dropped (marked `is_cut`), 1000 lines are an error.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct enhanced_code {
	uint8_t class; /* 2, 4, 5; 0: none given */
	uint16_t subject, detail;
};

struct reply {
	int code;                    /* 200..599 */
	struct enhanced_code enhanced;
	struct str text;             /* lines joined with '\n', codes removed; bytes as received */
	bool is_cut;
};

static inline bool reply_is_positive(const struct reply *r)
{
	return r->code >= 200 && r->code < 400;
}
static inline bool reply_is_temporary(const struct reply *r)
{
	return r->code >= 400 && r->code < 500;
}
static inline bool reply_is_permanent(const struct reply *r)
{
	return r->code >= 500 && r->code < 600;
}

struct reply_reader {
	int code;
	unsigned lines;
	struct enhanced_code enhanced;
	struct buf text;
	bool is_cut;
};
void reply_reader_init(struct reply_reader *r);
void reply_reader_done(struct reply_reader *r);
enum reply_step { REPLY_MORE, REPLY_WHOLE, REPLY_BROKEN };
/* One line without its line end. BROKEN: not a reply line, or the code changed in the middle (RFC 5321
 * 4.2.1); *out is filled on WHOLE, its text is valid until the next use of the reader. */
enum reply_step reply_reader_line(struct reply_reader *r, struct str line, struct reply *out, struct err *err);

/* At the start of `s`, a blank or the end behind it; *used: its bytes without the blank. */
bool enhanced_code_parse(struct str s, struct enhanced_code *out, size_t *used);
struct str enhanced_code_text(struct enhanced_code c, char out[16]);

/* Writes the reply in as many lines as it needs, each at most 512 octets with CRLF and carrying the
 * enhanced code; bytes outside printable ASCII are escaped unless allow_utf8 and valid. */
void reply_write(struct buf *out, int code, struct enhanced_code enhanced, struct str text, bool allow_utf8);
