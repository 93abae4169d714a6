/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one scenario: `scenario FILE [SEEDS]`. Each seed is a process of its own, because it is another history: another
 * order of runnable fibers, another jitter. What is not so prints FILE:LINE, what was expected and what was got, the log's
 * end and what the peers heard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "expect.h"
#include "peer.h"
#include "world.h"

#define SEEDS 3

WAITS static void pass_statement(const struct statement *st, struct str rest)
{
	struct err err;

	if (!rt_sleep(script_duration(st->number, script_word(st->number, &rest, "how long")), "passing", &err))
		fail_at(st->number, "%s", err.text);
}

/* `keep NAME`: the id of the message accepted last, under a name of its own. */
static void keep_statement(const struct statement *st, struct str rest)
{
	struct str id = script_expand(&world.arena, STR("{id}"));

	script_set(script_word(st->number, &rest, "a name"), id);
}

WAITS static void start_statement(const struct statement *st, struct str rest)
{
	world_start(st->number);
}

WAITS static void stop_statement(const struct statement *st, struct str rest)
{
	world_stop_slowly(st->number);
}

WAITS static void restart_statement(const struct statement *st, struct str rest)
{
	world_stop();
	world_start(st->number);
}

WAITS static void reload_statement(const struct statement *st, struct str rest)
{
	world_reload(st->number);
}

WAITS static void crash_statement(const struct statement *st, struct str rest)
{
	world_crash(st->number, false);
}

WAITS static void power_statement(const struct statement *st, struct str rest)
{
	world_crash(st->number, true);
}

static void disk_statement(const struct statement *st, struct str rest)
{
	world_disk(st->number, rest);
}

WAITS static void run_statement(const struct statement *st);

/* `not STATEMENT`: it must fail. For the runner's own sake: an expectation that cannot fail proves nothing. */
WAITS static void not_statement(const struct statement *st, struct str rest)
{
	struct statement inner = *st;
	int status = 0;
	pid_t child;

	inner.text = str_trim(rest);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(70);
		run_statement(&inner);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 1)
		fail_at(st->number, "expected a failure, and there was none");
}

static const struct {
	const char *word;
	WAITS void (*run)(const struct statement *st, struct str rest);
	bool needs_daemon;
	bool is_event; /* something may come of it that expectations wait for */
} statements[] = {
	{"set", world_set, false, false},
	{"route", world_route, false, false},
	{"dns", world_dns, false, false},
	{"file", world_file, false, false},
	{"peer", peer_statement, false, false},
	{"start", start_statement, false, true},
	{"stop", stop_statement, true, false},
	{"restart", restart_statement, true, true},
	{"reload", reload_statement, true, true},
	{"crash", crash_statement, true, true},
	{"power-cut", power_statement, true, true},
	{"disk", disk_statement, false, false},
	{"mark", mark_statement, true, false},
	{"keep", keep_statement, false, false},
	{"client", client_statement, true, true},
	{"close", close_statement, false, true},
	{"send", send_statement, true, true},
	{"repeat", repeat_statement, true, true},
	{"at-once", at_once_statement, true, true},
	{"pass", pass_statement, true, true},
	{"expect", expect_statement, false, false},
	{"ask", ask_statement, true, false},
	{"not", not_statement, true, false},
};

WAITS static void run_statement(const struct statement *st)
{
	struct str rest = st->text, word;

	str_next_word(&rest, &word);
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (!str_eq(word, str_from(statements[i].word)))
			continue;
		/* While it drains it is not begun anew. */
		if (statements[i].needs_daemon && !world.is_stopping)
			world_start(st->number);
		statements[i].run(st, rest);
		if (statements[i].is_event)
			expect_happened();
		return;
	}
	fail_at(st->number, "there is no statement \"%.*s\"", STR_ARG(word));
}

struct run {
	const char *path;
	uint64_t seed;
};

static void print_all(void)
{
	peers_print();
	world_print();
}

/* Everything that goes on to next hops goes to here.example's backend, which takes it. */
static void add_backend(void)
{
	const struct statement backend = {.text = STR("peer backend 192.0.2.200")};

	peer_statement(&backend, STR("backend 192.0.2.200"));
}

WAITS static void run_script(void *arg)
{
	struct run *r = arg;
	static struct scenario script;

	world_init(r->seed);
	peers_open(&world.arena);
	clients_open(&world.arena);
	script_on_failure(print_all);
	add_backend();
	script_load(&script, r->path);
	for (size_t i = 0; i < script.n; i++)
		run_statement(&script.statements[i]);
	clients_close();
	world_stop();
	peers_close();
	world_done();
	script_done(&script);
}

static int run_seed(const char *path, uint64_t seed)
{
	struct run r = {path, seed};
	struct rt_options options = {.is_fake = true, .seed = seed};
	struct err err;

	if (rt_run(&options, run_script, &r, &err))
		return 0;
	fprintf(stderr, "%s: %s\n", path, err.text);
	return 1;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, last = SEEDS;

	if (argc < 2) {
		fprintf(stderr, "usage: scenario FILE [SEED]\n");
		return 64;
	}
	if (argc > 2)
		first = last = strtoull(argv[2], NULL, 10);
	for (uint64_t seed = first; seed <= last; seed++) {
		int status = 0;
		pid_t child = fork();
		if (child == 0)
			exit(run_seed(argv[1], seed));
		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
			fprintf(stderr, "%s: failed with seed %llu\n", argv[1], (unsigned long long)seed);
			return 1;
		}
	}
	return 0;
}
