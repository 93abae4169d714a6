/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon under test: the real services, opened and closed by cmd/daemon.c as `postern run` does, on the fake clock and
 * network, with scripted DNS and a spool on a disk in memory that can be full, broken, or cut off from power.
 *
 *	set verify.profile strict      a key of the configuration, for the next start or reload
 *	route list.example             a route section; its body is the section's
 *	file recipients                a file below {dir}
 *	dns good.example MX 10 mx.good.example       types and outcomes of `--dns`; each peer's A record comes by itself
 */
#pragma once

#include "cmd/daemon.h"
#include "script.h"
#include "spool/io_sim.h"

struct world {
	struct arena arena;
	struct daemon daemon;
	bool is_open, is_stopping;
	struct group closing;
	char directory[64];
	uint64_t seed;
	struct sim *disk;
	struct str settings, routes, dns; /* as text so far */
	struct map set;                   /* "section.key" → value */
	struct buf log;
};
extern struct world world;

/* The clock runs. */
void world_init(uint64_t seed);
WAITS void world_done(void);

void world_set(const struct statement *st, struct str rest);
void world_route(const struct statement *st, struct str rest);
void world_dns(const struct statement *st, struct str rest);
void world_file(const struct statement *st, struct str rest);

/* `start`; also whatever needs the daemon calls it first. */
WAITS void world_start(unsigned line);
WAITS void world_stop(void);
/* `stop`: begins to drain and returns. */
WAITS void world_stop_slowly(unsigned line);
WAITS void world_reload(unsigned line);
/* The process dies; or the power goes, and with it a part of what was not synced. */
WAITS void world_crash(unsigned line, bool is_power_cut);
/* disk full | disk free SIZE | disk broken (no sync succeeds) | disk unreadable | disk ok */
void world_disk(unsigned line, struct str rest);

/* Everything below the socket's question line of `postern VERB …`. */
WAITS int world_ask(unsigned line, struct str words, struct buf *out);
void world_print(void);
