/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue: what was accepted goes on to its next hop, at once when it can, later when it must.
 *
 * Messages are indexed in memory by id with their due time; bodies and envelopes stay in the spool. One delivery
 * fiber for each (site, session); sessions are reused for further messages to the same site, recipients of one
 * message for one site share a transaction. 4xx is retried with backoff up to `lifetime`, 5xx becomes a DSN (RFC
 * 3464), or FAILED_KEPT where none may be sent (null sender, NOTIFY=NEVER, a DSN's own failure).
 */
#pragma once

#include "base/conf_row.h"
#include "client/deliver.h"
#include "client/mx.h"
#include "policy/domains.h"
#include "spool/spool.h"
#include "store/history.h"
#include "trail/trail.h"
#include "verify/verify.h"

struct queue_conf {
	usec_t retry_first, retry_max;   /* 5 min growing ×2 to 4 h, jittered */
	usec_t lifetime;                 /* 5 d */
	usec_t delay_notice;             /* 4 h; 0: none */
	usec_t keep_failed;              /* FAILED_KEPT messages go so long after acceptance: 30 d; 0: never */
	int64_t concurrency;             /* sessions in all: 200 */
	int64_t per_site;                /* sessions for each site: 20 */
	int64_t session_messages;        /* messages for each session before QUIT: 100 */
	usec_t session_idle;             /* keep an idle session: 2 s */
	int64_t port;                    /* of MX hosts: 25 */
	struct ip_set dial_networks;
	bool use_tls, use_ipv6;
	struct conf_addr source;
};
extern const struct conf_row queue_conf_rows[];
extern const struct conf_section queue_section; /* "queue" */

struct queue;
struct queue_deps {
	struct spool *spool;             /* NULL: queue_set_spool follows */
	struct resolver *resolver;
	struct history *history;         /* NULL: none */
	const struct domains *domains;
	struct verify *verify;           /* learns addresses that accept mail; NULL: none */
	struct group *root;
	struct tls_context *tls;
	struct str host;
	struct ip_set own_addresses;
};
bool queue_open(const struct queue_conf *conf, const struct queue_deps *deps, struct queue **out, struct err *err);
/* For who opens the queue first, so that it can take what spool_open recovers; before queue_start. */
void queue_set_spool(struct queue *q, struct spool *spool);
/* For each message recovered by spool_open (before queue_start) and for each accepted one (after). `trail`: what e->trail
 * says, where it is at hand decoded, or NULL; copied. */
void queue_add(struct queue *q, struct spool_id id, const struct spool_envelope *e, const struct trail *trail, uint64_t size);
bool queue_start(struct queue *q, struct err *err);
/* New configuration from now on. */
void queue_reconfigure(struct queue *q, const struct queue_conf *conf, const struct domains *domains);
/* No new deliveries; those under way have until the deadline in force. */
WAITS void queue_drain(struct queue *q);
void queue_close(struct queue *q);

struct queue_item {
	struct spool_id id;
	struct str sender;
	size_t rcpts_open, rcpts_all;
	uint64_t size;
	struct wall accepted, next_attempt;
	unsigned attempts;
	bool is_on_hold, is_active, has_kept;
	struct str site;            /* of the first open recipient */
	struct str last_reply;      /* of the last attempt, cut */
};
/* Oldest first. The item is valid during the call. */
void queue_each(struct queue *q, void (*fn)(void *arg, const struct queue_item *item), void *arg);
bool queue_find(struct queue *q, struct spool_id id, struct queue_item *out);
bool queue_hold(struct queue *q, struct spool_id id, struct str reason, struct err *err);
bool queue_release(struct queue *q, struct spool_id id, struct err *err);
/* id.n 0: all that is open. By its id also recipients that had failed and were kept are tried once more. */
WAITS bool queue_retry(struct queue *q, struct spool_id id, struct err *err);
WAITS bool queue_remove(struct queue *q, struct spool_id id, struct err *err);
struct queue_stats {
	uint64_t messages, on_hold, active, deferred, delivered, failed, kept, dsns;
	usec_t oldest;
};
void queue_stats(struct queue *q, struct queue_stats *out);
