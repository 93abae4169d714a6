/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durable messages a second: the spool beside one file and fsync each, at several numbers of
 *senders at once.
 *
 *	spool_bench [DIRECTORY [SECONDS [BYTES]]]
 *
 * Both sides keep the same promise (bytes and name on disk before the answer) and both let go of a
 *message as soon as it is answered, as a gate does whose next hop is up. The peer writes, fsyncs,
 *renames into place and fsyncs the directory, with a thread for each sender, which is the kindest
 *way to run it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "spool/spool.h"

enum { SENDERS_MAX = 256 };

static double seconds = 3;
static size_t bytes = 4096;
static const char *directory = "spool-bench";
static char *message;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "spool_bench: %s: %s\n", what, why);
	exit(1);
}

/* --- the spool --- */

static struct {
	struct spool *spool;
	unsigned senders;
	double until;
	unsigned long n;
	double took;
	struct spool_stats stats;
} run;

WAITS static void send_until(void *arg)
{
	static struct spool_rcpt rcpt = {.address = {"user@example.org", 16}};
	const struct spool_envelope e = {
		.sender = {"sender@example.net", 18}, .rcpts = &rcpt, .n_rcpts = 1};
	struct err err;
	while (now() < run.until) {
		struct spool_body *b = spool_body_new(run.spool);
		struct spool_id id = spool_next_id(run.spool);
		if (!spool_body_write(b, (struct str){message, bytes}, &err) ||
		    !spool_accept(run.spool, id, &e, STR("Received: by bench\r\n"), NULL, 0, b,
				  &err))
			die("spool", err.text);
		spool_note_done(run.spool, id);
		run.n++;
	}
}

WAITS static void bench_spool(void *arg)
{
	struct spool_conf conf;
	struct group root, senders;
	struct err err;
	conf_rows_default(spool_conf_rows, &conf, sizeof(conf));
	conf.directory = str_from(directory);
	group_init(&root, "spool");
	group_init(&senders, "senders");
	if (!spool_open(&conf, NULL, &root, NULL, NULL, &run.spool, &err))
		die("spool", err.text);
	double begun = now();
	run.until = begun + seconds;
	for (unsigned i = 0; i < run.senders; i++)
		if (!group_go(&senders, "sender", send_until, NULL, &err))
			die("fiber", err.text);
	if (!group_wait(&senders, &err))
		die("wait", err.text);
	run.took = now() - begun;
	group_done(&senders);
	spool_stats(run.spool, &run.stats);
	spool_close(run.spool);
	group_done(&root);
}

static double spool_rate(unsigned senders)
{
	struct rt_options options = {0};
	struct err err;
	run.senders = senders;
	run.n = 0;
	if (!rt_run(&options, bench_spool, NULL, &err))
		die("runtime", err.text);
	return (double)run.n / run.took;
}

/* --- one file each --- */

struct writer {
	pthread_t thread;
	unsigned number;
	double until;
	unsigned long n;
};

static int peer_dir;

static void *write_files(void *arg)
{
	struct writer *w = arg;
	char name[40], temporary[44];
	for (; now() < w->until; w->n++) {
		snprintf(name, sizeof(name), "m%u.%lu", w->number, w->n);
		snprintf(temporary, sizeof(temporary), "t%s", name);
		int fd = openat(peer_dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || write(fd, message, bytes) != (ssize_t)bytes || fsync(fd) < 0 ||
		    close(fd) < 0 || renameat(peer_dir, temporary, peer_dir, name) < 0 ||
		    fsync(peer_dir) < 0 || unlinkat(peer_dir, name, 0) < 0)
			die("one file each", strerror(errno));
	}
	return NULL;
}

static double file_rate(unsigned senders)
{
	static struct writer writers[SENDERS_MAX];
	unsigned long n = 0;
	double begun = now();
	for (unsigned i = 0; i < senders; i++) {
		writers[i] = (struct writer){.number = i, .until = begun + seconds};
		if (pthread_create(&writers[i].thread, NULL, write_files, &writers[i]) != 0)
			die("thread", "cannot start");
	}
	for (unsigned i = 0; i < senders; i++) {
		pthread_join(writers[i].thread, NULL);
		n += writers[i].n;
	}
	return (double)n / (now() - begun);
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = {1, 8, 64, 256};
	char path[4096];
	if (argc > 1)
		directory = argv[1];
	if (argc > 2)
		seconds = atof(argv[2]);
	if (argc > 3)
		bytes = (size_t)atol(argv[3]);
	message = mem_alloc(bytes);
	memset(message, 'm', bytes);
	snprintf(path, sizeof(path), "%s.files", directory);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		die(path, strerror(errno));
	peer_dir = open(path, O_RDONLY | O_DIRECTORY);
	if (peer_dir < 0)
		die(path, strerror(errno));
	printf("%8s %14s %14s %8s %16s\n", "senders", "spool msg/s", "files msg/s", "ratio",
	       "messages a sync");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		double files = file_rate(counts[i]), spool = spool_rate(counts[i]);
		printf("%8u %14.0f %14.0f %8.1f %16.1f\n", counts[i], spool, files, spool / files,
		       (double)run.stats.accepted /
			       (double)(run.stats.syncs ? run.stats.syncs : 1));
		fflush(stdout);
	}
	close(peer_dir);
	rmdir(path);
	free(message);
	return 0;
}
