/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern-lab`: the tour with a gate, or only the small internet for tests and benches. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "control/control.h"
#include "lab/tour.h"

struct lab {
	struct lab_world world;
	char postern[PATH_MAX];
	const char *samples;
	bool is_once, is_serving, has_gate;
	int status;
};

WAITS static void until_interrupted(void)
{
	static const int ends[] = {SIGINT, SIGTERM};
	struct err err;
	int got;

	rt_wait_signal(ends, 2, &got, &err);
}

WAITS static void counts_print(struct lab *lab)
{
	auto_buf struct buf out = {.max = 1 << 20};
	struct str words[] = {STR("stats")};
	struct err err;
	int status;

	if (control_ask(lab->world.socket, words, 1, false, &out, &status, &err))
		printf("\n%.*s", STR_ARG(str_slice(buf_view(&out), 0, str_find(buf_view(&out), STR("\n  postern")))));
	printf("\nDNS questions answered by the lab: %lu. Delivered mail: %s/mail\n", lab_dns_questions(lab->world.dns),
	       lab->world.directory);
}

WAITS static void stay(struct lab *lab)
{
	printf("\nThe gate stays up on 127.0.0.1:%d. Try it in another window:\n"
	       "  swaks --server 127.0.0.1:%d --from anna@truthful.lab --to joe@here.lab\n"
	       "  %s stats -c %s\n  %s why anna@truthful.lab -c %s\nCtrl-C ends it and removes what it made.\n",
	       LAB_PORT, LAB_PORT, lab->postern, lab->world.config, lab->postern, lab->world.config);
	fflush(stdout);
	until_interrupted();
}

WAITS static void lab_fiber(void *arg)
{
	struct lab *lab = arg;
	struct err err;
	bool ok = lab_world_open(&lab->world, &err);

	if (ok && lab->is_serving) {
		printf("ready %s\n", lab->world.config);
		fflush(stdout);
		until_interrupted();
	} else if (ok) {
		ok = lab_world_start_gate(&lab->world, lab->postern, &err);
	}
	if (!ok) {
		fprintf(stderr, "postern-lab: %s\n", err.text);
		lab->status = 2;
	} else if (!lab->is_serving) {
		int failed = lab_tour(&lab->world, lab->samples, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
		counts_print(lab);
		if (failed > 0)
			printf("%d stories did not end as they should.\n", failed);
		else
			puts("All stories ended as they should.");
		lab->status = failed > 0 ? 2 : 0;
		if (!lab->is_once)
			stay(lab);
	}
	lab_world_close(&lab->world);
}

/* The daemon's binary stands beside us, in the build tree, or where it was installed. */
static bool postern_find(char *out, size_t n)
{
	static const char *const places[] = {"postern", "../src/postern", "../../bin/postern"};
	char self[1024], path[1100];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return false;
	self[length] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s", self, places[i]);
		char *real = realpath(path, NULL);
		if (real && access(real, X_OK) == 0) {
			snprintf(out, n, "%s", real);
			free(real);
			return true;
		}
		free(real);
	}
	return false;
}

/* The table of habits as JSON lines, for tests: domain, what must be concluded, whether one attempt can be enough. */
static void table_print(void)
{
	for (size_t i = 0; i < lab_habit_count; i++) {
		const struct lab_habit *h = &lab_habits[i];
		char ip[IP_TEXT_MAX];
		printf("{\"domain\":\"%s\",\"story\":\"%s\",\"ip\":\"%.*s\",\"known\":\"%s\",\"unknown\":\"%s\",\"needs_retry\":%s}\n",
		       h->domain, h->story, STR_ARG(ip_text(lab_habit_ip(h, false), ip)), verify_verdict_name(h->for_known),
		       verify_verdict_name(h->for_unknown), h->needs_retry ? "true" : "false");
	}
}

static void usage(void)
{
	puts("postern-lab: a small internet on loopback\n\n"
	     "  postern-lab [--once]            the tour: a gate, real mails, what became of them\n"
	     "  postern-lab serve [DIRECTORY]   DNS and mail servers only, for tests; prints \"ready CONFIG\"\n"
	     "  postern-lab table               the habits and what must be concluded from each, as JSON lines");
}

int main(int argc, char **argv)
{
	static struct lab lab; /* large: the paths of a world */
	struct rt_options options = {0};
	const char *directory = NULL;
	struct err err;

	signal(SIGPIPE, SIG_IGN);
	lab.samples = access(LAB_SAMPLES, R_OK) == 0 ? LAB_SAMPLES : "/usr/share/postern/samples/mail";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0) {
			lab.is_once = true;
		} else if (strcmp(argv[i], "table") == 0) {
			table_print();
			return 0;
		} else if (strcmp(argv[i], "serve") == 0) {
			lab.is_serving = true;
		} else if (lab.is_serving && argv[i][0] != '-') {
			directory = argv[i];
		} else {
			usage();
			return strcmp(argv[i], "--help") == 0 ? 0 : 64;
		}
	}
	if (!postern_find(lab.postern, sizeof(lab.postern)) && !lab.is_serving) {
		fprintf(stderr, "postern-lab: no postern beside it\n");
		return 66;
	}
	if (!lab_world_prepare(&lab.world, directory, &err) || !rt_run(&options, lab_fiber, &lab, &err)) {
		fprintf(stderr, "postern-lab: %s\n", err.text);
		return 70;
	}
	return lab.status;
}
