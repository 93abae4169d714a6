/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: all services of one process, opened in the order of the layers and closed in reverse.
 *
 * A reload loads and checks a whole new configuration, then hands it to each service; what sessions under way still
 * read is retired and freed when no session that old can be left.
 */
#pragma once

#include "cmd/daemon_conf.h"
#include "control/control.h"
#include "control/metrics_http.h"
#include "gate/gate.h"

/* What belongs to one loaded configuration. */
struct generation {
	struct conf *conf;
	const struct daemon_conf *daemon;
	const struct gate_conf *gate;
	const struct verify_conf *verify;
	const struct queue_conf *queue;
	struct domains *domains;
	struct recipients *recipients;
	usec_t retired;
	struct generation *older;
};

struct daemon {
	const char *config_path;
	struct generation *now;
	struct str host;
	struct ip_set own_addresses;
	struct group root;
	struct group delivery, questions; /* of queue and control: they end before what they use goes */
	struct tls_context *tls;
	struct resolver *resolver;
	struct store *store;
	struct history *history;
	struct exceptions *exceptions;
	struct verify *verify;
	struct spool *spool;
	struct queue *queue;
	struct gate *gate;
	struct control *control;
	struct metrics_http *metrics; /* NULL: no port is configured */
	usec_t started;
	struct cond wake;
	bool must_stop, keep_listeners;
	int handover_fd;
	const struct spool_io *disk; /* of the spool; NULL: the real one */
};

/* Everything but the runtime. The configuration is taken over, and so is a resolver that d has already (scripted DNS);
 * without one it is opened as configured. fds: listening sockets from outside. */
WAITS bool daemon_open(struct daemon *d, const char *config_path, struct conf *conf, const int *fds, size_t n_fds,
                       struct err *err);
WAITS bool daemon_reload(struct daemon *d, struct err *err);
void daemon_stop(struct daemon *d, bool keep_listeners);
WAITS void daemon_close(struct daemon *d);

extern const struct control_verb daemon_verbs[]; /* cmd/daemon_verbs.c */
