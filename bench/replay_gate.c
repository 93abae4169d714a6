/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate of the replay: all its services in this process, opened as `postern run` opens them, on the fake clock and
 * network with scripted DNS. Budgets and times are the defaults, and a week is a week.
 */
#include "bench/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/daemon.h"
#include "spool/io_sim.h"

#define GATE_IP       ((struct ip){.family = 4, .b = {203, 0, 113, 1}})
#define NEXT_HOP_IP   ((struct ip){.family = 4, .b = {127, 11, 0, 1}})
#define DISK_BYTES    ((uint64_t)1 << 40)
#define DNS_BYTES     (64u << 20)
#define REPLY_SHARE   4 /* one in so many first contacts is written back to, where the mode only watches */

static const char config_text[] =
	"daemon {\n\tstate_directory = \"%s\"\n\trun_directory = \"%s\"\n\texceptions = \"%s/exceptions\"\n}\n"
	"gate {\n\thost = \"mx.here.example\"\n\tlisten = {\"203.0.113.1:25\"}\n\tlocal_networks = {\"10.0.0.0/8\"}\n}\n"
	"route \"here.example\" {\n\tlocal = yes\n\tkind = smtp\n\tnext_hop = \"127.11.0.1:25\"\n\trecipients = file\n"
	"\trecipients_file = \"%s/recipients\"\n}\n"
	"verify {\n\tmode = %s\n\tdial_networks = {\"127.10.0.0/16\"}\n\tsecret = \"of the replay\"\n}\n"
	"queue {\n\tdial_networks = {\"127.10.0.0/15\"}\n}\n"
	"spool {\n\tdirectory = \"/spool\"\n\tsegment_size = 1M\n\treserve = 1M\n\tfree_min = 0\n\tinodes_min = 0\n}\n";

struct replaying {
	struct replay *r;
	const char *directory;
	struct replay_target to;
	struct daemon daemon;
	struct group hosts, replies;
	struct lab_mx *next_hop;
	struct sim *disk;
	unsigned n_first;
	bool writes_back;
};

static void fail(const char *what, const struct err *err)
{
	fprintf(stderr, "replay: %s: %s\n", what, err->text);
	exit(70);
}

static void write_file(const char *directory, const char *name, struct str text)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *f = fopen(path, "we");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		exit(66);
	}
}

static void write_config(const struct replaying *x, const char *mode)
{
	auto_buf struct buf text = {.max = 65536}, users = {.max = 65536};
	const char *d = x->directory;

	buf_printf(&text, config_text, d, d, d, d, mode);
	write_file(d, "postern.conf", buf_view(&text));
	for (int i = 0; i < 40; i++)
		buf_printf(&users, "user%d@here.example\n", i);
	write_file(d, "recipients", buf_view(&users));
	write_file(d, "exceptions", STR(""));
}

WAITS static void open_gate(struct replaying *x, const char *mode)
{
	auto_buf struct buf dns = {.max = DNS_BYTES};
	static char path[1024];
	struct daemon *d = &x->daemon;
	struct err err;

	write_config(x, mode);
	snprintf(path, sizeof(path), "%s/postern.conf", x->directory);
	struct conf *conf = daemon_conf_load(path, &err);
	if (!conf)
		fail("configuration", &err);
	x->disk = sim_new(1);
	sim_set_capacity(x->disk, DISK_BYTES);
	*d = (struct daemon){.handover_fd = -1, .disk = sim_io(x->disk)};
	replay_dns(x->r, &dns);
	d->resolver = resolver_open_script(conf_get(conf, &dns_section), buf_view(&dns), &err);
	if (!d->resolver)
		fail("DNS", &err);
	if (!daemon_open(d, path, conf, NULL, 0, &err))
		fail("gate", &err);
}

/* Our own mail goes on to a server that takes everything. */
static bool takes_all(void *arg, struct str address)
{
	return true;
}

WAITS static void open_hosts(struct replaying *x)
{
	static const struct lab_habit taking = {.domain = "next-hop.lab"};
	struct err err;

	group_init(&x->hosts, "hosts");
	if (!replay_serve(x->r, 25, &x->hosts, &err) ||
	    !lab_mx_new(25, &x->hosts, takes_all, NULL, &x->next_hop, &err) ||
	    !lab_mx_add(x->next_hop, &taking, NEXT_HOP_IP, &err))
		fail("hosts", &err);
}

/* --- our users write back --- */

struct answering {
	struct replaying *x;
	struct replay_mail mail;
};

WAITS static void write_back(void *arg)
{
	struct answering *a = arg;
	struct err err;

	if (rt_sleep(USEC_HOUR, "writing back", &err))
		replay_send(&a->x->to, &a->mail);
	free(a);
}

/* To one in four of those who wrote for the first time and are honest. */
static void on_ended(void *arg, const struct replay_mail *m)
{
	struct replaying *x = arg;
	struct err err;

	if (!x->writes_back || !m->is_first || !str_eq(str_from(m->kind), STR("honest/person")) ||
	    x->n_first++ % REPLY_SHARE != 0)
		return;
	struct answering *a = mem_new(struct answering);
	*a = (struct answering){x, {.kind = "reply", .helo = "desk.here.example", .sender = m->rcpt, .rcpt = m->sender,
	                            .client = {.family = 4, .b = {10, 0, 0, 5}}}};
	if (!group_go(&x->replies, "reply", write_back, a, &err))
		free(a);
}

/* --- what the gate says of itself --- */

WAITS static void keep_answer(struct replaying *x, const char *file, struct str *words, size_t n, bool as_json)
{
	auto_buf struct buf out = {.max = 65u << 20};
	char path[1024];
	struct err err;
	int status;

	snprintf(path, sizeof(path), "%s/control.sock", x->directory);
	if (!control_ask(path, words, n, as_json, &out, &status, &err))
		fail(file, &err);
	write_file(x->directory, file, buf_view(&out));
}

WAITS static void keep_answers(struct replaying *x)
{
	struct str report[] = {STR("report"), STR("observe"), STR("--since=8d"), STR("--limit=1000"), STR("--html")};
	struct str stats[] = {STR("stats")};

	keep_answer(x, "stats.json", stats, 1, true);
	keep_answer(x, "report.json", report, 4, true);
	keep_answer(x, "report.txt", report, 4, false);
	keep_answer(x, "report.html", report, 5, false);
}

void replay_gate(struct replay *r, const char *directory, const char *mode)
{
	static struct replaying x; /* large: a daemon */
	struct err err;

	log_open(LOG_TEXT, LOG_WARN_, NULL, NULL);
	log_clock(rt_wall);
	x = (struct replaying){.r = r, .directory = directory, .writes_back = str_eq(str_from(mode), STR("observe")),
	                       .to = {.ip = GATE_IP, .port = 25, .sessions_max = 1000, .ended = on_ended, .arg = &x}};
	group_init(&x.replies, "replies");
	open_hosts(&x);
	open_gate(&x, mode);
	replay_run(r, &x.to);
	group_wait(&x.replies, &err);
	rt_sleep(10 * USEC_MIN, "the queue", &err);
	keep_answers(&x);
	daemon_close(&x.daemon);
	group_done(&x.replies);
	group_done(&x.hosts);
	lab_mx_close(x.next_hop);
	sim_free(x.disk);
	log_clock(NULL);
}
