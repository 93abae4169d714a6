/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server sides of Exim's own callout tests (test scripts 0227, 0413, 0518), each against our probe, twice:
 * to the letter, where the server hangs up when we say something else than Exim would; and going on politely, where it
 * takes mail for postmaster and refuses who is unknown. docs/decisions/0002 lists where we differ from Exim, and why.
 */
#include "verify/test_bed.h"

enum how { SENDER, RECIPIENT, LMTP };

struct dialogue {
	const char *name;
	enum how how;
	const char *address;
	const char *script;       /* what the server says begins with a digit, what it wants to hear does not */
	int exim;                 /* what Exim answers its client */
	enum verify_verdict letter, polite;
};

#define HELLO "220 Server ready\nEHLO\n250 OK\n"
#define HELLO_SIZE "220 Server ready\nEHLO\n250- wotcher\n250-SIZE\n250 OK\n"
#define MAIL_OK "MAIL FROM\n250 OK\n"
#define BYE "QUIT\n250 OK\n"

static const struct dialogue dialogues[] = {
	{"0227/1 taken", SENDER, "ok@d.example", HELLO MAIL_OK "RCPT TO\n250 OK\n" BYE, 250, VERIFY_EXISTS, VERIFY_EXISTS},
	{"0227/2 refused", SENDER, "bad@d.example", HELLO MAIL_OK "RCPT TO\n550 Unknown user\n" BYE, 550, VERIFY_ABSENT, VERIFY_ABSENT},
	{"0227/3 temporary", SENDER, "uncheckable@d.example", HELLO MAIL_OK "RCPT TO\n450 Temporary error\n" BYE, 451, VERIFY_TEMPORARY,
	 VERIFY_TEMPORARY},
	{"0227/4 error on MAIL", SENDER, "uncheckable2@d.example", HELLO "MAIL FROM\n550 Error for <>\n" BYE, 550, VERIFY_TEMPORARY,
	 VERIFY_EXISTS},
	{"0227/5 error on MAIL in two lines", SENDER, "uncheckable@d.example",
	 HELLO "MAIL FROM\n550-Multiline error for <>\n550 Here's the second line\n" BYE, 550, VERIFY_TEMPORARY, VERIFY_EXISTS},
	{"0227/6 error on MAIL with odd bytes", SENDER, "uncheckable2@d.example",
	 HELLO "MAIL FROM\n550 Bad-char error for <> topbitchar:\x80\xFF\xFF\n" BYE, 550, VERIFY_TEMPORARY, VERIFY_EXISTS},
	{"0227/7 recipient refused", RECIPIENT, "z@d.example", HELLO MAIL_OK "RCPT TO\n550 Recipient not liked\n" BYE, 550,
	 VERIFY_TEMPORARY, VERIFY_ABSENT},
	{"0227/8 recipient refused in two lines", RECIPIENT, "z@d.example",
	 HELLO MAIL_OK "RCPT TO\n550-Recipient not liked on two lines\n550 Here's the second\n" BYE, 550, VERIFY_TEMPORARY, VERIFY_ABSENT},
	{"0227/9 recipient refused with odd bytes", RECIPIENT, "z@d.example",
	 HELLO MAIL_OK "RCPT TO\n550 Recipient not liked, with bad char:\x80\xFF\xFF\n" BYE, 550, VERIFY_TEMPORARY, VERIFY_ABSENT},
	{"0227/10 header sender refused", SENDER, "abcd@d.example", HELLO MAIL_OK "RCPT TO\n550 Not liked\n" BYE, 550, VERIFY_TEMPORARY,
	 VERIFY_ABSENT},
	{"0227/11 header sender refused", SENDER, "abcd@d.example", HELLO MAIL_OK "RCPT TO\n550 Not liked\n" BYE, 550, VERIFY_TEMPORARY,
	 VERIFY_ABSENT},
	{"0227/12 second recipient taken", SENDER, "ok@d.example",
	 HELLO MAIL_OK "RCPT TO\n250 OK\nRSET\n250 OK\n" MAIL_OK "RCPT TO\n250 OK\n" BYE, 250, VERIFY_CATCH_ALL, VERIFY_CATCH_ALL},
	{"0227/13 second recipient refused", SENDER, "ok@d.example",
	 HELLO MAIL_OK "RCPT TO\n250 OK\nRSET\n250 OK\n" MAIL_OK "RCPT TO\n550 Don't like postmaster\n" BYE, 550, VERIFY_EXISTS,
	 VERIFY_EXISTS},
	{"0227/14 SIZE offered", SENDER, "ok@d.example", HELLO_SIZE "MAIL FROM:<>\n250 OK\nRCPT TO\n250 OK\n" BYE, 250, VERIFY_EXISTS,
	 VERIFY_EXISTS},
	{"0227/15 SIZE wanted", RECIPIENT, "z@d.example", HELLO_SIZE "MAIL FROM:<> SIZE=\n250 OK\nRCPT TO\n250 OK\n" BYE, 550,
	 VERIFY_TEMPORARY, VERIFY_EXISTS},
	{"0227/16 SIZE offered, size unknown", RECIPIENT, "z@d.example", HELLO_SIZE "MAIL FROM:<>\n250 OK\nRCPT TO\n250 OK\n" BYE, 550,
	 VERIFY_EXISTS, VERIFY_EXISTS},
	{"0227/17 the sender's address and a random one first", RECIPIENT, "z@d.example",
	 HELLO_SIZE "MAIL FROM:<ok@localhost1>\n250 OK\nRCPT TO:<myhost.test.ex-\n550 RANDOM NOT OK\nRSET\n250 OK\n"
	            "MAIL FROM:<ok@localhost1> SIZE=\n250 OK\nRCPT TO:<z@remote.domain>\n250 OK\n" BYE, 550, VERIFY_TEMPORARY,
	 VERIFY_ABSENT},
	{"0227/18 LMTP", LMTP, "z@d.example", "220 Server ready\nLHLO\n250 OK\n" MAIL_OK "RCPT TO\n550 Recipient not liked\n" BYE, 550,
	 VERIFY_TEMPORARY, VERIFY_ABSENT},
	{"0227/19 hangs up", SENDER, "bad@d.example", "", 451, VERIFY_TEMPORARY, VERIFY_TEMPORARY},
	{"0413 hosts from the transport", SENDER, "r1@d.example", HELLO MAIL_OK "RCPT TO\n450 Temporary error\n" BYE, 451,
	 VERIFY_TEMPORARY, VERIFY_TEMPORARY},
	{"0518 affixes", RECIPIENT, "p+abc-s@d.example", "220 Welcome\nEHLO\n250 Hi\n" MAIL_OK "RCPT TO\n250 OK\n" BYE, 250, VERIFY_EXISTS,
	 VERIFY_EXISTS},
};

struct run {
	const struct dialogue *d;
	bool is_polite;
	struct listener *listener;
};

/* What the script says next: complete replies, up to the next line that it wants to hear. */
static bool say_next(struct stream *s, struct str *script)
{
	bool any = false;
	while (script->n && script->p[0] >= '0' && script->p[0] <= '9') {
		struct str line;
		(void)str_cut(script, '\n', &line);
		stream_printf(s, "%.*s\r\n", STR_ARG(line));
		any = true;
	}
	return any;
}

/* Beyond the script: friendly, and truthful about postmaster and strangers. */
static void go_on(struct stream *s, struct str line)
{
	bool is_stranger = str_istarts(line, STR("RCPT")) && str_ifind(line, STR("postmaster@")) == line.n;
	stream_printf(s, is_stranger ? "550 5.1.1 User unknown\r\n" : "250 OK\r\n");
}

static void serve(struct run *r, struct stream *s)
{
	struct str script = str_from(r->d->script), line, want;
	bool is_long, in_script = true, was_asked = false;
	struct err err;
	if (!say_next(s, &script))
		return;
	while (stream_read_line(s, 2000, &line, NULL, &is_long, &err)) {
		struct str rest = script;
		bool is_real = str_istarts(line, STR("RCPT")) && str_ifind(line, str_from(r->d->address)) < line.n;
		bool is_wanted = in_script && str_cut(&rest, '\n', &want) && str_istarts(line, want);
		if (is_wanted) {
			script = rest;
			(void)say_next(s, &script);
			was_asked |= is_real;
			continue;
		}
		if (!r->is_polite)
			return;
		in_script = false;
		if (is_real && !was_asked && str_find(str_from(r->d->script), STR("RANDOM")) == strlen(r->d->script))
			stream_printf(s, "250 OK\r\n");
		else
			go_on(s, line);
	}
}

static void serve_all(void *arg)
{
	struct run *r = arg;
	struct err err;
	for (struct stream *s; (s = listener_accept(r->listener, &err));) {
		serve(r, s);
		(void)stream_flush(s, &err);
		stream_close(s);
	}
}

static enum verify_verdict verdict_of(struct bed *b, const struct dialogue *d)
{
	struct verify_next_hop hop = {.host = STR("next"), .port = 25, .is_lmtp = d->how == LMTP};
	struct verify_answer out;
	struct err err;
	if (d->how == SENDER)
		return ask(b, d->address)->verdict;
	assert_true(ip_parse(STR("192.88.1.1"), &hop.ip));
	struct address a = address_of(b, d->address);
	assert_true(verify_recipient(b->v, &hop, &a, &out, &err));
	return out.verdict;
}

static void run_dialogue(void *arg)
{
	struct run *r = arg;
	struct bed b = {0};
	struct conf_addr at = {.port = 25};
	struct err err;
	bed_open(&b);
	assert_true(ip_parse(STR("192.88.1.1"), &at.ip));
	r->listener = listener_open(&at, &err);
	assert_non_null(r->listener);
	assert_true(group_go(&b.servers, "server", serve_all, r, &err));
	enum verify_verdict got = verdict_of(&b, r->d), want = r->is_polite ? r->d->polite : r->d->letter;
	if (got != want)
		fail_msg("%s, %s: %s, not %s", r->d->name, r->is_polite ? "polite" : "to the letter", verify_verdict_name(got),
		         verify_verdict_name(want));
	verify_close(b.v);
	b.v = NULL;
	group_done(&b.servers);
	listener_close(r->listener);
	bed_close(&b);
}

static void each_dialogue_ends_in_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialogues); i++)
		for (int polite = 0; polite < 2; polite++) {
			struct run r = {.d = &dialogues[i], .is_polite = polite};
			run_fake(run_dialogue, &r, i + 1);
		}
}

/* Where Exim says 550 about a sender and we do not, nothing was proven. */
static void we_refuse_no_more_than_exim(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialogues); i++)
		if (dialogues[i].letter == VERIFY_ABSENT)
			assert_row(dialogues[i].exim == 550, dialogues[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_dialogue_ends_in_its_verdict),
		cmocka_unit_test(we_refuse_no_more_than_exim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
