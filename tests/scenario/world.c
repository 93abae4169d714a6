/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens, closes and kills the daemon, and prepares what it stands on. */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "config.h"

#define LOG_BYTES   (8u << 20)
#define DISK_BYTES  ((uint64_t)1 << 40)

struct world world;

/* --- the log --- */

static void keep_line(void *arg, enum log_level level, struct str line)
{
	buf_str(&world.log, line);
	buf_char(&world.log, '\n');
}

void world_print(void)
{
	struct str text = buf_view(&world.log);

	text = str_skip(text, text.n > 6000 ? text.n - 6000 : 0);
	fprintf(stderr, "--- log ---\n%.*s", STR_ARG(text));
}

/* --- beginning and end --- */

void world_init(uint64_t seed)
{
	const char *tmp = getenv("TMPDIR");

	arena_init(&world.arena, 1u << 30);
	buf_init(&world.log, LOG_BYTES);
	map_init(&world.set);
	group_init(&world.closing, "closing");
	world.seed = seed;
	snprintf(world.directory, sizeof(world.directory), "%s/postern-scenario-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(world.directory))
		abort();
	script_set(STR("dir"), str_from(world.directory));
	world.disk = sim_new(seed);
	config_defaults();
	log_open(LOG_TEXT, LOG_DEBUG_, keep_line, NULL);
	log_clock(rt_wall);
}

static void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	char name[512];

	for (struct dirent *e; d && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) != 0)
			remove_tree(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

void world_done(void)
{
	size_t at = 0;
	struct str key;
	void *value;

	world_stop();
	log_clock(NULL);
	log_open(LOG_TEXT, LOG_WARN_, NULL, NULL);
	sim_free(world.disk);
	remove_tree(world.directory);
	while (map_next(&world.set, &at, &key, &value))
		free(value);
	map_done(&world.set);
	buf_done(&world.log);
	arena_done(&world.arena);
}

/* --- the daemon --- */

void world_start(unsigned line)
{
	struct daemon *d = &world.daemon;
	struct conf *conf;
	struct str dns;
	struct err err;

	if (world.is_stopping)
		world_stop();
	if (world.is_open)
		return;
	*d = (struct daemon){.handover_fd = -1, .disk = sim_io(world.disk)};
	conf = daemon_conf_load(config_write(), &err);
	if (!conf)
		fail_at(line, "the configuration: %s", err.text);
	dns = config_dns();
	d->resolver = resolver_open_script(conf_get(conf, &dns_section), dns, &err);
	if (!d->resolver)
		fail_at(line, "the DNS script: %s\n%.*s", err.text, STR_ARG(dns));
	if (!daemon_open(d, config_path(), conf, NULL, 0, &err))
		fail_at(line, "the daemon does not start: %s", err.text);
	world.is_open = true;
}

void world_stop(void)
{
	struct err err;

	if (world.is_stopping) {
		group_wait(&world.closing, &err);
		group_done(&world.closing);
		group_init(&world.closing, "closing");
	} else if (world.is_open) {
		daemon_close(&world.daemon);
	}
	world.is_open = world.is_stopping = false;
}

WAITS static void close_daemon(void *arg)
{
	daemon_close(arg);
	world.is_open = false;
}

void world_stop_slowly(unsigned line)
{
	struct err err;

	if (!world.is_open || world.is_stopping)
		fail_at(line, "the daemon does not run");
	world.is_stopping = true;
	if (!group_go(&world.closing, "closing", close_daemon, &world.daemon, &err) || !rt_sleep(USEC_MS, "stopping", &err))
		fail_at(line, "%s", err.text);
}

void world_reload(unsigned line)
{
	struct err err;

	config_write();
	if (!daemon_reload(&world.daemon, &err))
		fail_at(line, "reload: %s", err.text);
}

/* --- the disk --- */

/* Nothing that the dying process still does reaches the disk. */
void world_crash(unsigned line, bool is_power_cut)
{
	struct sim *image = is_power_cut ? sim_crash(world.disk, SIM_POWER_SOME, random_u64()) : NULL;

	if (!world.is_open)
		fail_at(line, "the daemon does not run");
	sim_freeze_after(world.disk, 0);
	world_stop();
	sim_kill(world.disk);
	if (image) {
		sim_free(world.disk);
		world.disk = image;
	}
	world_start(line);
}

static uint64_t disk_used(void)
{
	const struct spool_io *io = sim_io(world.disk);
	struct spool_space space;

	sim_set_capacity(world.disk, DISK_BYTES);
	io->space(io->self, -1, &space);
	return DISK_BYTES - space.bytes;
}

void world_disk(unsigned line, struct str rest)
{
	struct str what = script_word(line, &rest, "what happens to the disk"), size;
	int64_t bytes = 0;

	if (str_eq(what, STR("free"))) {
		size = script_word(line, &rest, "a size");
		if (!conf_parse_size(size, &bytes))
			fail_at(line, "\"%.*s\" is not a size", STR_ARG(size));
		sim_set_capacity(world.disk, disk_used() + (uint64_t)bytes);
	} else if (str_eq(what, STR("full"))) {
		sim_set_capacity(world.disk, disk_used());
	} else if (str_eq(what, STR("broken"))) {
		sim_fault(world.disk, SIM_SYNC, 1, 1000000, EIO);
	} else if (str_eq(what, STR("unreadable"))) {
		sim_fault(world.disk, SIM_READ, 1, 1000000, EIO);
	} else if (str_eq(what, STR("ok"))) {
		sim_set_capacity(world.disk, DISK_BYTES);
		sim_fault_clear(world.disk);
	} else {
		fail_at(line, "disk full, free, broken, unreadable or ok");
	}
}

/* --- questions --- */

int world_ask(unsigned line, struct str words, struct buf *out)
{
	struct str list[32], rest = words;
	size_t n = 0;
	char path[128];
	int status = -1;
	bool as_json = false;
	struct err err;

	while (n < 32 && str_next_word(&rest, &list[n])) {
		if (str_eq(list[n], STR("--json")))
			as_json = true;
		else
			n++;
	}
	snprintf(path, sizeof(path), "%s/control.sock", world.directory);
	if (!control_ask(path, list, n, as_json, out, &status, &err))
		fail_at(line, "ask: %s", err.text);
	return status;
}
