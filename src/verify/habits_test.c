/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail servers with habits, and the verdict that each must lead to: no wrong exists, absent or catch_all. */
#include "verify/test_bed.h"

/* Who is asked about. */
enum who { WHO_REAL, WHO_ABSENT };

struct row {
	struct habit habit;
	enum who who;
	enum verify_verdict verdict;
	enum verify_class class;
	enum cause_id cause;       /* CAUSE_NONE: not looked at */
	unsigned rcpts;            /* recipients that it may cost, at most */
	bool null_refused;
	bool random_first;         /* run in that order */
};

static const struct row rows[] = {
	{{.name = "truthful"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 2},
	{{.name = "truthful, absent"}, WHO_ABSENT, VERIFY_ABSENT, 0, CAUSE_NO_MAILBOX, 1},
	{{.name = "truthful, pipelining", .pipelines = true}, WHO_REAL, VERIFY_EXISTS, 0, 0, 2},
	{{.name = "truthful, pipelining, absent", .pipelines = true}, WHO_ABSENT, VERIFY_ABSENT, 0, 0, 1},
	{{.name = "truthful, random first"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 2, .random_first = true},
	{{.name = "truthful, random first, absent"}, WHO_ABSENT, VERIFY_ABSENT, 0, 0, 2, .random_first = true},
	{{.name = "takes everything", .unknown = "250 ok"}, WHO_REAL, VERIFY_CATCH_ALL, 0, 0, 2},
	{{.name = "takes everything, absent", .unknown = "250 ok"}, WHO_ABSENT, VERIFY_CATCH_ALL, 0, 0, 2},
	{{.name = "takes everything, random first", .unknown = "250 ok"}, WHO_REAL, VERIFY_CATCH_ALL, 0, 0, 1, .random_first = true},
	{{.name = "takes everything, pipelining", .unknown = "250 ok", .pipelines = true}, WHO_REAL, VERIFY_CATCH_ALL, 0, 0, 2},
	{{.name = "does not tell", .real = "252 maybe", .unknown = "252 maybe"}, WHO_REAL, VERIFY_UNVERIFIABLE, 0, 0, 1},
	{{.name = "tells only of the real", .unknown = "252 maybe"}, WHO_REAL, VERIFY_CATCH_ALL, 0, 0, 2},
	{{.name = "mailbox full", .real = "552 5.2.2 over quota"}, WHO_REAL, VERIFY_EXISTS, 0, CAUSE_QUOTA, 1},
	{{.name = "mailbox full for now", .real = "452 4.2.2 over quota"}, WHO_REAL, VERIFY_EXISTS, 0, CAUSE_QUOTA, 1},
	{{.name = "too fast for it", .real = "450 4.2.1 receiving mail at a rate"}, WHO_REAL, VERIFY_EXISTS, 0, CAUSE_RCPT_RATE, 1},
	{{.name = "refuses without a word", .unknown = "550 no"}, WHO_ABSENT, VERIFY_ABSENT, 0, CAUSE_NO_MAILBOX, 2},
	{{.name = "refuses everybody, postmaster too", .real = "550 no", .unknown = "550 no", .postmaster = "550 no"}, WHO_REAL,
	 VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, 0, 2},
	{{.name = "refuses everybody with 5.7.1", .real = "550 5.7.1 no", .unknown = "550 5.7.1 no", .postmaster = "550 5.7.1 no"},
	 WHO_REAL, VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, 0, 2},
	{{.name = "blocks at RCPT", .real = "550 5.7.1 blocked using zen.spamhaus.org", .unknown = "550 5.7.1 blocked using zen.spamhaus.org"},
	 WHO_ABSENT, VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, CAUSE_BLOCKLIST, 1},
	{{.name = "blocks at the greeting", .greeting = "554 5.7.1 your IP has a poor reputation"}, WHO_REAL, VERIFY_BLOCKED,
	 VERIFY_CLASS_REFUSED_US, CAUSE_REPUTATION, 0},
	{{.name = "554 greeting", .greeting = "554 no SMTP here"}, WHO_ABSENT, VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, 0, 0},
	{{.name = "refuses EHLO and HELO", .ehlo = "550 go away"}, WHO_REAL, VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, 0, 0},
	{{.name = "blocks at MAIL", .mail_null = "550 5.7.1 on our block list (S3140)", .mail_other = "550 5.7.1 on our block list (S3140)"},
	 WHO_REAL, VERIFY_BLOCKED, VERIFY_CLASS_REFUSED_US, CAUSE_BLOCKLIST, 1},
	{{.name = "refuses <> at MAIL", .mail_null = "550 5.7.1 null sender denied"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 4, true},
	{{.name = "refuses <> at MAIL, absent", .mail_null = "550 no"}, WHO_ABSENT, VERIFY_ABSENT, 0, 0, 2, true},
	{{.name = "refuses <> at MAIL, pipelining", .mail_null = "550 no", .pipelines = true}, WHO_REAL, VERIFY_EXISTS, 0, 0, 4, true},
	{{.name = "refuses <> at RCPT (BATV)", .real_null = "550 missing BATV signature"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 3, true},
	{{.name = "refuses both senders", .mail_null = "550 no", .mail_other = "550 no"}, WHO_REAL, VERIFY_BLOCKED,
	 VERIFY_CLASS_REFUSED_NULL, CAUSE_SENDER_REJECTED, 2},
	{{.name = "greylists", .greylists = 5 * USEC_MIN}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED, CAUSE_GREYLIST, 2},
	{{.name = "greylists at MAIL", .mail_null = "451 4.7.1 greylisted"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED,
	 CAUSE_GREYLIST, 1},
	{{.name = "soft unknown", .unknown = "450 4.1.1 User unknown"}, WHO_ABSENT, VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED, 0, 2},
	{{.name = "421 greeting", .greeting = "421 too busy"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED, 0, 0},
	{{.name = "421 at RCPT", .real = "421 4.7.0 try again later"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_DEFERRED, 0, 1},
	{{.name = "reputation for now", .real = "450 4.7.1 poor reputation of 192.0.2.1"}, WHO_REAL, VERIFY_TEMPORARY,
	 VERIFY_CLASS_REFUSED_US, CAUSE_REPUTATION, 1},
	{{.name = "hangs up at once", .greeting = "!close"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 0},
	{{.name = "never greets", .greeting = "!silent"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 0},
	{{.name = "hangs up at EHLO", .ehlo = "!close"}, WHO_ABSENT, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 0},
	{{.name = "hangs up at MAIL", .mail_null = "!close"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 0},
	{{.name = "hangs up at RCPT", .real = "!close"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 1},
	{{.name = "silent at RCPT", .real = "!silent"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 1},
	{{.name = "hangs up behind the answer", .drops_after = 1}, WHO_REAL, VERIFY_EXISTS, 0, 0, 1},
	{{.name = "hangs up behind the answer, absent", .drops_after = 1}, WHO_ABSENT, VERIFY_ABSENT, 0, 0, 1},
	{{.name = "hangs up behind a mute refusal", .drops_after = 1, .unknown = "550 no"}, WHO_ABSENT, VERIFY_TEMPORARY,
	 VERIFY_CLASS_NO_ANSWER, 0, 1},
	{{.name = "hangs up at the control", .unknown_second = "!close"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 2},
	{{.name = "hangs up at RSET", .rset = "!close"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 1},
	{{.name = "does not know RSET", .rset = "502 what?"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 1},
	{{.name = "one transaction in a session", .mail_second = "550 enough"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 1},
	{{.name = "one transaction, mute refusal", .mail_second = "550 enough", .unknown = "550 no"}, WHO_ABSENT, VERIFY_TEMPORARY,
	 VERIFY_CLASS_NO_ANSWER, 0, 1},
	{{.name = "speaks nonsense", .greeting = "hello there"}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, CAUSE_NETWORK, 0},
	{{.name = "nonsense at RCPT", .real = "what a nice day", .unknown = "what a nice day"}, WHO_ABSENT, VERIFY_TEMPORARY,
	 VERIFY_CLASS_NO_ANSWER, 0, 1},
	{{.name = "tarpit of 9 s", .delay = 9 * USEC_S}, WHO_ABSENT, VERIFY_ABSENT, 0, 0, 1},
	{{.name = "tarpit of 30 s", .delay = 25 * USEC_S}, WHO_REAL, VERIFY_TEMPORARY, VERIFY_CLASS_NO_ANSWER, 0, 1},
	{{.name = "no relaying", .real = "550 5.7.1 relaying denied", .unknown = "550 5.7.1 relaying denied",
	  .postmaster = "550 5.7.1 relaying denied"}, WHO_REAL, VERIFY_UNVERIFIABLE, 0, CAUSE_RELAY_DENIED, 2},
	{{.name = "wants authentication", .real = "550 5.7.1 authentication required"}, WHO_REAL, VERIFY_UNVERIFIABLE, 0,
	 CAUSE_AUTH_REQUIRED, 1},
	{{.name = "opts out", .real = "550 5.7.1 address verification is not allowed", .unknown = "550 5.7.1 address verification is not allowed"},
	 WHO_REAL, VERIFY_UNVERIFIABLE, VERIFY_CLASS_REFUSED_US, 0, 1},
	{{.name = "control is blocked", .unknown_second = "550 5.7.1 too many invalid recipients"}, WHO_REAL, VERIFY_EXISTS, 0, 0, 2},
};

static void run_row(void *arg)
{
	const struct row *r = arg;
	struct bed b = {0};
	bed_open(&b);
	b.conf.order = r->random_first ? VERIFY_RANDOM_FIRST : VERIFY_REAL_FIRST;
	struct mail_server *m = bed_mx(&b, "192.88.1.1", &r->habit);
	const char *address = r->who == WHO_REAL ? REAL "@d.example" : "nobody@d.example";
	struct verify_answer *a = ask(&b, address);
	const char *name = r->habit.name;
	if (a->verdict != r->verdict || a->class != r->class || (r->cause && a->cause != r->cause))
		fail_msg("%s: %s, %s, cause %d, said %s\n%.*s", name, verify_verdict_name(a->verdict), verify_class_name(a->class),
		         a->cause, a->said, STR_ARG(a->dialogue));
	assert_row(m->rcpts <= r->rcpts, name);
	assert_row(a->null_refused == r->null_refused, name);
	assert_row(m->datas == 0, name);
	assert_row(a->took <= 61 * USEC_S, name);
	assert_row(a->dialogue.n > 0, name);
	if (a->verdict == VERIFY_TEMPORARY)
		assert_row(a->retry_after >= USEC_MIN, name);
	/* Once more: the cache answers, the server hears nothing new. */
	unsigned sessions = m->sessions;
	a = ask(&b, address);
	assert_row(a->verdict == r->verdict && a->is_cached, name);
	assert_row(m->sessions == sessions, name);
	bed_close(&b);
}

static void each_habit_leads_to_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		run_fake(run_row, (void *)(uintptr_t)&rows[i], i + 1);
}

/* The words exists, absent and catch_all stand only where they are true. */
static void the_table_says_nothing_wrong_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		if (r->verdict == VERIFY_EXISTS)
			assert_row(r->who == WHO_REAL, r->habit.name);
		if (r->verdict == VERIFY_ABSENT)
			assert_row(r->who == WHO_ABSENT, r->habit.name);
		if (r->verdict == VERIFY_CATCH_ALL)
			assert_row(r->habit.unknown && r->habit.unknown[0] == '2', r->habit.name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_habit_leads_to_its_verdict),
		cmocka_unit_test(the_table_says_nothing_wrong_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
