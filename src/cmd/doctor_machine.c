/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disk, inodes, memory, descriptors and the clock. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "base/auto.h"
#include "cmd/doctor.h"

#define COMFORT       3              /* times what the daemon needs at least */
#define STATE_MIN     (50LL << 20)   /* SQLite's files; they grow with the memory of verification */
#define MEMORY_MIN    (64LL << 20)
#define OTHER_FDS     256            /* files, libraries, the control socket */
#define CLOCK_OFF_MAX 500000         /* µs: above it DNSSEC and TLS still work, log lines of two machines no longer compare */

static struct str size_text(int64_t n, char out[32])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)n;
	int unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 32, "%.*f %s", unit > 0 && value < 10 ? 1 : 0, value, units[unit]);
	return str_from(out);
}

/* --- disk --- */

static void judge_space(struct doctor *d, const char *path, int64_t free_bytes, int64_t least)
{
	char has[32], needs[32];

	size_text(free_bytes, has);
	size_text(least, needs);
	if (free_bytes < least)
		finding_add(&d->found, FINDING_FAULT, "disk", "make room, or give the directory a disk of its own",
		            "%s: %s free; below %s new mail is answered 452", path, has, needs);
	else if (free_bytes < COMFORT * least)
		finding_add(&d->found, FINDING_WARN, "disk", "make room before it is needed", "%s: %s free; below %s new mail is answered 452",
		            path, has, needs);
	else
		finding_add(&d->found, FINDING_PASS, "disk", NULL, "%s: %s free", path, has);
}

static void judge_inodes(struct doctor *d, const char *path, const struct statvfs *fs, int64_t least)
{
	int64_t free_inodes = (int64_t)fs->f_favail;

	if (fs->f_files == 0) /* btrfs and the like have no fixed number */
		finding_add(&d->found, FINDING_PASS, "inodes", NULL, "%s: as many as there is room for", path);
	else if (free_inodes < least)
		finding_add(&d->found, FINDING_FAULT, "inodes", "delete what has many small files on this file system",
		            "%s: %lld inodes free; below %lld new mail is answered 452", path, (long long)free_inodes, (long long)least);
	else if (free_inodes < COMFORT * least)
		finding_add(&d->found, FINDING_WARN, "inodes", "look for many small files on this file system", "%s: %lld inodes free", path,
		            (long long)free_inodes);
	else
		finding_add(&d->found, FINDING_PASS, "inodes", NULL, "%s: %lld free", path, (long long)free_inodes);
}

static void examine_disk(struct doctor *d, struct str directory, int64_t bytes, int64_t inodes)
{
	const char *path = arena_cstr(d->cmd->arena, directory);
	struct statvfs fs;

	if (statvfs(path, &fs) != 0) {
		finding_add(&d->found, errno == ENOENT ? FINDING_WARN : FINDING_UNKNOWN, "disk",
		            errno == ENOENT ? "the daemon makes it at its first start when it may" : "look as root", "%s: %s", path,
		            strerror(errno));
		return;
	}
	judge_space(d, path, (int64_t)fs.f_bavail * (int64_t)fs.f_frsize, bytes);
	judge_inodes(d, path, &fs, inodes);
}

/* --- memory --- */

/* "MemAvailable:   123 kB" */
static bool field_of(struct str text, struct str name, uint64_t *out)
{
	struct str line, word;

	while (str_cut(&text, '\n', &line)) {
		if (!str_starts(line, name))
			continue;
		line = str_skip(line, name.n);
		return str_next_word(&line, &word) && str_to_u64(word, UINT64_MAX, out);
	}
	return false;
}

static void examine_memory(struct doctor *d)
{
	char has[32], wants[32];
	uint64_t kib;
	struct str text;

	if (!doctor_read(d, "meminfo", &text) || !field_of(text, STR("MemAvailable:"), &kib)) {
		finding_add(&d->found, FINDING_UNKNOWN, "memory", NULL, "%s/meminfo does not tell", d->proc);
		return;
	}
	int64_t available = (int64_t)(kib < (1ULL << 50) ? kib : 1ULL << 50) * 1024;
	size_text(available, has);
	size_text(d->gate->memory, wants);
	if (available < MEMORY_MIN)
		finding_add(&d->found, FINDING_FAULT, "memory", "find out who has it (top, sorted by RES); the kernel ends processes soon",
		            "%s available", has);
	else if (available < d->gate->memory)
		finding_add(&d->found, FINDING_WARN, "memory", "lower gate.memory, or add some",
		            "%s available, and messages that are being received may take %s", has, wants);
	else
		finding_add(&d->found, FINDING_PASS, "memory", NULL, "%s available, messages in reception may take %s", has, wants);
}

/* --- descriptors --- */

static int64_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int64_t n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void judge_limit(struct doctor *d, uint64_t limit)
{
	/* A session has its connection, maybe a file for its body, and a probe. */
	int64_t wants = 2 * d->gate->sessions + d->queue->concurrency + OTHER_FDS;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%d/fd", d->proc, (int)d->pid);
	int64_t open_now = count_entries(path);
	if (open_now >= 0 && (uint64_t)open_now > limit / 10 * 9)
		finding_add(&d->found, FINDING_FAULT, "files", "raise LimitNOFILE= in the unit, or lower gate.sessions",
		            "%lld of %llu file descriptors are in use", (long long)open_now, (unsigned long long)limit);
	else if (limit < (uint64_t)wants)
		finding_add(&d->found, FINDING_WARN, "files", "raise LimitNOFILE= in the unit, or lower gate.sessions",
		            "the daemon may open %llu files; %lld sessions and %lld deliveries may want %lld", (unsigned long long)limit,
		            (long long)d->gate->sessions, (long long)d->queue->concurrency, (long long)wants);
	else
		finding_add(&d->found, FINDING_PASS, "files", NULL, "the daemon may open %llu", (unsigned long long)limit);
}

static void examine_limits(struct doctor *d)
{
	char name[64];
	uint64_t limit;
	struct str text;

	snprintf(name, sizeof(name), "%d/limits", (int)d->pid);
	if (d->pid == 0)
		finding_add(&d->found, FINDING_NA, "files", NULL, "no daemon runs, so its limits are not known");
	else if (!doctor_read(d, name, &text))
		finding_add(&d->found, FINDING_UNKNOWN, "files", "look as root", "%s/%s cannot be read", d->proc, name);
	else if (field_of(text, STR("Max open files"), &limit))
		judge_limit(d, limit);
	else
		finding_add(&d->found, FINDING_PASS, "files", NULL, "no limit");
}

/* "used spare most", of all processes together */
static void examine_system_files(struct doctor *d)
{
	uint64_t n[3];
	struct str text, word;

	if (!doctor_read(d, "sys/fs/file-nr", &text))
		return;
	text = str_trim(text);
	for (int i = 0; i < 3; i++) {
		if (!str_next_word(&text, &word) || !str_to_u64(word, UINT64_MAX, &n[i]))
			return;
	}
	if (n[0] > n[1] && n[0] - n[1] > n[2] / 10 * 9)
		finding_add(&d->found, FINDING_FAULT, "files_system", "raise fs.file-max (sysctl), and find who has so many",
		            "%llu of %llu files of the whole system are open", (unsigned long long)(n[0] - n[1]), (unsigned long long)n[2]);
}

/* --- the clock --- */

static void examine_clock(struct doctor *d)
{
	struct timex t = {0};
	int state = adjtimex(&t);

	if (state < 0)
		finding_add(&d->found, FINDING_UNKNOWN, "clock", NULL, "the kernel does not tell: %s", strerror(errno));
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
		finding_add(&d->found, FINDING_WARN, "clock", "run systemd-timesyncd, chrony (with rtcsync) or ntpd",
		            "nothing keeps it: DNSSEC, certificates and signatures fail when it is wrong");
	else if (t.esterror > CLOCK_OFF_MAX)
		finding_add(&d->found, FINDING_WARN, "clock", "look at timedatectl timesync-status or chronyc tracking",
		            "kept, but maybe wrong by %ld ms", t.esterror / 1000);
	else
		finding_add(&d->found, FINDING_PASS, "clock", NULL, "kept, wrong by at most %ld ms (estimated)", t.esterror / 1000);
}

void doctor_machine(struct doctor *d)
{
	examine_disk(d, d->spool->directory, d->spool->free_min, d->spool->inodes_min);
	examine_disk(d, d->daemon->state_directory, STATE_MIN, 100);
	examine_memory(d);
	examine_limits(d);
	examine_system_files(d);
	examine_clock(d);
}
