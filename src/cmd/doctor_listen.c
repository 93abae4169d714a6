/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has the ports that the configuration names: us, nobody, or somebody else. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "cmd/doctor.h"
#include "control/metrics_http.h"

#define STATE_LISTEN "0A"

static void dir_close(DIR *dir)
{
	if (dir)
		closedir(dir);
}

AUTO_DEFINE(dir, DIR *, dir_close);

/* "0100007F" or 32 digits: 32-bit words as this machine stores them. */
static bool hex_ip(struct str hex, struct ip *out)
{
	struct ip ip = {.family = hex.n == 8 ? 4 : 6};

	if (hex.n != 8 && hex.n != 32)
		return false;
	for (size_t i = 0; i < hex.n / 8; i++) {
		char word[9] = "";
		memcpy(word, hex.p + 8 * i, 8);
		uint32_t value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(ip.b + 4 * i, &value, 4);
	}
	*out = ip;
	return true;
}

static bool is_any(struct ip ip)
{
	static const uint8_t zeros[16];

	return memcmp(ip.b, zeros, sizeof(zeros)) == 0;
}

/* A line of /proc/net/tcp: the inode of the socket that listens at `at`, or (not exact) where `at` could not any more. */
static bool line_matches(struct str line, const struct conf_addr *at, bool is_exact, uint64_t *inode)
{
	struct str word[10], port;
	struct ip ip;
	size_t n = 0;

	while (n < 10 && str_next_word(&line, &word[n]))
		n++;
	if (n < 10 || !str_eq(word[3], STR(STATE_LISTEN)))
		return false;
	size_t colon = str_find_char(word[1], ':');
	port = str_skip(word[1], colon + 1);
	if (port.n != 4 || strtoul(port.p, NULL, 16) != at->port || !hex_ip(str_slice(word[1], 0, colon), &ip))
		return false;
	bool is_here = ip.family == at->ip.family && ip_eq(ip, at->ip);
	return (is_here || (!is_exact && (is_any(ip) || is_any(at->ip)))) && str_to_u64(word[9], UINT64_MAX, inode);
}

static bool table_has(struct str table, const struct conf_addr *at, bool is_exact, uint64_t *inode)
{
	struct str line;

	while (str_cut(&table, '\n', &line)) {
		if (line_matches(line, at, is_exact, inode))
			return true;
	}
	return false;
}

static bool inode_of(const struct doctor *d, const struct conf_addr *at, uint64_t *inode)
{
	struct str v4 = STR_NONE, v6 = STR_NONE;

	doctor_read(d, "net/tcp", &v4);
	doctor_read(d, "net/tcp6", &v6);
	return table_has(v4, at, true, inode) || table_has(v6, at, true, inode) || table_has(v4, at, false, inode) ||
	       table_has(v6, at, false, inode);
}

/* --- whose socket it is --- */

static bool holds(const char *fds, uint64_t inode)
{
	AUTO(dir) DIR *dir = opendir(fds);
	char path[4096], target[64], wanted[64];
	struct dirent *entry;

	if (!dir)
		return false;
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", fds, entry->d_name);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && str_eq((struct str){target, (size_t)n}, str_from(wanted)))
			return true;
	}
	return false;
}

/* 0: nobody whose descriptors we may see. */
static pid_t owner_of(const struct doctor *d, uint64_t inode)
{
	AUTO(dir) DIR *dir = opendir(d->proc);
	struct dirent *entry;
	char path[4096];
	uint64_t pid;

	/* The daemon first: under systemd the manager holds its sockets too. */
	snprintf(path, sizeof(path), "%s/%d/fd", d->proc, (int)d->pid);
	if (d->pid > 0 && holds(path, inode))
		return d->pid;
	while (dir && (entry = readdir(dir)) != NULL) {
		if (!str_to_u64(str_from(entry->d_name), INT32_MAX, &pid))
			continue;
		snprintf(path, sizeof(path), "%s/%s/fd", d->proc, entry->d_name);
		if (holds(path, inode))
			return (pid_t)pid;
	}
	return 0;
}

static struct str name_of(const struct doctor *d, pid_t pid)
{
	char name[64];
	struct str text;

	snprintf(name, sizeof(name), "%d/comm", (int)pid);
	return doctor_read(d, name, &text) ? str_trim(text) : STR("a program without a name");
}

static void judge_owner(struct doctor *d, struct str where, uint64_t inode)
{
	pid_t owner = owner_of(d, inode);

	if (owner > 0 && owner == d->pid)
		finding_add(&d->found, FINDING_PASS, "listen", NULL, "%.*s is ours", STR_ARG(where));
	else if (owner == 1)
		finding_add(&d->found, FINDING_PASS, "listen", NULL, "%.*s is held by the system's manager for us", STR_ARG(where));
	else if (owner > 0)
		finding_add(&d->found, FINDING_FAULT, "listen", "stop it, or let one of the two use another port",
		            "%.*s belongs to %.*s (process %d)", STR_ARG(where), STR_ARG(name_of(d, owner)), (int)owner);
	else if (d->pid > 0 && geteuid() != 0)
		finding_add(&d->found, FINDING_UNKNOWN, "listen", "look as root", "%.*s is in use; by whom is not for us to see", STR_ARG(where));
	else
		finding_add(&d->found, FINDING_UNKNOWN, "listen", "look as root, outside of containers", "%.*s is in use by a process that is not visible here",
		            STR_ARG(where));
}

static void examine_path(struct doctor *d, struct str where, struct str path)
{
	const char *name = arena_cstr(d->cmd->arena, path);

	if (access(name, F_OK) == 0)
		finding_add(&d->found, FINDING_PASS, "listen", NULL, "%.*s is there", STR_ARG(where));
	else
		finding_add(&d->found, d->pid > 0 ? FINDING_FAULT : FINDING_NA, "listen", "postern reload", "%.*s is not there", STR_ARG(where));
}

static void examine_door(struct doctor *d, struct str where, const struct conf_addr *at)
{
	uint64_t inode;

	if (at->path.n > 0)
		examine_path(d, where, at->path);
	else if (inode_of(d, at, &inode))
		judge_owner(d, where, inode);
	else if (d->pid > 0)
		finding_add(&d->found, FINDING_FAULT, "listen", "postern reload, and look into the log for why", "nobody listens at %.*s", STR_ARG(where));
	else
		finding_add(&d->found, FINDING_NA, "listen", NULL, "%.*s is free", STR_ARG(where));
}

static void examine_text(struct doctor *d, struct str where, uint16_t port)
{
	struct conf_addr at;
	struct err err;

	if (conf_parse_addr(where, port, &at, &err))
		examine_door(d, where, &at);
	else
		finding_add(&d->found, FINDING_FAULT, "listen", NULL, "%s", err.text);
}

void doctor_listen(struct doctor *d)
{
	const struct metrics_conf *metrics = conf_get(d->conf, &metrics_section);
	const struct policy_door_conf *policy = conf_get(d->conf, &policy_door_section);
	char ip[IP_TEXT_MAX];

	for (size_t i = 0; i < d->gate->listen.n; i++)
		examine_text(d, d->gate->listen.items[i], 25);
	for (size_t i = 0; i < policy->listen.n; i++)
		examine_text(d, policy->listen.items[i], 0);
	if (metrics->listen.ip.family != 0)
		examine_door(d, arena_printf(d->cmd->arena, "%.*s port %u (metrics)", STR_ARG(ip_text(metrics->listen.ip, ip)),
		                             metrics->listen.port), &metrics->listen);
}
