/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server's replies; each whole one, said by us, reads as the same code. */
#include "fuzz.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = fuzz_str(data, size), line;
	struct reply_reader r;
	struct reply reply;
	struct err err;
	auto_buf struct buf out = {.max = 1 << 20};

	reply_reader_init(&r);
	while (str_cut(&rest, '\n', &line))
		if (reply_reader_line(&r, line, &reply, &err) == REPLY_WHOLE && out.n < 1 << 18)
			reply_write(&out, reply.code, reply.enhanced, reply.text, size & 1);
	r.lines = 0; /* the input may end within a reply */
	for (rest = buf_view(&out); str_cut(&rest, '\n', &line);)
		assert(line.n < 512 && reply_reader_line(&r, str_trim(line), &reply, &err) != REPLY_BROKEN);
	reply_reader_done(&r);
	return 0;
}
