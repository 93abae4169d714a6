/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and domain names: what is one, what it becomes, what its pattern is. */
#include "mail/address.h"

#include "base/auto.h"
#include "base/test.h"
#include "mail/test_data.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Long because it is one table. */
static void addresses(void **state)
{
	static const struct {
		const char *in;
		bool utf8;
		const char *text, *key; /* NULL: refused */
	} rows[] = {
		{"joe@Example.ORG", false, "joe@Example.ORG", "joe@example.org"},
		{"Joe.B+x@a.example", false, "Joe.B+x@a.example", "Joe.B+x@a.example"},
		{"!#$%&'*+-/=?^_`{|}~@a.b", false, "!#$%&'*+-/=?^_`{|}~@a.b", "!#$%&'*+-/=?^_`{|}~@a.b"},
		{"\"joe\"@a.example", false, "joe@a.example", "joe@a.example"},
		{"\"j o\"@a.example", false, "\"j o\"@a.example", "j o@a.example"},
		{"\"j\\o\\\"e\"@a.example", false, "\"jo\\\"e\"@a.example", "jo\"e@a.example"},
		{"\"a@b\"@a.example", false, "\"a@b\"@a.example", "a@b@a.example"},
		{"\"\"@a.example", false, "\"\"@a.example", "@a.example"},
		{"\"a..b\"@a.example", false, "\"a..b\"@a.example", "a..b@a.example"},
		{"a@[192.0.2.1]", false, "a@[192.0.2.1]", "a@[192.0.2.1]"},
		{"a@[IPv6:2001:DB8::0:1]", false, "a@[IPv6:2001:DB8::0:1]", "a@[IPv6:2001:db8::1]"},
		{"a@[ipv6:::ffff:192.0.2.1]", false, "a@[ipv6:::ffff:192.0.2.1]", "a@[192.0.2.1]"},
		{"a@localhost", false, "a@localhost", "a@localhost"},
		{"a@_x.example", false, "a@_x.example", "a@_x.example"},
		/* longer than RFC 5321 4.5.3.1.1 promises: VERP does that */
		{A64 "a@a.example", false, A64 "a@a.example", A64 "a@a.example"},
		{"a@" A63 ".example", false, "a@" A63 ".example", "a@" A63 ".example"},
		{"j\xC3\xB6@b\xC3\xBC" "cher.example", true, "j\xC3\xB6@b\xC3\xBC" "cher.example",
		 "j\xC3\xB6@xn--bcher-kva.example"},
		{"a@B\xC3\x9C" "CHER.example", true, "a@B\xC3\x9C" "CHER.example", "a@xn--bcher-kva.example"},
		{"a@fa\xC3\x9F.de", true, "a@fa\xC3\x9F.de", "a@xn--fa-hia.de"}, /* non-transitional */
		{"a@\xE4\xBE\x8B\xE3\x80\x82\xE6\xB5\x8B", true, "a@\xE4\xBE\x8B\xE3\x80\x82\xE6\xB5\x8B",
		 "a@xn--fsq.xn--0zw"}, /* ideographic full stop */
		{"", false, NULL, NULL}, {"@", false, NULL, NULL}, {"joe", false, NULL, NULL},
		{"joe@", false, NULL, NULL}, {"@a.example", false, NULL, NULL},
		{".a@b", false, NULL, NULL}, {"a.@b", false, NULL, NULL}, {"a..b@c", false, NULL, NULL},
		{"a b@c", false, NULL, NULL}, {"a@b c", false, NULL, NULL}, {"a@b@c", false, NULL, NULL},
		{"a<b@c", false, NULL, NULL}, {"a>@c", false, NULL, NULL}, {"a@c>", false, NULL, NULL},
		{"(x)a@c", false, NULL, NULL}, {"a\n@c", false, NULL, NULL}, {"a\t@c", false, NULL, NULL},
		{"a@c\r", false, NULL, NULL}, {"\"a\n\"@c", false, NULL, NULL}, {"\"a@c", false, NULL, NULL},
		{"\"a\\", false, NULL, NULL}, {"\"a\"b@c", false, NULL, NULL}, {"a\"b\"@c", false, NULL, NULL},
		{"a@b.", false, NULL, NULL}, {"a@.b", false, NULL, NULL}, {"a@b..c", false, NULL, NULL},
		{"a@-b", false, NULL, NULL}, {"a@b-", false, NULL, NULL}, {"a@b-.c", false, NULL, NULL},
		{"a@[192.0.2]", false, NULL, NULL}, {"a@[2001:db8::1]", false, NULL, NULL},
		{"a@[IPv6:192.0.2.1]", false, NULL, NULL}, {"a@[x:y]", false, NULL, NULL},
		{"a@[]", false, NULL, NULL}, {"a@[", false, NULL, NULL}, {"a@]", false, NULL, NULL},
		{"a@" A64 ".example", false, NULL, NULL},
		{"j\xC3\xB6@b", false, NULL, NULL}, {"j@b\xC3\xBC", false, NULL, NULL},
		{"j\xC3@b", true, NULL, NULL}, {"j\xC0\xAF@b", true, NULL, NULL},
		{"j\xED\xA0\x80@b", true, NULL, NULL}, {"j\xC2\x85@b", true, NULL, NULL},
		{"j\xE2\x80\xAE@b", true, NULL, NULL}, /* right-to-left override */
		{"a@\xE2\x84\x80.example", true, NULL, NULL}, /* U+2100 maps to a/c */
		{"a@b\xC3.example", true, NULL, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct address a = {.local = STR("untouched")};
		struct err err;
		bool ok = address_parse(&arena, str_from(rows[i].in), rows[i].utf8, &a, &err);
		assert_row(ok == (rows[i].text != NULL), rows[i].in);
		if (!ok) {
			assert_str(a.local, "untouched");
			assert_row(err.text[0] && err.cause == CAUSE_PROTOCOL, rows[i].in);
			continue;
		}
		assert_str(address_text(&arena, &a), rows[i].text);
		assert_str(address_key(&arena, &a), rows[i].key);
		assert_row(a.needs_smtputf8 == rows[i].utf8, rows[i].in);
		assert_row((a.literal.family != 0) == (rows[i].key[strlen(rows[i].key) - 1] == ']'), rows[i].in);
	}
}

static void nul_is_no_end(void **state)
{
	auto_arena struct arena arena = {.max = 65536};
	struct address a;
	struct err err;

	assert_false(address_parse(&arena, STR("a\0b@c"), true, &a, &err));
	assert_false(address_parse(&arena, STR("\"a\0b\"@c"), true, &a, &err));
	assert_false(address_parse(&arena, STR("a@c\0.example"), true, &a, &err));
	assert_false(address_parse(&arena, STR("a@b\xC3\xBC\0.example"), true, &a, &err));
}

static void too_long(void **state)
{
	auto_arena struct arena arena = {.max = 65536};
	struct address a;
	struct err err;
	char text[300];

	memset(text, 'a', sizeof text);
	memcpy(text + 246, "@b.examp", 8);
	assert_true(address_parse(&arena, (struct str){text, 254}, false, &a, &err));
	assert_false(address_parse(&arena, (struct str){text, 255}, false, &a, &err));
}

static void domains(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"A.Example", "a.example"}, {"a.example.", "a.example"}, {"xn--BCHER-kva.example", "xn--bcher-kva.example"},
		{"_dmarc.a", "_dmarc.a"}, {".", NULL}, {"", NULL}, {"a..", NULL}, {"a b", NULL}, {"a/c", NULL},
		{"\xEF\xBC\xA1.example", "a.example"}, {"\xE2\x84\x80", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct str out = STR_NONE;
		struct err err;
		bool ok = domain_to_ascii(&arena, str_from(rows[i].in), &out, &err);
		assert_row(ok == (rows[i].out != NULL), rows[i].in);
		assert_str(out, rows[i].out);
	}
	assert_true(domain_is_within(STR("a.b.example"), STR("b.example")));
	assert_true(domain_is_within(STR("b.example"), STR("b.example")));
	assert_false(domain_is_within(STR("ab.example"), STR("b.example")));
	assert_false(domain_is_within(STR("example"), STR("b.example")));
	assert_false(domain_is_within(STR("b.example"), STR("")));
	assert_false(domain_is_valid(STR("A.example")));
	assert_false(domain_is_valid(STR("a.example.")));
}

static void patterns(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"joe", NULL}, {"joe.smith", NULL}, {"joe-smith", NULL}, {"j", NULL}, {"", NULL},
		{"joe+tag", "joe+*"}, {"+tag", NULL}, {"joe+", NULL},
		{"prvs=1234abcdef=joe", "prvs=*=joe"}, {"PRVS=1234abcdef=joe", "prvs=*=joe"},
		{"prvs=joe", NULL}, {"prvs==joe", NULL},
		{"btv1==123==joe", "btv1==*==joe"}, {"msprvs1=19387qKWjNuXh=bounces-1", "msprvs1=*=bounces-1"},
		{"SRS0=HHH=TT=example.org=joe", "SRS0=*"}, {"srs1+HHH=x==HHH=TT=a=b", "SRS1+*"},
		{"SRS0joe", NULL}, {"list-bounces+joe=example.org", "list-bounces+*"},
		{"bounces+12-ab-joe=example.org", "bounces+*"},
		{"list-return-123-joe=example.com", "list-return-*"},
		{"list-owner-joe=example.com", "list-owner-*"}, {"a-b=c", NULL},
		{"010001890abcdef1-1a2b3c4d-0000-1111-2222-333344445555-000000", "*"},
		{"deadbeefdeadbeef", NULL}, {"1234567890", NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena = {.max = 65536};
		struct str p = address_pattern(&arena, str_from(rows[i].in));
		if (p.n > 0 && rows[i].out)
			assert_row(str_ieq(p, str_from(rows[i].out)), rows[i].in);
		else
			assert_row((p.n > 0) == (rows[i].out != NULL), rows[i].in);
	}
}

/* A JSON string without \u beyond 00FF, which is what the collection holds. */
static struct str unjson(struct arena *arena, struct str s)
{
	char *text = arena_alloc(arena, s.n);
	size_t n = 0;

	for (size_t i = 1; i + 1 < s.n; i++) {
		char c = s.p[i];
		if (c == '\\') {
			c = s.p[++i];
			if (c == 'u') {
				text[n++] = (char)strtol((char[]){s.p[i + 3], s.p[i + 4], 0}, NULL, 16);
				i += 4;
				continue;
			}
			c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == 'b' ? '\b' : c;
		}
		text[n++] = c;
	}
	return (struct str){text, n};
}

/* The collection of is_email: what it calls valid in an envelope is valid here and the reverse. */
static void agrees_with_is_email(void **state)
{
	/* Taken here all the same: local parts over 64 octets (RFC 5321 4.5.3.1.1 is a promise, not a
	 * ban), and "::" for a single group, which RFC 5952 discourages and every parser reads. */
	static const char *const ours[] = {"ISEMAIL_RFC5322_LOCAL_TOOLONG", "ISEMAIL_RFC5321_IPV6DEPRECATED"};
	struct buf file;
	struct str rest, line;
	size_t rows = 0;

	if (test_data_read("is_email/tests.tsv", &file)) {
		rest = buf_view(&file);
		str_cut(&rest, '\n', &line);
		while (str_cut(&rest, '\n', &line)) {
			auto_arena struct arena arena = {.max = 65536};
			struct str id, address, category, diagnosis, reply, valid;
			struct address a;
			struct err err;
			if (!str_cut(&line, '\t', &id) || !str_cut(&line, '\t', &address) ||
			    !str_cut(&line, '\t', &category) || !str_cut(&line, '\t', &diagnosis) ||
			    !str_cut(&line, '\t', &reply) || !str_cut(&line, '\t', &valid))
				fail_msg("short row %.*s", STR_ARG(id));
			bool want = str_eq(valid, STR("yes"));
			for (size_t i = 0; i < COUNT(ours); i++)
				want = want || str_eq(diagnosis, str_from(ours[i]));
			bool got = address_parse(&arena, unjson(&arena, address), false, &a, &err);
			if (got != want)
				fail_msg("%.*s %.*s: %s", STR_ARG(id), STR_ARG(address), got ? "taken" : err.text);
			rows++;
		}
		assert_int_equal(rows, 164);
	}
	buf_done(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(nul_is_no_end), cmocka_unit_test(too_long),
		cmocka_unit_test(domains),   cmocka_unit_test(patterns),      cmocka_unit_test(agrees_with_is_email),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
