/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules find their samples, what the gate renders is read back, and no temporary reply becomes permanent. */
#include "cause/classify.h"

#include "base/auto.h"
#include "base/test.h"
#include "cause/advice.h"
#include "cause/come_back.h"
#include "cause/normalise.h"
#include "cause/rules_words.h"

static struct classification classify(const char *text, enum cause_stage stage)
{
	struct classify_question q = {.text = str_from(text), .stage = stage};
	struct classification c;

	cause_classify(rules_builtin(), &q, &c);
	return c;
}

/* "@mail 550 …" is a sample that was heard at that stage. */
static void every_rule_finds_its_samples(void **state)
{
	const struct rules *rules = rules_builtin();

	assert_true(rules_count(rules) > 100);
	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_get(rules, i);
		assert_true(rule->n_like > 0 && rule->confidence > 0);
		for (uint32_t k = 0; k < rule->n_like; k++) {
			struct str sample = rules_sample(rules, rule->first_like + k), stage = STR_NONE;
			struct classify_question q = {.text = sample};
			struct classification c;
			if (sample.p[0] == '@') {
				str_cut(&sample, ' ', &stage);
				assert_true(cause_stage_parse(str_skip(stage, 1), &q.stage));
				q.text = sample;
			}
			cause_classify(rules, &q, &c);
			if (!str_eq(c.rule, rule->id))
				fail_msg("%.*s: \"%.*s\" is read by %.*s", STR_ARG(rule->id), STR_ARG(sample), STR_ARG(c.rule));
			assert_true(c.cause == rule->cause);
		}
	}
}

/* Whatever the gate says, the reader finds the cause that it was said for. */
static void reads_back_what_the_gate_says(void **state)
{
	static const struct say_args args[] = {
		{.sender = {"a@d.example", 11}, .recipient = {"r@h.example", 11}, .here = {"gate.example", 12}, .ref = {"2F3A", 4},
		 .class = SAY_CLASS_DEFERRED, .retry_after = 7 * USEC_MIN},
		{.sender = {"user@host.example", 17}, .recipient = {"spam@h.example", 14}, .here = {"mx.h.example", 12},
		 .class = SAY_CLASS_BUSY, .detail = {"192.0.2.1", 9}},
		{.sender = {"no-reply@d.example", 18}, .recipient = {"greylist@h.example", 18}, .class = SAY_CLASS_REFUSED_NULL},
		{.class = SAY_CLASS_NO_ANSWER}, {.class = SAY_CLASS_REFUSED_US, .sender = {"a@d", 3}, .recipient = {"b@d", 3}},
	};
	int misread = 0;

	for (int what = 0; what < SAY_COUNT; what++) {
		for (size_t i = 0; i < COUNT(args); i++) {
			auto_buf struct buf b = {.max = 4096};
			struct say_args a = args[i];
			if (what != SAY_TOO_MANY_CONNECTIONS)
				a.detail = STR_NONE;
			struct said said = cause_render((enum situation)what, &a, false, &b);
			struct classify_question q = {.text = buf_view(&b)};
			struct classification c;
			cause_classify(rules_builtin(), &q, &c);
			if (c.cause != said.cause) {
				print_error("%s: %.*s is read as %s by %.*s\n", situation_name((enum situation)what), STR_ARG(buf_view(&b)),
				            cause_get(c.cause)->name, STR_ARG(c.rule));
				misread++;
			}
			assert_int_equal(c.is_temporary, said.code < 500);
			assert_int_equal(c.code, said.code);
			if (str_find(buf_view(&b), STR("00:07:00")) < b.n)
				assert_int_equal(c.retry_after_s, 420);
		}
	}
	assert_int_equal(misread, 0);
}

static void come_back_times(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
	} rows[] = {
		{"please come back in 00:02:00", 120}, {"try again in 05:00", 300}, {"Greylisted for 300 seconds", 300},
		{"try again in 300s", 300}, {"Greylisted, retry in 5 minutes", 300}, {"come back in 5 min", 300},
		{"please try again in 1 hour", 3600}, {"try again in a few minutes", 0}, {"try again later", 0},
		{"try again in 10 seconds", 60}, {"retry in 2 days", 43200}, {"retry after 13 hours", 43200},
		{"wait 90 seconds before trying again", 90}, {"Bitte in 5 Minuten erneut versuchen", 300},
		{"veuillez réessayer dans 10 minutes", 600}, {"try again after 2026-11-22T08:10:00Z", 600},
		{"please retry after Sun, 22 Nov 2026 10:00:00 +0100", 3600}, {"not before 22 Nov 2026 08:30:00 +0000", 1800},
		{"r\xC3\xA9" "essayez dans 10 minutes", 600}, {"retry-after: 240", 240}, {"try again in an hour", 3600},
		{"timed out after 300 seconds", 0}, {"message still undelivered after 4 hours", 0},
		{"Could not deliver for the last 432000 seconds. Giving up.", 0}, {"192.0.2.30 try again 4.7.1", 0},
		{"more than 100 connections in 60 seconds", 0}, {"try again 99999999999999999999 seconds", 0}, {"", 0},
	};
	struct wall now;

	assert_true(wall_parse_rfc3339(STR("2026-11-22T08:00:00Z"), &now));
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t got = come_back_seconds(str_from(rows[i].text), now);
		if (got != rows[i].seconds)
			fail_msg("\"%s\": %u", rows[i].text, got);
	}
	assert_int_equal(come_back_seconds(STR("try again after 2026-11-22T08:10:00Z"), (struct wall){0}), 0);
}

static void layers(void **state)
{
	static const struct {
		const char *text;
		enum cause_id cause, because;
		bool is_temporary;
	} rows[] = {
		{"450 4.1.7 unverified address: host mx said: 457 Greylisted", CAUSE_SENDER_VERIFY, CAUSE_GREYLIST, true},
		{"550-Verification failed for <a@b>\n550-Called: 192.0.2.1\n550-Sent: RCPT TO:<a@b>\n550-Response: 550 unknown user\n"
		 "550 Sender verify failed", CAUSE_SENDER_INVALID, CAUSE_NO_MAILBOX, false},
		{"host mx.example.org[192.0.2.1] said: 550 5.1.1 <u@example.org>: User unknown (in reply to RCPT TO command)",
		 CAUSE_NO_MAILBOX, CAUSE_NONE, false},
		{"550 5.1.7 sender rejected: host mx said: 550 mailbox full", CAUSE_SENDER_REJECTED, CAUSE_QUOTA, false},
		{"550 Empf\xC3\x83\xC2\xA4nger unbekannt", CAUSE_NO_MAILBOX, CAUSE_NONE, false},
		{"550 Empf\xE4nger unbekannt", CAUSE_NO_MAILBOX, CAUSE_NONE, false},
		{"550-5.7.26 This mail has been blocked\r\n550-5.7.26 because the sender is unauthenticated.\r\n550 5.7.26 DKIM = did not pass",
		 CAUSE_AUTH_POLICY, CAUSE_NONE, false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct classification c = classify(rows[i].text, CAUSE_AT_UNKNOWN);
		if (c.cause != rows[i].cause || c.because != rows[i].because || c.is_temporary != rows[i].is_temporary)
			fail_msg("%s: %s because %s (%.*s)", rows[i].text, cause_get(c.cause)->name, cause_get(c.because)->name, STR_ARG(c.rule));
	}
}

/* Each sample with its code turned into a 4xx stays temporary, and a sender's fault stays away from the recipient. */
static void no_temporary_reply_is_permanent(void **state)
{
	const struct rules *rules = rules_builtin();
	char text[1024];

	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_get(rules, i);
		struct str sample = rules_sample(rules, rule->first_like);
		if (sample.p[0] != '5')
			continue;
		snprintf(text, sizeof text, "451%.*s", STR_ARG(str_skip(sample, 3)));
		struct classification c = classify(text, CAUSE_AT_UNKNOWN);
		assert_row(c.is_temporary, text);
		bool is_sender_fault = rule->cause == CAUSE_SENDER_INVALID || rule->cause == CAUSE_SENDER_DOMAIN ||
		                       rule->cause == CAUSE_SENDER_REJECTED;
		if (is_sender_fault)
			assert_row(rule->owner != OWNER_RECIPIENT && cause_is_mine(rule->owner, READER_SENDING) == MINE_YES, text);
	}
}

static void doubt(void **state)
{
	struct classification typed = classify("4.5.1", CAUSE_AT_UNKNOWN), nonsense = classify("451 qwertz uiop", CAUSE_AT_UNKNOWN);
	struct classification empty = classify("", CAUSE_AT_UNKNOWN);

	assert_true(typed.is_typed_code && typed.code == 0 && typed.confidence <= 30 && typed.is_temporary);
	assert_int_equal(nonsense.cause, CAUSE_UNKNOWN);
	assert_true(nonsense.confidence <= 20 && nonsense.is_temporary);
	assert_int_equal(empty.cause, CAUSE_UNKNOWN);
	assert_true(classify("451 4.7.1 Try again later", CAUSE_AT_UNKNOWN).confidence < 50);
}

static void an_operators_rules_come_first(void **state)
{
	struct err err;
	struct rules *r = rules_new(STR("rule local.frobnicate maintenance 90 code=45x\nwhen frobnicate* ~ widget\nlike 451 frobnicating the widgets\n"
	                                "rule greylist.named policy 50\nwhen greylist*\nlike 451 greylisted\n"), &err);
	struct classify_question q = {.text = STR("451 We frobnicate one widget")};
	struct classification c;

	assert_non_null(r);
	cause_classify(r, &q, &c);
	assert_int_equal(c.cause, CAUSE_MAINTENANCE);
	q.text = STR("451 greylisted");
	cause_classify(r, &q, &c);
	assert_int_equal(c.cause, CAUSE_POLICY);
	rules_free(r);
	static const char *const bad[] = {"rule a.b nonsense 90\n", "rule a.b quota\n", "when x y\n", "frob\n", "rule a.b quota 90\nwhen aa\n",
	                                  "rule a.b quota 90 colour=red\n", "rule a.b quota 90\nwhen !full\nlike 4\n", "rule a.b quota 90\nwhen @nope\nlike x\n"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		r = rules_new(str_from(bad[i]), &err);
		assert_row(!r && err.text[0], bad[i]);
	}
}

static void words_overlap(void **state)
{
	struct words *w = words_new();
	struct words_hit hits[8];

	words_add(w, STR("he"), 1);
	words_add(w, STR("she"), 2);
	words_add(w, STR("hers"), 3);
	words_add(w, STR("he"), 4);
	words_build(w);
	assert_int_equal(words_scan(w, STR("ushers"), hits, 8), 4);
	assert_int_equal(words_scan(w, STR("ushers"), hits, 2), 2);
	assert_int_equal(words_scan(w, STR("xyz"), hits, 8), 0);
	words_free(w);
}

static void advice_is_whole(void **state)
{
	for (int id = 0; id < CAUSE_COUNT; id++) {
		const struct advice *a = cause_advice((enum cause_id)id);
		assert_row(a->means && a->steps[0] && a->sources && a->reviewed, cause_get((enum cause_id)id)->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_finds_its_samples), cmocka_unit_test(reads_back_what_the_gate_says), cmocka_unit_test(come_back_times),
		cmocka_unit_test(layers), cmocka_unit_test(no_temporary_reply_is_permanent), cmocka_unit_test(doubt),
		cmocka_unit_test(an_operators_rules_come_first), cmocka_unit_test(words_overlap), cmocka_unit_test(advice_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
