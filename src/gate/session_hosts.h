/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail hosts in memory, for tests that verify senders: a gate with these, and what they answer at RCPT. */
#pragma once

#include "base/test.h"
#include "gate/session_bed.h"

/* --- a mail host: 198.51.100.25 for good.example, .26 takes everybody, .27 never answers RCPT --- */

struct host {
	const char *ip;
	const char *(*rcpt)(struct str line); /* its reply to RCPT; NULL: none at all */
	struct group group;
	struct listener *listener;
	unsigned sessions;
};
struct visit {
	struct host *host;
	struct stream *stream;
};

static inline const char *truthful(struct str line)
{
	return str_istarts(line, STR("RCPT TO:<joe@")) || str_istarts(line, STR("RCPT TO:<postmaster@")) ? "250 ok\r\n"
	                                                                                              : "550 5.1.1 unknown user\r\n";
}
static inline const char *takes_all(struct str line)
{
	return "250 ok\r\n";
}
static inline const char *mute(struct str line)
{
	return NULL;
}

static inline const char *host_reply(struct host *host, struct str line)
{
	if (str_istarts(line, STR("RCPT")))
		return host->rcpt(line);
	return str_istarts(line, STR("QUIT")) ? "221 bye\r\n" : str_istarts(line, STR("DATA")) ? "503 no\r\n" : "250 ok\r\n";
}

static inline void visit_run(void *arg)
{
	struct visit *v = arg;
	struct str line;
	bool is_too_long;
	struct err err;
	stream_write(v->stream, STR("220 mx ESMTP\r\n"));
	while (stream_read_line(v->stream, 1000, &line, NULL, &is_too_long, &err)) {
		const char *reply = host_reply(v->host, line);
		if (reply)
			stream_write(v->stream, str_from(reply));
		if (str_istarts(line, STR("QUIT")))
			break;
	}
	stream_flush(v->stream, &err);
	stream_close(v->stream);
	free(v);
}

static inline void host_run(void *arg)
{
	struct host *host = arg;
	struct err err;
	struct stream *stream;
	while ((stream = listener_accept(host->listener, &err))) {
		struct visit *v = mem_new(struct visit);
		host->sessions++;
		*v = (struct visit){host, stream};
		bed_must(group_go(&host->group, "visit", visit_run, v, &err), &err);
	}
}

static struct host hosts[] = {
	{.ip = "198.51.100.25", .rcpt = truthful},
	{.ip = "198.51.100.26", .rcpt = takes_all},
	{.ip = "198.51.100.27", .rcpt = mute},
};

static inline void hosts_open(void)
{
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct conf_addr at = {.port = 25};
		struct err err;
		ip_parse(str_from(hosts[i].ip), &at.ip);
		hosts[i].sessions = 0;
		group_init(&hosts[i].group, "host");
		hosts[i].listener = listener_open(&at, &err);
		bed_must(hosts[i].listener != NULL, &err);
		bed_must(group_go(&hosts[i].group, "host", host_run, &hosts[i], &err), &err);
	}
}

static inline void hosts_close(void)
{
	for (size_t i = 0; i < COUNT(hosts); i++) {
		group_done(&hosts[i].group);
		listener_close(hosts[i].listener);
	}
}

#define HOSTS_DNS                                                                                        \
	"[[\"good.example\",\"MX\",[10,\"mx.good.example\"]],[\"mx.good.example\",\"A\",\"198.51.100.25\"],"   \
	"[\"all.example\",\"MX\",[10,\"mx.all.example\"]],[\"mx.all.example\",\"A\",\"198.51.100.26\"],"       \
	"[\"mute.example\",\"MX\",[10,\"mx.mute.example\"]],[\"mx.mute.example\",\"A\",\"198.51.100.27\"],"    \
	"[\"nomail.example\",\"MX\",[0,\".\"]],[\"broken.example\",\"*\",\"SERVFAIL\"],"                       \
	"[\"loop.example\",\"MX\",[10,\"mx.loop.example\"]],[\"mx.loop.example\",\"A\",\"127.0.0.1\"]]"

static void (*the_test)(struct bed *b);

static inline void with_hosts(struct bed *b)
{
	hosts_open();
	the_test(b);
	hosts_close();
}

static inline void run_with(enum verify_mode mode, const char *exceptions, void (*configure)(struct verify_conf *conf),
                     void (*test)(struct bed *b))
{
	the_test = test;
	bed_run(with_hosts, &(struct bed_options){
		.mode = mode, .dns = HOSTS_DNS, .exceptions = exceptions, .configure_verify = configure});
}
