/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line ends of what leaves us or lands in a mailbox. For BDAT every line ends in CR LF without dots being stuffed;
 * for a Maildir every line ends in LF. The same bytes count as a line end as in smtp/dot.h: CR LF, a bare LF, a
 * run of CR, so that all three ways out show the same lines.
 */
#pragma once

#include "base/buf.h"

struct crlf {
	struct str newline; /* STR("\r\n") or STR("\n") */
	bool is_after_cr;   /* a CR was read and its line end not yet written */
	bool is_in_line;    /* the line has bytes, or the CR of none */
};
void crlf_init(struct crlf *w, struct str newline);
void crlf_feed(struct crlf *w, struct str in, struct buf *out);
void crlf_finish(struct crlf *w, struct buf *out); /* ends the last line if that is needed */
