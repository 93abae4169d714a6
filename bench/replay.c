/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `replay`: the gate with a whole week on the fake clock; or only the senders' servers, or only the senders, for others. */
#include "bench/replay.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "bench/socket.h"

#define MONDAY ((struct wall){(int64_t)1767571200 * USEC_S}) /* 2026-01-05T00:00:00Z */

struct task {
	const char *what, *mix, *directory, *mode;
	struct replay_target to;
	uint16_t port;
	struct replay replay;
};

static void print_result(struct task *t)
{
	auto_buf struct buf out = {.max = 1 << 20};

	replay_print(&t->replay, &out);
	fwrite(out.p, 1, out.n, stdout);
	fflush(stdout);
}

WAITS static void run_gate(void *arg)
{
	struct task *t = arg;

	replay_gate(&t->replay, t->directory, t->mode);
	print_result(t);
	lab_mx_close(t->replay.mx);
}

WAITS static void run_hosts(void *arg)
{
	static const int ends[] = {SIGINT, SIGTERM};
	struct task *t = arg;
	struct group root;
	struct err err;
	int got;

	group_init(&root, "hosts");
	if (!replay_serve(&t->replay, t->port, &root, &err))
		die("replay: %s", err.text);
	puts("ready");
	fflush(stdout);
	rt_wait_signal(ends, 2, &got, &err);
	print_result(t);
	group_done(&root);
	lab_mx_close(t->replay.mx);
}

WAITS static void run_clients(void *arg)
{
	struct task *t = arg;

	replay_run(&t->replay, &t->to);
	print_result(t);
}

static void usage(void)
{
	die("usage: replay gate    --mix DIR --work DIR --mode observe|enforce     a week on the fake clock\n"
	    "       replay hosts   --mix DIR --port PORT --speed N                 the senders' servers, until SIGTERM\n"
	    "       replay clients --mix DIR --to IP:PORT --speed N                a week compressed N times");
}

static void read_target(struct task *t, const char *text)
{
	struct sockaddr_in at;

	if (!socket_parse(text, &at))
		usage();
	ip_from_sockaddr((const struct sockaddr *)&at, &t->to.ip, &t->to.port);
}

static void read_options(struct task *t, int argc, char **argv)
{
	static const struct option options[] = {{"mix", required_argument, NULL, 'm'}, {"work", required_argument, NULL, 'w'},
	                                        {"mode", required_argument, NULL, 'o'}, {"port", required_argument, NULL, 'p'},
	                                        {"to", required_argument, NULL, 't'}, {"speed", required_argument, NULL, 's'},
	                                        {"sessions", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm': t->mix = optarg; break;
		case 'w': t->directory = optarg; break;
		case 'o': t->mode = optarg; break;
		case 'p': t->port = (uint16_t)strtoul(optarg, NULL, 10); break;
		case 't': read_target(t, optarg); break;
		case 's': t->replay.speed = strtod(optarg, NULL); break;
		case 'n': t->to.sessions_max = (unsigned)strtoul(optarg, NULL, 10); break;
		default: usage();
		}
	}
	if (optind != argc - 1 || !t->mix || t->replay.speed < 1)
		usage();
	t->what = argv[optind];
}

int main(int argc, char **argv)
{
	static struct task t = {.mode = "enforce", .replay.speed = 1, .to.sessions_max = 300};
	struct rt_options options = {.fake_wall = MONDAY, .seed = 1};
	WAITS void (*run)(void *arg) = run_clients;
	struct err err;

	signal(SIGPIPE, SIG_IGN);
	read_options(&t, argc, argv);
	socket_raise_limit();
	options.is_fake = strcmp(t.what, "gate") == 0;
	if (options.is_fake && t.directory)
		run = run_gate;
	else if (strcmp(t.what, "hosts") == 0 && t.port)
		run = run_hosts;
	else if (strcmp(t.what, "clients") != 0 || !t.to.port)
		usage();
	replay_load(&t.replay, t.mix);
	if (!rt_run(&options, run, &t, &err))
		die("replay: %s", err.text);
	map_done(&t.replay.mailboxes);
	arena_done(&t.replay.arena);
	return 0;
}
