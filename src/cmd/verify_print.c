/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict of a call-out in words and as JSON. */
#include "cmd/verify_print.h"

#include "cause/cause.h"
#include "cmd/cmd.h"

static int status_of(const struct verify_answer *a)
{
	switch (a->verdict) {
	case VERIFY_EXISTS:
		return EXIT_FINE;
	case VERIFY_CATCH_ALL:
	case VERIFY_UNVERIFIABLE:
	case VERIFY_SKIPPED:
		return EXIT_WARNING;
	case VERIFY_ABSENT:
		return EXIT_FAULT;
	case VERIFY_BLOCKED:
	case VERIFY_TEMPORARY:
		return EXIT_UNKNOWN;
	}
	return EXIT_UNKNOWN;
}

static const char *means(const struct verify_answer *a)
{
	if (a->dns == VERIFY_DNS_NULL_MX)
		return "the domain says that it takes no mail (null MX)";
	if (a->dns == VERIFY_DNS_NO_DOMAIN)
		return "the domain does not exist in the DNS, or has no mail server";
	if (a->dns == VERIFY_DNS_UNUSABLE)
		return "the domain's mail servers are only at addresses nobody can send to";
	switch (a->verdict) {
	case VERIFY_EXISTS:
		return a->null_refused ? "its server takes mail for it, but refuses the null sender: bounces will not arrive"
		                       : "its own mail server takes mail for it";
	case VERIFY_CATCH_ALL:
		return "its mail server takes mail for any address, so this proves nothing";
	case VERIFY_UNVERIFIABLE:
		return "its mail server does not tell";
	case VERIFY_SKIPPED:
		return "it was not asked";
	case VERIFY_ABSENT:
		return "its own mail server says that there is no such mailbox";
	case VERIFY_BLOCKED:
		return "its mail server refuses to talk to us";
	case VERIFY_TEMPORARY:
		return "could not be found out just now";
	}
	return "";
}

/* Each line of the dialogue is one piece of evidence. */
static void evidence_json(const struct verify_answer *a, struct buf *out)
{
	struct str rest = a->dialogue, line;
	bool is_first = true;

	buf_str(out, STR(",\"evidence\":["));
	while (str_cut(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		if (!is_first)
			buf_char(out, ',');
		buf_json(out, line);
		is_first = false;
	}
	if (is_first && a->said[0])
		buf_json(out, str_from(a->said));
	buf_char(out, ']');
}

void verify_answer_members(const struct verify_answer *a, struct buf *out)
{
	buf_printf(out, "\"verdict\":\"%s\",\"cause\":", verify_verdict_name(a->verdict));
	if (a->verdict == VERIFY_SKIPPED)
		buf_json(out, str_from(verify_skip_name(a->skip)));
	else if (a->cause != CAUSE_NONE)
		buf_json(out, cause_name(a->cause));
	else
		buf_str(out, STR("null"));
	if (a->code > 0)
		buf_printf(out, ",\"code\":%d", a->code);
	else
		buf_str(out, STR(",\"code\":null"));
	evidence_json(a, out);
	buf_printf(out, ",\"cached\":%s,\"took_ms\":%lld", a->is_cached ? "true" : "false", (long long)(a->took / USEC_MS));
}

int verify_answer_print(struct str address, const struct verify_answer *a, bool as_json, struct buf *out)
{
	static const char *const marks[] = {"✓", "?", "✖", "?"};
	int status = status_of(a);
	struct str rest = a->dialogue, line;
	char took[32];

	if (as_json) {
		buf_str(out, STR("{\"address\":"));
		buf_json(out, address);
		buf_char(out, ',');
		verify_answer_members(a, out);
		buf_str(out, STR("}\n"));
		return status;
	}
	duration_text(a->took, took);
	buf_printf(out, "%s %.*s: %s: %s\n", marks[status], STR_ARG(address), verify_verdict_name(a->verdict), means(a));
	if (a->verdict == VERIFY_SKIPPED)
		buf_printf(out, "  because of %s\n", verify_skip_name(a->skip));
	else if (a->verdict == VERIFY_TEMPORARY || a->verdict == VERIFY_BLOCKED)
		buf_printf(out, "  because of %.*s (%s)\n", STR_ARG(cause_name(a->cause)), verify_class_name(a->class));
	if (a->host[0])
		buf_printf(out, "  %s%s said: %s\n", a->is_cached ? "remembered: " : "", a->host, a->said);
	while (str_cut(&rest, '\n', &line)) {
		if (line.n > 0)
			buf_printf(out, "    %.*s\n", STR_ARG(line));
	}
	if (!a->is_cached)
		buf_printf(out, "  took %s\n", took);
	return status;
}
