/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon as it tells of itself: answers, queue, spool, mode. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/doctor.h"
#include "control/control.h"

AUTO_DEFINE(stats, json_t *, json_decref);

/* Who made the socket is who listens: the kernel says so. */
static pid_t peer_of(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct ucred who = {0};
	socklen_t n = sizeof(who);
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(to.sun_path))
		return 0;
	memcpy(to.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return 0;
	return who.pid;
}

static double number_of(const json_t *stats, const char *name)
{
	size_t i;
	json_t *metric;

	json_array_foreach(json_object_get(stats, "metrics"), i, metric) {
		const char *its = json_string_value(json_object_get(metric, "name"));
		if (its && strcmp(its, name) == 0)
			return json_number_value(json_object_get(metric, "value"));
	}
	return 0;
}

static void judge_queue(struct doctor *d, const json_t *stats)
{
	json_int_t messages = json_integer_value(json_object_get(stats, "queue"));
	json_int_t kept = json_integer_value(json_object_get(stats, "kept"));
	usec_t oldest = (usec_t)json_integer_value(json_object_get(stats, "oldest_s")) * USEC_S;
	usec_t notable = d->queue->delay_notice > 0 ? d->queue->delay_notice : 4 * USEC_HOUR;
	char age[32], end[32];

	duration_text(oldest, age);
	duration_text(d->queue->lifetime, end);
	if (messages > 0 && oldest >= d->queue->lifetime / 4 * 3)
		finding_add(&d->found, FINDING_FAULT, "queue", "postern queue list; postern queue show ID tells the last reply",
		            "the oldest of %lld messages has waited for %s and goes back to its sender after %s", (long long)messages, age, end);
	else if (messages > 0 && oldest >= notable)
		finding_add(&d->found, FINDING_WARN, "queue", "postern queue list shows which and for what",
		            "the oldest of %lld messages has waited for %s", (long long)messages, age);
	else
		finding_add(&d->found, FINDING_PASS, "queue", NULL, "%lld messages, the oldest waits for %s", (long long)messages, age);
	if (kept > 0)
		finding_add(&d->found, FINDING_WARN, "kept", "postern failures lists them; postern spool export saves, postern queue remove deletes",
		            "%lld messages could not be delivered, and nobody may be told", (long long)kept);
}

static void judge_spool(struct doctor *d, const json_t *stats)
{
	double damaged = number_of(stats, "postern_spool_damaged_total");

	if (number_of(stats, "postern_spool_read_only") > 0)
		finding_add(&d->found, FINDING_FAULT, "spool", "look at the disk and its log; all mail is answered 451 until it can be written again",
		            "the spool cannot be written");
	else if (damaged > 0)
		finding_add(&d->found, FINDING_FAULT, "spool", "postern spool check; postern spool export saves what is whole",
		            "%.0f damaged places were found in the spool", damaged);
	else
		finding_add(&d->found, FINDING_PASS, "spool", NULL, "can be written, no damage seen");
}

static void judge_mode(struct doctor *d, const json_t *stats)
{
	const char *mode = json_string_value(json_object_get(stats, "mode"));

	if (mode && strcmp(mode, "off") == 0)
		finding_add(&d->found, FINDING_WARN, "mode", "postern mode observe", "sender verification is off");
	else
		finding_add(&d->found, FINDING_PASS, "mode", NULL, "sender verification: %s", mode ? mode : "not said");
}

static void judge(struct doctor *d, const char *path, struct str answer)
{
	json_error_t why;
	AUTO(stats) json_t *stats = json_loadb(answer.p, answer.n, 0, &why);

	d->pid = peer_of(path);
	if (!json_is_object(stats)) {
		finding_add(&d->found, FINDING_UNKNOWN, "daemon", "compare `postern version` with the daemon that runs",
		            "%s answers, but not in the form of this version", path);
		return;
	}
	d->probes = number_of(stats, "postern_verify_sessions_total");
	d->unreachable = number_of(stats, "postern_verify_unreachable_total");
	finding_add(&d->found, FINDING_PASS, "daemon", NULL, "answers at %s (process %d)", path, (int)d->pid);
	judge_mode(d, stats);
	judge_queue(d, stats);
	judge_spool(d, stats);
}

WAITS void doctor_daemon(struct doctor *d)
{
	auto_buf struct buf out;
	char path[4096];
	struct str words[] = {STR("stats")};
	struct err err;
	int status;

	buf_init(&out, 4 << 20);
	daemon_socket_path(d->daemon, path, sizeof(path));
	if (control_ask(path, words, 1, true, &out, &status, &err))
		judge(d, path, buf_view(&out));
	else if (access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0)
		finding_add(&d->found, FINDING_UNKNOWN, "daemon", "ask as root, or as a member of the daemon's group",
		            "%s: %s", path, strerror(errno));
	else
		finding_add(&d->found, FINDING_FAULT, "daemon", "start it: systemctl start postern, or postern run; its log says why it ended",
		            "no daemon answers at %s: %s", path, err.text);
}
