/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One kind of line end, whatever came in. */
#include "client/crlf.h"

void crlf_init(struct crlf *w, struct str newline)
{
	*w = (struct crlf){.newline = newline};
}

static void end_line(struct crlf *w, struct buf *out)
{
	buf_str(out, w->newline);
	w->is_after_cr = w->is_in_line = false;
}

static void add_text(struct crlf *w, struct str text, struct buf *out)
{
	if (text.n == 0)
		return;
	if (w->is_after_cr)
		end_line(w, out);
	buf_str(out, text);
	w->is_in_line = true;
}

void crlf_feed(struct crlf *w, struct str in, struct buf *out)
{
	while (in.n > 0) {
		size_t lf = str_find_char(in, '\n');
		struct str line = str_slice(in, 0, lf);
		for (size_t cr; (cr = str_find_char(line, '\r')) < line.n; line = str_skip(line, cr + 1)) {
			add_text(w, str_slice(line, 0, cr), out);
			w->is_after_cr = true;
		}
		add_text(w, line, out);
		if (lf < in.n)
			end_line(w, out);
		in = str_skip(in, lf + 1);
	}
}

void crlf_finish(struct crlf *w, struct buf *out)
{
	if (w->is_after_cr || w->is_in_line)
		end_line(w, out);
}
