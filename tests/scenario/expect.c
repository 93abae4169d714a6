/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expectations: what was found beside what was wanted. */
#include "expect.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/metric.h"
#include "client.h"
#include "cmd/cmd.h"
#include "peer.h"
#include "world.h"

#define SETTLES (2 * USEC_S)

static bool has_happened;
static uint64_t disk_mark;

void expect_happened(void)
{
	has_happened = true;
}

WAITS static void settle(unsigned line)
{
	struct err err;

	if (has_happened && !rt_sleep(SETTLES, "settling", &err))
		fail_at(line, "%s", err.text);
	has_happened = false;
}

static void expect_number(const struct statement *st, struct str wanted, double got)
{
	if (!number_matches(st->number, wanted, got))
		fail_at(st->number, "%.*s: expected %.*s, got %.15g", STR_ARG(st->text), STR_ARG(wanted), got);
}

/* --- numbers of the daemon --- */

static bool count_of(struct str what, double *out)
{
	struct spool_stats s = {0};
	struct queue_stats q = {0};

	if (world.is_open) {
		spool_stats(world.daemon.spool, &s);
		queue_stats(world.daemon.queue, &q);
	}
	const struct {
		const char *what;
		uint64_t n;
	} counts[] = {
		{"spool", s.messages},  {"accepted", s.accepted}, {"queue", q.messages}, {"kept", q.kept},
		{"on_hold", q.on_hold}, {"failed", q.failed},     {"dsns", q.dsns},
		{"clients", world.is_open ? gate_session_count(world.daemon.gate) : 0},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		if (str_eq(what, str_from(counts[i].what))) {
			*out = (double)counts[i].n;
			return true;
		}
	}
	return false;
}

struct metric_wanted {
	struct str name, value;
	double sum;
	bool is_found;
};

static void add_metric(void *arg, const char *name, const char *label, const char *value, const struct metric *m)
{
	struct metric_wanted *w = arg;

	if (!str_eq(w->name, str_from(name)) || (w->value.n && !str_eq(w->value, str_from(value))))
		return;
	w->sum += metric_value(m);
	w->is_found = true;
}

static void expect_metric(const struct statement *st, struct str rest)
{
	struct str name = script_word(st->number, &rest, "a name"), wanted = script_word(st->number, &rest, "a number");
	size_t brace = str_find_char(name, '{');
	struct metric_wanted w = {.name = str_slice(name, 0, brace)};

	if (brace < name.n)
		w.value = str_slice(name, brace + 1, name.n - 1);
	metrics_each(add_metric, &w);
	/* Some are there only once they have counted something. */
	if (!w.is_found && !str_eq(wanted, STR("0")))
		fail_at(st->number, "there is no metric %.*s", STR_ARG(name));
	expect_number(st, wanted, w.sum);
}

/* --- peers --- */

static void expect_heard(const struct statement *st, struct str rest)
{
	struct peer *p = peer_find(st->number, script_word(st->number, &rest, "a peer"));
	struct str wanted = script_word(st->number, &rest, "a number"), glob = str_trim(rest);
	size_t n = 0;

	for (size_t i = 0; i < p->n_heard; i++)
		n += glob_matches(glob, p->heard[i].line);
	expect_number(st, wanted, (double)n);
}

static void expect_dialogue(const struct statement *st, struct str rest)
{
	struct peer *p = peer_find(st->number, script_word(st->number, &rest, "a peer"));
	size_t at = 0;

	while (at < p->n_heard && p->heard[at].session != p->sessions)
		at++;
	for (size_t i = 0; i < st->n_body; i++, at++) {
		struct str glob = script_expand(&world.arena, st->body[i].text);
		if (at == p->n_heard)
			fail_at(st->body[i].number, "expected \"%.*s\", but nothing more was heard", STR_ARG(glob));
		if (!glob_matches(glob, p->heard[at].line))
			fail_at(st->body[i].number, "expected \"%.*s\", heard \"%.*s\"", STR_ARG(glob), STR_ARG(p->heard[at].line));
	}
	if (at < p->n_heard)
		fail_at(st->number, "expected no more, heard \"%.*s\"", STR_ARG(p->heard[at].line));
}

static bool some_line_matches(struct str text, struct str glob)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.n--;
		if (glob_matches(glob, line))
			return true;
	}
	return false;
}

static void expect_message(const struct statement *st, struct str rest)
{
	struct str rcpt = script_word(st->number, &rest, "an address"), how = script_word(st->number, &rest, "has or lacks");
	const struct mail *m = peers_last_mail(rcpt);
	bool has = str_eq(how, STR("has"));

	if (!has && !str_eq(how, STR("lacks")))
		fail_at(st->number, "expect message ADDRESS has|lacks GLOB");
	if (!m)
		fail_at(st->number, "nothing was delivered to %.*s", STR_ARG(rcpt));
	if (some_line_matches(m->text, str_trim(rest)) != has)
		fail_at(st->number, "expected that the message %.*s \"%.*s\", got\n%.*s", STR_ARG(how), STR_ARG(str_trim(rest)),
		        STR_ARG(m->text));
}

/* --- the rest --- */

static void expect_log(const struct statement *st, struct str rest, bool wanted)
{
	if (!script_skip(&rest, "log"))
		fail_at(st->number, "expect no log GLOB");
	if (some_line_matches(buf_view(&world.log), str_trim(rest)) != wanted)
		fail_at(st->number, "expected %s line \"%.*s\" in the log", wanted ? "a" : "no", STR_ARG(str_trim(rest)));
}

void mark_statement(const struct statement *st, struct str rest)
{
	if (!str_eq(str_trim(rest), STR("disk")))
		fail_at(st->number, "mark disk");
	disk_mark = sim_changes(world.disk);
}

static void expect_untouched(const struct statement *st)
{
	if (sim_changes(world.disk) != disk_mark)
		fail_at(st->number, "expected an untouched disk, got %llu writes since it was marked",
		        (unsigned long long)(sim_changes(world.disk) - disk_mark));
}

static void expect_named(const struct statement *st, struct str what, struct str rest)
{
	struct str word;
	double n;

	if (str_eq(what, STR("delivered"))) {
		word = script_word(st->number, &rest, "an address");
		expect_number(st, script_word(st->number, &rest, "a number"), (double)peers_delivered(word));
	} else if (str_eq(what, STR("sessions"))) {
		struct peer *p = peer_find(st->number, script_word(st->number, &rest, "a peer"));
		expect_number(st, script_word(st->number, &rest, "a number"), p->sessions);
	} else if (str_eq(what, STR("took"))) {
		expect_number(st, script_word(st->number, &rest, "seconds"), (double)clients_last_took() / USEC_S);
	} else if (count_of(what, &n)) {
		expect_number(st, script_word(st->number, &rest, "a number"), n);
	} else {
		fail_at(st->number, "what is \"%.*s\"?", STR_ARG(what));
	}
}

void expect_statement(const struct statement *st, struct str rest)
{
	struct str text = script_expand(&world.arena, rest), what = script_word(st->number, &text, "an expectation");

	settle(st->number);
	if (str_eq(what, STR("metric")))
		expect_metric(st, text);
	else if (str_eq(what, STR("heard")))
		expect_heard(st, text);
	else if (str_eq(what, STR("dialogue")))
		expect_dialogue(st, text);
	else if (str_eq(what, STR("message")))
		expect_message(st, text);
	else if (str_eq(what, STR("log")))
		expect_log(st, rest, true);
	else if (str_eq(what, STR("no")))
		expect_log(st, text, false);
	else if (str_eq(what, STR("disk")))
		expect_untouched(st);
	else
		expect_named(st, what, text);
}

void ask_statement(const struct statement *st, struct str rest)
{
	struct str text = script_expand(&world.arena, rest);
	size_t arrow = str_find(text, STR(" => "));
	auto_buf struct buf out = {.max = 1 << 20};

	settle(st->number);
	int status = world_ask(st->number, str_slice(text, 0, arrow), &out);
	struct str wanted = arrow < text.n ? str_skip(text, arrow + 4) : STR("0");
	if (!number_matches(st->number, wanted, status))
		fail_at(st->number, "%.*s: expected status %.*s, got %d\n%.*s", STR_ARG(st->text), STR_ARG(wanted), status,
		        STR_ARG(buf_view(&out)));
	for (size_t i = 0; i < st->n_body; i++) {
		struct str line = script_expand(&world.arena, st->body[i].text);
		bool is_absent = str_starts(line, STR("!"));
		line = str_skip(line, is_absent);
		if (!str_starts(line, STR("< ")))
			fail_at(st->body[i].number, "< GLOB or !< GLOB");
		if (some_line_matches(buf_view(&out), str_skip(line, 2)) == is_absent)
			fail_at(st->body[i].number, "expected %s line \"%.*s\", got\n%.*s", is_absent ? "no" : "a",
			        STR_ARG(str_skip(line, 2)), STR_ARG(buf_view(&out)));
	}
	expect_happened();
}
