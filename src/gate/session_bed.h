/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole gate in memory for tests and fuzzing: fake backend, scripted DNS, a spool on a simulated disk, sessions
 * over a pipe. Nothing here is part of the daemon.
 *
 *	static void test(struct bed *b) { struct stream *c = bed_connect(b, "192.0.2.1"); … }
 *	bed_run(test, &(struct bed_options){.mode = VERIFY_MODE_OFF});
 */
#pragma once

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "spool/io_sim.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BED_DNS_DEFAULT                                                                            \
	"[[\"good.example\",\"MX\",[10,\"mx.good.example\"]],"                                     \
	"[\"mx.good.example\",\"A\",\"198.51.100.25\"],"                                           \
	"[\"nomail.example\",\"MX\",[0,\".\"]],"                                                   \
	"[\"broken.example\",\"*\",\"SERVFAIL\"],"                                                 \
	"[\"loop.example\",\"MX\",[10,\"mx.loop.example\"]],[\"mx.loop.example\",\"A\",\"127.0.0.1\"]]"

struct bed;
struct bed_options {
	enum verify_mode mode;
	uint64_t seed;
	const char *dns;                                   /* NULL: BED_DNS_DEFAULT */
	const char *exceptions;                            /* text of the file; NULL: none */
	void (*configure)(struct gate_conf *gate);         /* after the defaults */
	void (*configure_verify)(struct verify_conf *verify);
	void (*configure_policy)(struct policy_door_conf *policy);
	void *arg;
};
struct bed {
	const struct bed_options *options;
	void (*test)(struct bed *b);
	char directory[64];
	struct group root, sessions;
	struct gate_conf conf;
	struct verify_conf verify_conf;
	struct policy_door_conf policy_conf;
	struct spool_conf spool_conf;
	struct dns_conf dns_conf;
	struct queue_conf queue_conf;
	struct route_conf routes[4];
	struct resolver *resolver;
	struct store *store;
	struct history *history;
	struct sim *disk;
	struct spool *spool;
	struct verify *verify;
	struct queue *queue;
	struct domains *domains;
	struct recipients *recipients;
	struct exceptions *exceptions;
	struct tls_context *tls;
	struct gate *gate;
	struct gate_deps deps;
};

static inline void bed_must(bool ok, const struct err *err)
{
	if (ok)
		return;
	fprintf(stderr, "bed: %s\n", err->text);
	abort();
}

static inline void bed_row(const struct conf_row *rows, void *conf, const char *key, const char *value)
{
	struct err err;
	for (; rows->key; rows++)
		if (strcmp(rows->key, key) == 0)
			bed_must(conf_row_set(rows, conf, str_from(value), &err), &err);
}

static inline const char *bed_path(const struct bed *b, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", b->directory, name);
	return out;
}

static inline void bed_write(const struct bed *b, const char *name, const char *text)
{
	char path[128];
	FILE *f = fopen(bed_path(b, name, path), "w");
	assert(f);
	fputs(text, f);
	fclose(f);
}

static inline void bed_conf(struct bed *b)
{
	conf_rows_default(gate_conf_rows, &b->conf, sizeof b->conf);
	conf_rows_default(verify_conf_rows, &b->verify_conf, sizeof b->verify_conf);
	conf_rows_default(policy_door_conf_rows, &b->policy_conf, sizeof b->policy_conf);
	conf_rows_default(spool_conf_rows, &b->spool_conf, sizeof b->spool_conf);
	conf_rows_default(dns_conf_rows, &b->dns_conf, sizeof b->dns_conf);
	conf_rows_default(queue_conf_rows, &b->queue_conf, sizeof b->queue_conf);
	bed_row(gate_conf_rows, &b->conf, "host", "mx.here.example");
	bed_row(gate_conf_rows, &b->conf, "listen", "");
	bed_row(gate_conf_rows, &b->conf, "local_networks", "10.0.0.0/8");
	bed_row(gate_conf_rows, &b->conf, "sessions_per_ip", "0");
	bed_row(gate_conf_rows, &b->conf, "connects_per_minute", "0");
	bed_row(spool_conf_rows, &b->spool_conf, "directory", "spool");
	bed_row(spool_conf_rows, &b->spool_conf, "segment_size", "1M");
	bed_row(spool_conf_rows, &b->spool_conf, "reserve", "1M");
	bed_row(spool_conf_rows, &b->spool_conf, "free_min", "0");
	bed_row(spool_conf_rows, &b->spool_conf, "inodes_min", "0");
	bed_row(verify_conf_rows, &b->verify_conf, "dial_networks", "198.51.100.0/24");
	b->verify_conf.mode = b->options->mode;
	b->verify_conf.use_tls = false;
	if (b->options->configure)
		b->options->configure(&b->conf);
	if (b->options->configure_verify)
		b->options->configure_verify(&b->verify_conf);
	if (b->options->configure_policy)
		b->options->configure_policy(&b->policy_conf);
}

/* here.example takes everybody, list.example those of its file, and nothing leaves but by a dead smarthost. */
static inline void bed_routes(struct bed *b)
{
	static char file[128];
	const struct route_conf *list[4];
	struct err err;
	bed_write(b, "recipients", "joe\njane@list.example\n");
	bed_path(b, "recipients", file);
	b->routes[0] = (struct route_conf){.domain = STR("here.example"), .kind = ROUTE_SMTP, .is_local = true,
	                                   .next_hop = STR("203.0.113.1"), .recipients = RECIPIENTS_ANY, .concurrency = 1};
	b->routes[1] = (struct route_conf){.domain = STR("list.example"), .kind = ROUTE_SMTP, .is_local = true,
	                                   .next_hop = STR("203.0.113.1"), .recipients = RECIPIENTS_FILE,
	                                   .recipients_file = str_from(file), .concurrency = 1};
	b->routes[2] = (struct route_conf){.domain = STR("lost.example"), .kind = ROUTE_SMTP, .is_local = true,
	                                   .next_hop = STR("203.0.113.1"), .recipients = RECIPIENTS_FILE,
	                                   .recipients_file = STR("/nonexistent/file"), .concurrency = 1};
	b->routes[3] = (struct route_conf){.domain = STR("ahead.example"), .kind = ROUTE_SMTP, .is_local = true,
	                                   .next_hop = STR("203.0.113.9"), .recipients = RECIPIENTS_CALL_AHEAD,
	                                   .concurrency = 1};
	for (size_t i = 0; i < 4; i++)
		list[i] = &b->routes[i];
	b->domains = domains_new(list, 4, &err);
	bed_must(b->domains != NULL, &err);
}

static inline void bed_ignore(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size)
{
}

static inline void bed_services(struct bed *b)
{
	struct err err;
	const char *dns = b->options->dns ? b->options->dns : BED_DNS_DEFAULT;
	b->resolver = resolver_open_script(&b->dns_conf, str_from(dns), &err);
	bed_must(b->resolver != NULL, &err);
	b->store = store_open(NULL, "state", &err);
	bed_must(b->store && store_start(b->store, &b->root, &err), &err);
	b->history = history_open(b->store, USEC_DAY, 10000, &err);
	bed_must(b->history != NULL, &err);
	b->disk = sim_new(b->options->seed + 1);
	bed_must(spool_open(&b->spool_conf, sim_io(b->disk), &b->root, bed_ignore, NULL, &b->spool, &err), &err);
	b->tls = tls_client_context(&err);
	const struct verify_deps verify = {.resolver = b->resolver, .store = b->store, .tls = b->tls,
	                                   .host = b->conf.host};
	bed_must(verify_open(&b->verify_conf, &verify, &b->verify, &err), &err);
	const struct queue_deps queue = {.spool = b->spool, .resolver = b->resolver, .history = b->history,
	                                 .domains = b->domains, .verify = b->verify, .root = &b->root, .tls = b->tls,
	                                 .host = b->conf.host};
	bed_must(queue_open(&b->queue_conf, &queue, &b->queue, &err), &err);
	b->recipients = recipients_open(b->domains, b->verify, b->resolver, &err);
}

static inline void bed_open(struct bed *b)
{
	char path[128];
	struct err err;
	group_init(&b->root, "services");
	group_init(&b->sessions, "test sessions");
	if (b->options->exceptions)
		bed_write(b, "exceptions", b->options->exceptions);
	bed_conf(b);
	bed_routes(b);
	bed_services(b);
	b->exceptions = exceptions_open(str_from(bed_path(b, "exceptions", path)));
	b->deps = (struct gate_deps){
		.policy_door = &b->policy_conf,
		.resolver = b->resolver, .spool = b->spool, .queue = b->queue, .verify = b->verify,
		.verify_conf = &b->verify_conf, .recipients = b->recipients, .exceptions = b->exceptions,
		.domains = b->domains, .history = b->history, .root = &b->root,
	};
	bed_must(gate_open(&b->conf, &b->deps, NULL, 0, &b->gate, &err), &err);
}

static inline void bed_remove(const char *path)
{
	DIR *d = opendir(path);
	char name[512];
	for (struct dirent *e; d && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		if (unlink(name) < 0)
			bed_remove(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static inline void bed_close(struct bed *b)
{
	gate_drain(b->gate, false);
	group_done(&b->sessions);
	gate_close(b->gate);
	queue_close(b->queue);
	verify_close(b->verify);
	recipients_close(b->recipients);
	exceptions_close(b->exceptions);
	domains_free(b->domains);
	spool_close(b->spool);
	sim_free(b->disk);
	store_close(b->store);
	group_done(&b->root);
	resolver_close(b->resolver);
	tls_context_unref(b->tls);
	conf_rows_done(gate_conf_rows, &b->conf);
	conf_rows_done(verify_conf_rows, &b->verify_conf);
	conf_rows_done(policy_door_conf_rows, &b->policy_conf);
	conf_rows_done(spool_conf_rows, &b->spool_conf);
	conf_rows_done(dns_conf_rows, &b->dns_conf);
	conf_rows_done(queue_conf_rows, &b->queue_conf);
	bed_remove(b->directory);
}

static inline void bed_main(void *arg)
{
	struct bed *b = arg;
	bed_open(b);
	b->test(b);
	bed_close(b);
}

static inline void bed_run(void (*test)(struct bed *b), const struct bed_options *options)
{
	static struct bed bed; /* big, and the first fiber's stack is small */
	const char *tmp = getenv("TMPDIR");
	const struct rt_options rt = {.is_fake = true, .seed = options->seed ? options->seed : 1};
	struct err err;
	memset(&bed, 0, sizeof bed);
	bed.options = options;
	bed.test = test;
	snprintf(bed.directory, sizeof bed.directory, "%s/postern-gate-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(bed.directory))
		abort();
	bed_must(rt_run(&rt, bed_main, &bed, &err), &err);
}

/* --- a client --- */

struct bed_session {
	struct bed *bed;
	struct stream *stream;
};

static inline void bed_serve(void *arg)
{
	struct bed_session *s = arg;
	gate_session_run(s->bed->gate, s->stream);
	free(s);
}

/* The client's end; the session runs in a fiber of its own. */
static inline struct stream *bed_connect(struct bed *b, const char *ip)
{
	struct stream *ends[2];
	struct bed_session *s = mem_new(struct bed_session);
	struct ip peer = {0};
	struct err err;
	stream_pair(ends);
	ip_parse(str_from(ip), &peer);
	stream_set_peer(ends[1], peer, 40000);
	*s = (struct bed_session){b, ends[1]};
	bed_must(group_go(&b->sessions, "session", bed_serve, s, &err), &err);
	return ends[0];
}

/* The last line of the next reply, or "closed" at the end of the connection. */
static inline const char *bed_reply(struct stream *c, char out[600])
{
	struct str line;
	bool is_too_long;
	struct err err;
	do {
		if (!stream_read_line(c, 598, &line, NULL, &is_too_long, &err))
			return strcpy(out, err.kind == ERR_CLOSED ? "closed" : err.text);
		snprintf(out, 600, "%.*s", STR_ARG(line));
	} while (line.n > 3 && line.p[3] == '-');
	return out;
}

static inline void bed_send(struct stream *c, struct str bytes)
{
	struct err err;
	stream_write(c, bytes);
	stream_flush(c, &err);
}

static inline uint64_t bed_accepted(struct bed *b)
{
	struct spool_stats stats;
	spool_stats(b->spool, &stats);
	return stats.accepted;
}
