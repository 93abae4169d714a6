/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line and its parameters. */
#include "fuzz.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct smtp_command c;
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	struct smtp_fault fault = {0};
	uint64_t n;
	bool is_last;

	smtp_command_parse(fuzz_str(data, size), &c);
	assert(smtp_mail_parse(&arena, c.argument, &mail, &fault) || (fault.code >= 500 && fault.text.n > 0));
	assert(smtp_rcpt_parse(&arena, c.argument, size & 1, &rcpt, &fault) || fault.code >= 500);
	return smtp_bdat_parse(c.argument, &n, &is_last) && smtp_helo_is_valid(c.argument) && n > INT64_MAX;
}
