/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPF lint: for each check a record that has the fault, and where the caret stands; the leading tools' wrong answers, right. */
#include "auth/spf_lint.h"

#include "base/auto.h"
#include "base/test.h"

#define NOWHERE -1
#define ANY     -2

/* Forty networks: more than one record of 450 bytes. */
#define FOUR(x) "ip4:13.1." x ".1 ip4:13.3." x ".1 ip4:13.5." x ".1 ip4:13.7." x ".1 "
#define WIDE    FOUR("1") FOUR("2") FOUR("3") FOUR("4") FOUR("5") FOUR("6") FOUR("7") FOUR("8") FOUR("9") FOUR("10") "ip4:13.9.1.1"
#define LONG_256 "v=spf1 ip4:13.1.1.1 ip4:13.1.1.3 ip4:13.1.1.5 ip4:13.1.1.7 ip4:13.1.1.9 ip4:13.1.2.1 ip4:13.1.2.3 ip4:13.1.2.5 ip4:13.1.2.7 " \
                 "ip4:13.1.2.9 ip4:13.1.3.1 ip4:13.1.3.3 ip4:13.1.3.5 ip4:13.1.3.7 ip4:13.1.3.9 ip4:13.1.4.1 ip4:13.1.4.3 ip4:13.1.4.5 ip4:13.1.4.7 -all"

static const char script[] =
	"[[\"e.example\",\"A\",\"192.0.2.1\"],[\"e.example\",\"MX\",[10,\"mx.e.example\"]],[\"mx.e.example\",\"A\",\"192.0.2.2\"],"
	"[\"mx.e.example\",\"TXT\",\"v=spf1 a -all\"],[\"_dmarc.e.example\",\"TXT\",\"v=DMARC1; p=reject\"],"
	"[\"b.example\",\"TXT\",\"v=spf1 a:h.example a:h.example a:h.example -all\"],[\"h.example\",\"A\",\"198.51.100.1\"],"
	"[\"plain.example\",\"TXT\",\"hello\"],[\"open.example\",\"TXT\",\"v=spf1 +all\"],"
	"[\"loop.example\",\"TXT\",\"v=spf1 include:loop2.example -all\"],[\"loop2.example\",\"TXT\",\"v=spf1 redirect=loop.example\"],"
	"[\"two.example\",\"TXT\",\"v=spf1 -all\"],[\"two.example\",\"TXT\",\"v=spf1 mx -all\"],"
	"[\"near.example\",\"TXT\",\"v=spf1;-all\"],[\"space.example\",\"TXT\",\" v=spf1 -all\"],"
	"[\"id.example\",\"TXT\",\"spf2.0/pra -all\"],[\"sick.example\",\"*\",\"SERVFAIL\"],"
	"[\"nomail.example\",\"MX\",[0,\".\"]],[\"nomail.example\",\"TXT\",\"v=spf1 a:h.example -all\"],"
	"[\"soft.example\",\"TXT\",\"v=spf1 ip4:192.88.1.1 ~all\"],"
	"[\"bounce.example\",\"TXT\",\"v=spf1 mx -all\"],[\"bounce.example\",\"MX\",[1,\"m.bounce.example\"]],[\"m.bounce.example\",\"A\",\"192.88.1.1\"],"
	"[\"why.example\",\"TXT\",\"one\"],[\"why.example\",\"TXT\",\"two\"],"
	"[\"old.example\",\"TXT\",\"v=spf1 -all\"],[\"old.example\",\"SPF\",\"v=spf1 -all\"],"
	"[\"older.example\",\"TXT\",\"v=spf1 -all\"],[\"older.example\",\"SPF\",\"v=spf1 mx -all\"],"
	"[\"why1.example\",\"TXT\",\"%{i} is not ours\"],[\"nobody.example\",\"TXT\",\"v=spf1 a:n1.example -all\"],"
	"[\"silent.example\",\"MX\",[0,\".\"]],[\"silent.example\",\"TXT\",\"v=spf1 -all\"],"
	"[\"wide.example\",\"TXT\",\"v=spf1 " WIDE " -all\"],"
	"[\"ten.example\",\"MX\",[1,\"m.e.example\"]],[\"ten.example\",\"MX\",[2,\"m.e.example\"]],[\"ten.example\",\"MX\",[3,\"m.e.example\"]],"
	"[\"ten.example\",\"MX\",[4,\"m.e.example\"]],[\"ten.example\",\"MX\",[5,\"m.e.example\"]],[\"ten.example\",\"MX\",[6,\"m.e.example\"]],"
	"[\"ten.example\",\"MX\",[7,\"m.e.example\"]],[\"ten.example\",\"MX\",[8,\"m.e.example\"]],[\"ten.example\",\"MX\",[9,\"m.e.example\"]],"
	"[\"ten.example\",\"MX\",[10,\"m.e.example\"]],[\"m.e.example\",\"A\",\"192.0.2.3\"],"
	"[\"big.example\",\"MX\",[1,\"m1.big.example\"]],[\"big.example\",\"MX\",[2,\"m2.big.example\"]],[\"big.example\",\"MX\",[3,\"m3.big.example\"]],"
	"[\"big.example\",\"MX\",[4,\"m4.big.example\"]],[\"big.example\",\"MX\",[5,\"m5.big.example\"]],[\"big.example\",\"MX\",[6,\"m6.big.example\"]],"
	"[\"big.example\",\"MX\",[7,\"m7.big.example\"]],[\"big.example\",\"MX\",[8,\"m8.big.example\"]],[\"big.example\",\"MX\",[9,\"m9.big.example\"]],"
	"[\"big.example\",\"MX\",[10,\"m10.big.example\"]],[\"big.example\",\"MX\",[11,\"m11.big.example\"]]]";

static const struct {
	const char *domain, *record; /* a record of NULL: the domain's own */
	const char *id;              /* must be among the findings; "!SPF005" must not */
	int severity, at;
	int lookups;                 /* ANY: not looked at */
} rows[] = {
	{"plain.example", NULL, "SPF001", SPF_SEVERITY_WARNING, NOWHERE, 0},
	{"nowhere.example", NULL, "SPF001", SPF_SEVERITY_ERROR, NOWHERE, 0},
	{"two.example", NULL, "SPF002", SPF_SEVERITY_ERROR, NOWHERE, 0},
	{"e.example", "V=SPF1 -all", "SPF004", SPF_SEVERITY_INFO, 0, 0},
	{"near.example", NULL, "SPF004", SPF_SEVERITY_ERROR, 6, 0},
	{"e.example", "v=spf1 a: -all", "SPF005", SPF_SEVERITY_ERROR, 7, ANY},
	{"e.example", "v=spf1 mx op=auth -all", "SPF006", SPF_SEVERITY_INFO, 10, 1},
	{"e.example", "v=spf1 foo:bar -all", "SPF006", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 ip4=192.88.1.1 -all", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 ipv4:192.88.1.1 -all", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 redirect:h.example", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 a:h.example,mx -all", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 ip4:192.88.1.1-all", "SPF007", SPF_SEVERITY_ERROR, 21, 0},
	{"e.example", "v=spf1 a:h.example-all", "SPF007", SPF_SEVERITY_ERROR, 18, 1},
	{"e.example", "v=spf1 \xe2\x80\x9cmx -all", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 192.88.1.0/24 -all", "SPF007", SPF_SEVERITY_ERROR, 7, 0},
	{"e.example", "v=spf1 include:b.example include:b.example a:h.example a:h.example a:h.example -all", "SPF010", SPF_SEVERITY_ERROR,
         NOWHERE, 11},
	{"e.example", "v=spf1 include:b.example include:b.example a:h.example a:h.example a:h.example -all", "SPF011", SPF_SEVERITY_INFO,
         NOWHERE, 11},
	{"e.example", "v=spf1 include:b.example include:b.example a:h.example a:h.example a:h.example -all", "SPF060", SPF_SEVERITY_INFO,
         NOWHERE, 11},
	{"e.example", "v=spf1 include:b.example a:h.example a mx -all", "!SPF011", 0, 0, 7},
	{"e.example", "v=spf1 include:b.example include:b.example -all", "SPF016", SPF_SEVERITY_WARNING, 25, 8},
	{"e.example", "v=spf1 a mx include:b.example a mx -all", "SPF061", SPF_SEVERITY_INFO, NOWHERE, 8},
	{"e.example", "v=spf1 a:n1.example a:n2.example a:n3.example -all", "SPF012", SPF_SEVERITY_ERROR, NOWHERE, 3},
	{"e.example", "v=spf1 a:n1.example -all", "SPF012", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 mx:big.example -all", "SPF013", SPF_SEVERITY_ERROR, 7, 1},
	{"e.example", "v=spf1 include:plain.example -all", "SPF014", SPF_SEVERITY_ERROR, 7, 1},
	{"e.example", "v=spf1 redirect=plain.example", "SPF014", SPF_SEVERITY_ERROR, 7, 1},
	{"loop.example", NULL, "SPF015", SPF_SEVERITY_ERROR, 7, 2},
	{"e.example", "v=spf1 include:e.example -all", "SPF015", SPF_SEVERITY_ERROR, 7, 1},
	{"e.example", "v=spf1 +all", "SPF020", SPF_SEVERITY_CRITICAL, 7, 0},
	{"e.example", "v=spf1 all", "SPF020", SPF_SEVERITY_CRITICAL, 7, 0},
	{"e.example", "v=spf1 include:open.example -all", "SPF020", SPF_SEVERITY_CRITICAL, 7, 1},
	{"e.example", "v=spf1 exists:h.example -all", "SPF020", SPF_SEVERITY_CRITICAL, 7, 1},
	{"e.example", "v=spf1 mx ?all", "SPF021", SPF_SEVERITY_WARNING, 10, 1},
	{"e.example", "v=spf1 mx", "SPF021", SPF_SEVERITY_WARNING, 8, 1},
	{"soft.example", NULL, "SPF022", SPF_SEVERITY_INFO, NOWHERE, 0},
	{"e.example", "v=spf1 mx ~all", "!SPF022", 0, 0, 1},
	{"e.example", "v=spf1 -all include:b.example", "SPF023", SPF_SEVERITY_WARNING, 12, 0},
	{"e.example", "v=spf1 redirect=b.example -all", "SPF023", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 -all ~all", "SPF024", SPF_SEVERITY_WARNING, 12, 0},
	{"e.example", "v=spf1 exp=h.example exp=h.example -all", "SPF024", SPF_SEVERITY_ERROR, 21, 0},
	{"e.example", "v=spf1 ptr -all", "SPF030", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 ip4:0.0.0.0/0 -all", "SPF031", SPF_SEVERITY_CRITICAL, 7, 0},
	{"e.example", "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", "SPF031", SPF_SEVERITY_CRITICAL, 7, 0},
	{"e.example", "v=spf1 ip4:13.0.0.0/8 -all", "SPF031", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 a/8 -all", "SPF031", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 ip6:2000::/3 -all", "SPF031", SPF_SEVERITY_CRITICAL, NOWHERE, 0},
	{"e.example", "v=spf1 ip4:13.1.0.0/16 -all", "!SPF031", 0, 0, 0},
	{"e.example", "v=spf1 ip4:10.1.2.0/24 -all", "SPF032", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 ip4:13.1.2.77/24 -all", "SPF033", SPF_SEVERITY_INFO, 7, 0},
	{"e.example", "v=spf1 ip4:13.1.2.0/24 ip4:13.1.2.5 -all", "SPF033", SPF_SEVERITY_INFO, 23, 0},
	{"e.example", "v=spf1 ip4:13.1.2.0/33 -all", "SPF034", SPF_SEVERITY_ERROR, 20, 0},
	{"e.example", "v=spf1 ip4:2a00::1 -all", "SPF034", SPF_SEVERITY_ERROR, 11, 0},
	{"e.example", "v=spf1 a/24 -all", "SPF035", SPF_SEVERITY_INFO, 7, 1},
	{"e.example", "v=spf1 a/24 -all", "!SPF012", 0, 0, 1},
	{"e.example", "v=spf1 mx/24 -all", "!SPF012", 0, 0, 1},
	{"e.example", "v=spf1 exists:%{i}.h.example -all", "SPF040", SPF_SEVERITY_INFO, 7, 1},
	{"e.example", "v=spf1 exists:%{p}.h.example -all", "SPF040", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 exists:%{x}.h.example -all", "SPF040", SPF_SEVERITY_ERROR, 14, ANY},
	{"e.example", "v=spf1 -all exp=why.example", "SPF041", SPF_SEVERITY_WARNING, 12, 0},
	{"e.example", "v=spf1 mx exp=why.example -all", "SPF041", SPF_SEVERITY_WARNING, 10, 1},
	{"space.example", NULL, "SPF050", SPF_SEVERITY_ERROR, 0, 0},
	{"e.example", "v=spf1 ip4:13.1.2.3include:h.example -all", "SPF051", SPF_SEVERITY_ERROR, 19, 0},
	{"id.example", NULL, "SPF052", SPF_SEVERITY_INFO, NOWHERE, 0},
	{"nomail.example", NULL, "SPF054", SPF_SEVERITY_WARNING, NOWHERE, 1},
	{"bounce.example", NULL, "SPF055", SPF_SEVERITY_INFO, NOWHERE, 1},
	{"e.example", "v=spf1 mx -all", "!SPF055", 0, 0, 1},
	{"e.example", "v=spf1 include:unregistered.example -all", "SPF056", SPF_SEVERITY_CRITICAL, 7, 1},
	{"e.example", "v=spf1 include:sick.example -all", "SPF000", SPF_SEVERITY_WARNING, ANY, 1},
	{"", "v=spf1 a mx -all", "!SPF012", 0, 0, 2},
	/* beside each fault its neighbour that has none */
	{"e.example", "v=spf1 include:b.example -all", "!SPF000", 0, 0, 4},
	{"soft.example", NULL, "!SPF001", 0, 0, 0},
	{"soft.example", NULL, "!SPF002", 0, 0, 0},
	{"old.example", NULL, "SPF003", SPF_SEVERITY_INFO, NOWHERE, 0},
	{"older.example", NULL, "SPF003", SPF_SEVERITY_INFO, NOWHERE, 0},
	{"soft.example", NULL, "!SPF003", 0, 0, 0},
	{"e.example", "v=spf1 -all", "!SPF004", 0, 0, 0},
	{"e.example", "v=spf1", "!SPF004", 0, 0, 0},
	{"e.example", "v=spf1 a:h.example -all", "!SPF005", 0, 0, 1},
	{"e.example", "v=spf1 a:h..example -all", "SPF005", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 a:h..example -all", "!SPF012", 0, 0, 1},
	{"e.example", "v=spf1 exp=why1.example -all", "!SPF006", 0, 0, 0},
	{"e.example", "v=spf1 ip4:192.88.1.1 redirect=b.example", "!SPF007", 0, 0, 4},
	{"e.example", "v=spf1 a:over-all.h.example -all", "!SPF007", 0, 0, 1},
	{"e.example", "v=spf1 include:b.example include:b.example a mx -all", "!SPF010", 0, 0, 10},
	{"e.example", "v=spf1 a:h.example -all", "!SPF012", 0, 0, 1},
	{"e.example", "v=spf1 mx:ten.example -all", "!SPF013", 0, 0, 1},
	{"e.example", "v=spf1 include:b.example -all", "!SPF014", 0, 0, 4},
	{"e.example", "v=spf1 include:b.example redirect=b.example", "!SPF015", 0, 0, 8},
	{"e.example", "v=spf1 include:b.example include:open.example -all", "!SPF016", 0, 0, 5},
	{"e.example", "v=spf1 include:b.example -all", "!SPF020", 0, 0, 4},
	{"e.example", "v=spf1 -exists:h.example -all", "!SPF020", 0, 0, 1},
	{"e.example", "v=spf1 mx redirect=b.example", "!SPF021", 0, 0, 5},
	{"e.example", "v=spf1 include:b.example exp=why1.example -all", "!SPF023", 0, 0, 4},
	{"e.example", "v=spf1 -all exp=why1.example", "!SPF023", 0, 0, 0},
	{"e.example", "v=spf1 exp=why1.example redirect=b.example", "!SPF024", 0, 0, 4},
	{"e.example", "v=spf1 a:ptr.h.example -all", "!SPF030", 0, 0, 1},
	{"e.example", "v=spf1 a:h.example/8 -all", "SPF031", SPF_SEVERITY_WARNING, 7, 1},
	{"e.example", "v=spf1 -ip4:0.0.0.0/0 ip4:13.1.2.3 -all", "!SPF031", 0, 0, 0},
	{"e.example", "v=spf1 ip4:13.1.2.0/24 -all", "!SPF032", 0, 0, 0},
	{"e.example", "v=spf1 ip4:127.0.0.1 -all", "SPF032", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 ip4:224.0.0.0/8 -all", "SPF032", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 ip6:fe80::/10 -all", "SPF032", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 ip6:2001:db8::1 -all", "SPF032", SPF_SEVERITY_WARNING, 7, 0},
	{"e.example", "v=spf1 ip4:13.1.2.0/24 ip4:13.1.3.5 -all", "!SPF033", 0, 0, 0},
	{"e.example", "v=spf1 ip4:13.1.2.0/32 ip6:2a00::1/128 -all", "!SPF034", 0, 0, 0},
	{"e.example", "v=spf1 a:h.example/24//64 -all", "!SPF034", 0, 0, 1},
	{"e.example", "v=spf1 mx/24//64 -all", "SPF035", SPF_SEVERITY_INFO, 7, 1},
	{"e.example", "v=spf1 a mx -all", "!SPF035", 0, 0, 2},
	{"e.example", "v=spf1 exists:h.example -all", "!SPF040", 0, 0, 1},
	{"e.example", "v=spf1 -all exp=why1.example", "SPF041", SPF_SEVERITY_INFO, 12, 0},
	{"e.example", "v=spf1 -all", "!SPF041", 0, 0, 0},
	{"e.example", "v=spf1 -all ", "SPF050", SPF_SEVERITY_INFO, 11, 0},
	{"e.example", "v=spf1 -all", "!SPF050", 0, 0, 0},
	{"e.example", LONG_256, "SPF050", SPF_SEVERITY_INFO, NOWHERE, 0},
	{"wide.example", NULL, "SPF050", SPF_SEVERITY_WARNING, NOWHERE, 0},
	{"e.example", "v=spf1 ip4:13.1.2.3 include:b.example -all", "!SPF051", 0, 0, 4},
	{"plain.example", NULL, "!SPF052", 0, 0, 0},
	{"silent.example", NULL, "!SPF054", 0, 0, 0},
	{"e.example", "v=spf1 include:plain.example -all", "!SPF056", 0, 0, 1},
	{"e.example", "v=spf1 include:b.example include:b.example a mx -all", "!SPF060", 0, 0, 10},
	{"e.example", "v=spf1 ptr a a a a a a a a a a -all", "SPF060", SPF_SEVERITY_INFO, NOWHERE, 11},
	{"e.example", "v=spf1 include:wide.example a a a a a a a a a a -all", "SPF060", SPF_SEVERITY_INFO, NOWHERE, 11},
	{"e.example", "v=spf1 include:nobody.example -all", "SPF061", SPF_SEVERITY_INFO, 7, 2},
	{"e.example", "v=spf1 include:open.example -all", "!SPF061", 0, 0, 1},
	{"e.example", "v=spf1 include:b.example -all", "!SPF061", 0, 0, 4},
};

static const struct spf_finding *find(const struct spf_lint *a, const char *id, int severity)
{
	const struct spf_finding *any = NULL;

	for (size_t i = 0; i < a->n_findings; i++) {
		if (strcmp(a->findings[i].id, id) != 0)
			continue;
		any = &a->findings[i];
		if ((int)any->severity == severity)
			return any;
	}
	return any;
}

static void check_row(size_t i, const struct spf_lint *a)
{
	const char *name = rows[i].record ? rows[i].record : rows[i].domain;
	bool is_absent = rows[i].id[0] == '!';
	const struct spf_finding *f = find(a, rows[i].id + is_absent, rows[i].severity);

	if (is_absent != !f)
		fail_msg("%s: %s", name, rows[i].id);
	if (rows[i].lookups != ANY && (int)a->lookups != rows[i].lookups)
		fail_msg("%s: %u look-ups", name, a->lookups);
	if (is_absent)
		return;
	if ((int)f->severity != rows[i].severity)
		fail_msg("%s: %s is %s", name, rows[i].id, spf_severity_name(f->severity));
	if (rows[i].at != ANY && f->at != (rows[i].at == NOWHERE ? SPF_NOWHERE : (size_t)rows[i].at))
		fail_msg("%s: %s stands at %zu", name, rows[i].id, f->at);
}

WAITS static void in_fiber(void *arg)
{
	struct dns_conf conf;
	struct err err;

	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	assert_non_null(r);
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_arena struct arena arena;
		struct spf_lint answer;
		arena_init(&arena, 1 << 20);
		assert_true(spf_lint(r, str_from(rows[i].domain), str_from(rows[i].record), &arena, &answer, &err));
		check_row(i, &answer);
	}
	resolver_close(r);
	conf_rows_done(dns_conf_rows, &conf);
}

/* --- a client, and each name server alone --- */

WAITS static void lint_of(struct resolver *r, struct arena *arena, const char *domain, const char *ip, struct spf_lint *out)
{
	struct err err;
	struct ip client;

	assert_true(ip_parse(str_from(ip), &client));
	assert_true(spf_lint(r, str_from(domain), STR_NONE, arena, out, &err));
	assert_true(spf_lint_client(r, client, arena, out, &err));
}

WAITS static void clients(struct resolver *r, struct arena *arena)
{
	static const struct { const char *domain, *ip, *text; int severity; size_t at; } asked[] = {
		{"b.example", "198.51.100.1", "198.51.100.1 gets pass: a:h.example", SPF_SEVERITY_INFO, 7},
		{"b.example", "198.51.100.2", "198.51.100.2 gets fail: -all", SPF_SEVERITY_WARNING, 43},
		{"soft.example", "13.1.1.1", "13.1.1.1 gets softfail: ~all", SPF_SEVERITY_WARNING, 22},
		{"plain.example", "13.1.1.1", "13.1.1.1 gets none: there is no record", SPF_SEVERITY_WARNING, SPF_NOWHERE},
	};

	for (size_t i = 0; i < COUNT(asked); i++) {
		struct spf_lint a;
		lint_of(r, arena, asked[i].domain, asked[i].ip, &a);
		const struct spf_finding *f = find(&a, "SPF057", asked[i].severity);
		assert_non_null(f);
		assert_str(f->text, asked[i].text);
		assert_true((int)f->severity == asked[i].severity && f->at == asked[i].at);
	}
}

static const char zone[] = "[[\"n.example\",\"TXT\",\"v=spf1 -all\"],[\"n.example\",\"NS\",\"ns1.n.example\"],[\"n.example\",\"NS\",\"ns2.n.example\"],"
                           "[\"n.example\",\"NS\",\"ns3.n.example\"],[\"ns1.n.example\",\"A\",\"192.0.2.1\"],"
                           "[\"ns2.n.example\",\"AAAA\",\"2001:db8::2\"]]";
/* What the second server says. */
static const struct { const char *answers; int severity; const char *part; } seconds[] = {
	{"[[\"n.example\",\"TXT\",\"v=spf1 -all\"],[\"n.example\",\"TXT\",\"other\"]]", SPF_SEVERITY_INFO, "ns3.n.example has no address"},
	{"[[\"n.example\",\"TXT\",\"v=spf1 mx -all\"]]", SPF_SEVERITY_WARNING, "says \"v=spf1 mx -all\""},
	{"[[\"n.example\",\"TXT\",\"other\"]]", SPF_SEVERITY_WARNING, "says that there is no record"},
	{"[[\"n.example\",\"TXT\",\"SERVFAIL\"]]", SPF_SEVERITY_INFO, "gives no answer"},
};
static size_t second;

WAITS static bool server_open(void *arg, struct ip server, struct resolver **out, struct err *err)
{
	*out = resolver_open_script(arg, str_from(server.family == 4 ? zone : seconds[second].answers), err);
	return *out != NULL;
}

WAITS static void server_close(void *arg, struct resolver *r)
{
	resolver_close(r);
}

WAITS static void name_servers(struct dns_conf *conf, struct arena *arena)
{
	struct spf_lint_servers servers = {.open = server_open, .close = server_close, .arg = conf};
	struct err err;
	struct resolver *r = resolver_open_script(conf, str_from(zone), &err);

	for (second = 0; second < COUNT(seconds); second++) {
		struct spf_lint a;
		assert_true(spf_lint(r, STR("n.example"), STR_NONE, arena, &a, &err));
		assert_null(find(&a, "SPF053", 0));
		assert_true(spf_lint_name_servers(r, &servers, arena, &a, &err));
		const struct spf_finding *f = find(&a, "SPF053", SPF_SEVERITY_WARNING);
		assert_non_null(f);
		assert_int_equal(f->severity, seconds[second].severity);
		bool is_told = false;
		for (size_t i = 0; i < a.n_findings; i++)
			is_told = is_told || str_find(a.findings[i].text, str_from(seconds[second].part)) < a.findings[i].text.n;
		assert_row(is_told, seconds[second].part);
	}
	resolver_close(r);
}

WAITS static void ask_in_fiber(void *arg)
{
	auto_arena struct arena arena;
	struct dns_conf conf;
	struct err err;

	arena_init(&arena, 1 << 20);
	conf_rows_default(dns_conf_rows, &conf, sizeof(conf));
	struct resolver *r = resolver_open_script(&conf, str_from(script), &err);
	clients(r, &arena);
	resolver_close(r);
	name_servers(&conf, &arena);
	conf_rows_done(dns_conf_rows, &conf);
}

static void test_asked_apart(void **state)
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	assert_true(rt_run(&options, ask_in_fiber, NULL, &err));
}

static void test_checks(void **state)
{
	struct rt_options options = {.is_fake = true, .seed = 1};
	struct err err;

	assert_true(rt_run(&options, in_fiber, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_checks), cmocka_unit_test(test_asked_apart)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
