/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trails: kept within bounds, stored and read back the same, printed safely. */
#include "trail/trail.h"

#include "base/auto.h"
#include "base/test.h"
#include "trail/json.h"

static const struct wall begun = {1795335330 * (int64_t)1000000 + 123456};

static void fill(struct trail *t, struct arena *arena)
{
	trail_init(t, arena, begun);
	t->ref = STR("2F3A");
	ip_parse(STR("192.0.2.7"), &t->client);
	t->helo = STR("mx\"\\\x01");
	t->sender = STR("j\xC3\xB6@d.example");
	t->recipients = STR("a@h b@h");
	t->verdict = VERDICT_DEFER;
	t->reply = STR("451 4.1.7 no\r\n");
	trail_note(t, begun, 0, "connect", "ok", CAUSE_NONE, STR_NONE, "%s", "");
	trail_note(t, wall_add(begun, USEC_S), 3200 * USEC_MS, "verify", "temporary", CAUSE_SENDER_VERIFY,
	           STR("j\xC3\xB6@d.example"), "%s", "> MAIL FROM:<>\n< 450 \x1b[2Jlater");
}

static void there_and_back(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf a = {.max = 1 << 20}, b = {.max = 1 << 20};
	struct trail t, back;
	struct err err;

	fill(&t, &arena);
	trail_encode(&t, &a);
	assert_true(trail_decode(&arena, buf_view(&a), &back, &err));
	assert_int_equal(back.begun.us, begun.us);
	assert_str(back.ref, "2F3A");
	assert_true(ip_eq(back.client, t.client));
	assert_str(back.helo, "mx\"\\\x01");
	assert_str(back.recipients, "a@h b@h");
	assert_int_equal(back.verdict, VERDICT_DEFER);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.entries[1].took, 3200 * USEC_MS);
	assert_int_equal(back.entries[1].cause, CAUSE_SENDER_VERIFY);
	assert_str(back.entries[1].subject, "j\xC3\xB6@d.example");
	assert_str(back.entries[1].text, "> MAIL FROM:<>\n< 450 \x1b[2Jlater");
	trail_encode(&back, &b);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
}

static void stays_within_bounds(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf json = {.max = 4 << 20};
	struct trail t, back;
	struct err err;
	char big[1001];

	trail_init(&t, &arena, begun);
	for (int i = 0; i < 250; i++)
		trail_note(&t, begun, 0, "c", "r", CAUSE_NONE, STR_NONE, "%d", i);
	assert_int_equal(t.n, 200);
	assert_int_equal(t.dropped, 50);

	trail_init(&t, &arena, begun);
	memset(big, 1, 1000); /* six bytes each in JSON */
	big[1000] = 0;
	for (int i = 0; i < 100; i++)
		trail_note(&t, begun, 0, "c", "r", CAUSE_NONE, STR_NONE, "%s", big);
	assert_int_equal(t.n, 65);
	assert_int_equal(t.dropped, 35);
	trail_encode(&t, &json);
	assert_true(trail_decode(&arena, buf_view(&json), &back, &err));
	assert_int_equal(back.n, 65);
	assert_int_equal(back.dropped, 35);
	assert_int_equal(back.entries[64].text.n, 1000);
}

static void long_notes_are_cut(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct trail t;
	char big[3000];

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	trail_init(&t, &arena, begun);
	trail_note(&t, begun, 0, "c", "r", CAUSE_NONE, STR_NONE, "%s", big);
	assert_int_equal(t.entries[0].text.n, 1023);
}

static void refuses(void **state)
{
	static const char *const rows[] = {"", "[]", "1", "{", "{\"ref\":}", "\"x\"", "{\"a\":\"\xC3\"}", "null"};
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf deep = {.max = 1 << 20};
	struct trail t = {.n = 7};
	struct err err;

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_row(!trail_decode(&arena, str_from(rows[i]), &t, &err), rows[i]);
	buf_str(&deep, STR("{\"x\":"));
	for (int i = 0; i < 100000; i++)
		buf_char(&deep, '[');
	assert_false(trail_decode(&arena, buf_view(&deep), &t, &err));
	assert_int_equal(t.n, 7);
}

static void is_lenient(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	struct trail t;
	struct err err;

	assert_true(trail_decode(&arena, STR("{\"ref\":5,\"new\":{\"x\":[1]},\"client\":\"x\",\"verdict\":\"maybe\","
	                                     "\"dropped\":-3,\"entries\":[1,{},{\"cause\":\"later\",\"text\":\"a\\u0000b\"}]}"),
	                         &t, &err));
	assert_int_equal(t.ref.n, 0);
	assert_int_equal(t.client.family, 0);
	assert_int_equal(t.verdict, VERDICT_NONE);
	assert_int_equal(t.dropped, 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.entries[1].cause, CAUSE_NONE);
	assert_int_equal(t.entries[1].text.n, 3);
	assert_true(trail_decode(&arena, STR("{\"entries\":7}"), &t, &err));
}

static void prints(void **state)
{
	auto_arena struct arena arena = {.max = 1 << 20};
	auto_buf struct buf b = {.max = 1 << 20};
	struct trail t;

	fill(&t, &arena);
	trail_print(&t, false, &b);
	assert_str(buf_view(&b),
	           "2F3A  2026-11-22T08:15:30.123Z  defer\n"
	           "  from <j\xC3\xB6@d.example> by 192.0.2.7 (helo mx\"\\\\\\x01)\n"
	           "  to a@h b@h\n"
	           "  08:15:30.123  connect    ok            \n"
	           "  08:15:31.123  verify     temporary      j\xC3\xB6@d.example  3.2 s  [sender_verify]\n"
	           "        > MAIL FROM:<>\n"
	           "        < 450 \\x1b[2Jlater\n"
	           "  we said: 451 4.1.7 no\n");
	buf_clear(&b);
	trail_print(&t, true, &b);
	assert_true(str_find(buf_view(&b), STR("\x1b[33mdefer\x1b[0m")) < b.n);
	assert_true(str_find(buf_view(&b), STR("\x1b[2J")) == b.n);
}

/* The copy says the same, also when the original's memory is gone. */
static void copies(void **state)
{
	struct arena first, second;
	struct trail t, copy;
	auto_buf struct buf before = {.max = 1 << 20}, after = {.max = 1 << 20};

	arena_init(&first, SIZE_MAX);
	arena_init(&second, SIZE_MAX);
	fill(&t, &first);
	t.dropped = 3;
	trail_encode(&t, &before);
	trail_copy(&copy, &second, &t);
	arena_done(&first);
	trail_encode(&copy, &after);
	assert_true(str_eq(buf_view(&after), buf_view(&before)));
	arena_done(&second);
}

static void depth(void **state)
{
	assert_true(json_depth_is_sane(STR("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]")));
	assert_false(json_depth_is_sane(STR("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")));
	assert_true(json_depth_is_sane(STR("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"")));
	assert_true(json_depth_is_sane(STR("[][][][][][][][][][][][][][][][][][][][][][][][][][][][][][][][][][]")));
	assert_true(json_depth_is_sane(STR("]]]]")));
	assert_true(json_depth_is_sane(STR("\"\\")));
}

static void verdicts(void **state)
{
	for (int v = VERDICT_NONE; v <= VERDICT_REJECT; v++)
		assert_int_equal(verdict_from_name(str_from(verdict_name((enum verdict)v))), v);
	assert_int_equal(verdict_from_name(STR("x")), VERDICT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(stays_within_bounds),
		cmocka_unit_test(long_notes_are_cut), cmocka_unit_test(refuses), cmocka_unit_test(is_lenient),
		cmocka_unit_test(prints), cmocka_unit_test(copies), cmocka_unit_test(depth), cmocka_unit_test(verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
