/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the queue and how they hang together.
 *
 *   message ──< job >── dest ──> site ──< session
 *
 * A message has one job for each recipient domain; a job is what is scheduled. A dest is a domain and the site that
 * its route or its MX set leads to, for as long as the DNS says so. A site has the sessions and the jobs that wait for
 * one. Envelopes are in memory only while a session works on them, and for fresh mail until its first attempt.
 *
 *        queue_add                     due                        taken                      settled
 *   job ──────────► RESTING (in the heap) ──► PENDING (dest is looked up) ──► WAITING (at its site) ──► RUNNING ──► …
 *                       ▲  schedule_job           job_ready                   site_take               session    │
 *                       └──────────── recipients are left: schedule_job ◄──────────────────────────────────────────┤
 *                                                       no recipient is left: FINISHED ◄────────────────────────────┘
 *
 * All of it lives on the loop thread. Nothing here survives a crash: what does is in the spool.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "queue/queue.h"

struct site;
struct session;
struct message;

/* A configuration in force, kept while a fiber works with it. The domains are the caller's and may go with the
 * next one: they are reached through queue.settings alone, and never across a wait. */
struct settings {
	struct queue_conf conf; /* its networks are copies */
	const struct domains *domains;
	unsigned refs;
};

struct dest {
	char *domain;          /* A-labels; the key */
	struct queue *queue;
	struct site *site;     /* NULL: not known (any more) */
	usec_t expires;        /* of that knowledge */
	unsigned generation;   /* of the configuration it came from */
	struct list pending;   /* jobs that wait for the look-up */
	unsigned jobs;
	bool is_looked_up;     /* a fiber is at it */
	struct link turn;      /* in queue.lookups_waiting */
};

enum job_state { JOB_RESTING, JOB_PENDING, JOB_WAITING, JOB_RUNNING, JOB_FINISHED };
struct job {
	struct message *message;
	struct dest *dest;
	struct link link;      /* in dest.pending or site.waiting */
	struct site *site;     /* where it waits; its dest may lead elsewhere by now */
	usec_t due;
	uint32_t heap_at;      /* place in the heap + 1; 0: not in it */
	uint16_t attempts;     /* most of any of its recipients */
	uint8_t state;
	bool was_tried;        /* its first attempt has let the fresh envelope go */
	bool is_hurried;       /* an operator said now: next_attempt does not count */
};

/* An envelope in memory, counted: sessions at several sites may work on one message. */
struct loaded {
	struct arena arena;
	struct spool_envelope e;
	struct trail trail;    /* of fresh mail, if has_trail; else e.trail is the word */
	bool has_trail;
	unsigned refs;
	size_t bytes;
	bool is_fresh;         /* counted in queue.fresh_* */
};

struct message {
	struct spool_id id;
	uint64_t size;
	struct wall accepted;
	struct link all;       /* queue.messages, oldest first */
	char *sender;
	char *last_reply;      /* may be NULL */
	struct loaded *fresh;  /* until the first attempts */
	uint32_t rcpts, open;
	uint32_t running;
	uint32_t n_jobs;
	bool is_on_hold, has_kept, is_removed, was_noticed, may_be_repeat;
	struct job jobs[];
};

enum site_kind { SITE_SMTP, SITE_LMTP, SITE_MAILDIR, SITE_NOWHERE };
struct site_ip {
	struct ip ip;
	uint16_t host;         /* index into hosts */
	uint16_t preference;
	usec_t bad_until;      /* did not answer lately: tried last */
};
#define SITE_IPS_MAX 64
struct site {
	char *key;
	struct queue *queue;
	enum site_kind kind;
	char *name;            /* for people: "mx1.example and 2 more", the path of a Maildir root */
	char **hosts;
	size_t n_hosts;
	struct site_ip *ips;   /* best first; of a Unix socket: one without family */
	size_t n_ips;
	uint16_t port;
	bool require_tls;
	int64_t limit;         /* sessions */
	struct str maildir;    /* points into key */
	/* SITE_NOWHERE: what every recipient is told. */
	struct reply verdict;
	char *verdict_text;
	enum cause_id verdict_cause;

	struct list waiting;   /* jobs */
	size_t n_waiting;
	struct list idle;      /* sessions that are open and have nothing to do */
	unsigned sessions, connecting, open;
	usec_t no_dial_until;  /* it takes no more sessions than it has, so it seems */
	unsigned dests;        /* that lead here */
	unsigned failures;     /* in a row, of connecting to any host */
	usec_t down_until;     /* nobody dials before */
	char *down_reply;
	struct link hungry;    /* in queue.hungry: wants a session, the limit in all is reached */
};

struct queue {
	struct settings *settings;
	struct queue_deps deps;
	unsigned generation;
	struct list messages;
	struct map by_id, dests, sites;
	struct job **heap;
	size_t heap_n, heap_max;
	struct cond changed;   /* the heap's top is earlier, or it is time to end */
	struct cond settled;   /* a session or look-up has ended, or a message has no session any more */
	struct list lookups_waiting;
	unsigned lookups;
	struct list hungry;
	struct list idle;      /* sessions of all sites, longest idle first */
	unsigned sessions;
	size_t fresh_n, fresh_bytes;
	bool is_started, is_draining, has_scheduler;
	usec_t next_sweep;
	struct queue_stats counts;
	struct {
		struct metric *messages, *sessions, *delivered, *deferred, *failed, *kept, *dsns, *reused, *delay;
	} metrics;
};

/* --- settings.c --- */
struct settings *queue_settings_new(const struct queue_conf *conf, const struct domains *domains);
struct settings *queue_settings_ref(struct settings *s);
void queue_settings_unref(struct settings *s);

/* --- schedule.c --- */
void schedule_job(struct queue *q, struct job *job, usec_t due);
void schedule_forget(struct queue *q, struct job *job);
WAITS void schedule_run(void *queue); /* the scheduler's fiber */
/* When a recipient that has been tried `attempts` times is tried again: backoff with jitter, at least what
 * the cause asks for. */
usec_t schedule_backoff(const struct queue_conf *conf, unsigned attempts, enum cause_id cause);

/* --- message.c --- */
struct message *queue_message_new(struct queue *q, struct spool_id id, const struct spool_envelope *e, uint64_t size);
void queue_message_free(struct queue *q, struct message *m);
struct message *queue_message_find(const struct queue *q, struct spool_id id);
/* Done when nothing is open, running or kept: then it is freed, and true returned. */
bool queue_message_settle(struct queue *q, struct message *m);
void queue_message_set_reply(struct message *m, struct str reply);
/* The domain a recipient's mail goes to, in A-labels. */
struct str queue_message_domain(struct queue *q, struct arena *arena, struct str address);
/* Whether the recipient belongs to this job. */
bool queue_message_is_for(const struct job *job, struct str address);
static inline bool rcpt_is_open(const struct spool_rcpt *r)
{
	return r->state == RCPT_QUEUED || r->state == RCPT_DEFERRED;
}
void loaded_keep_fresh(struct queue *q, struct message *m, const struct spool_envelope *e, const struct trail *trail);
WAITS struct loaded *loaded_get(struct queue *q, struct job *job, struct err *err);
void loaded_unref(struct queue *q, struct loaded *l);

/* --- dest.c --- */
struct dest *dest_get(struct queue *q, struct str domain);
void dest_unref(struct dest *d);
/* The job's time has come: to its site, which may have to be looked up first. Never waits. */
void job_ready(struct job *job);
void dest_sweep(struct queue *q);
void dest_free_all(struct queue *q);
WAITS void dest_look_up(void *dest);

/* --- site.c --- */
struct site *site_get(struct queue *q, struct str key, enum site_kind kind);
void site_set_hosts(struct site *s, const struct mx_host *hosts, size_t n, struct str name);
void site_add(struct site *s, struct job *job);
struct job *site_take(struct site *s);
void site_remove(struct site *s, struct job *job);
/* Opens as many sessions as the waiting jobs ask for and the limits allow. */
void site_kick(struct site *s);
void site_answered(struct site *s);
/* No host could be reached: nobody dials for a while, waiting jobs go back to rest. */
void site_failed(struct site *s, struct str reply);
void site_retry_now(struct site *s);
bool site_is_idle(const struct site *s);
void site_free(struct site *s);
/* A session has ended: somebody else may have its place. */
void queue_serve_hungry(struct queue *q);

/* --- session.c --- */
struct session {
	struct queue *queue;
	struct site *site;
	struct settings *settings;
	struct smtp_client_conf conf;
	struct smtp_client client;
	bool is_open;          /* client is in use */
	bool is_first;         /* no transaction has been tried on this connection yet */
	bool is_connecting;    /* counted in site.connecting */
	struct ip ip;
	char *host;            /* copy: the site's list may change meanwhile */
	int64_t messages;      /* on this connection */
	unsigned taken;        /* jobs in all */
	struct link idle, idle_all;
	bool is_wanted;        /* its place is: close */
	bool is_refused;       /* the site takes no further session: end */
	struct cond work;
};
bool queue_session_start(struct site *s);

/* --- attempt.c: one job, one attempt --- */
enum stage { STAGE_CONNECT, STAGE_HELLO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_HERE };
enum fate { FATE_NONE, FATE_DELIVERED, FATE_DEFERRED, FATE_FAILED, FATE_KEPT };
/* What has become of one recipient in this attempt. */
struct outcome {
	size_t rcpt;           /* index in the envelope */
	enum fate fate;
	enum stage stage;
	enum cause_id cause;
	struct reply reply;    /* code 0: nobody said anything; text in the attempt's arena */
	struct str host;       /* who said it; empty: we did */
	usec_t wait;           /* of a deferred one: until the next attempt */
	bool is_relayed;       /* delivered, and nobody will tell the sender but us */
};
struct attempt {
	struct queue *queue;
	struct session *session;
	struct job *job;
	struct message *message;
	struct settings *settings;
	struct loaded *loaded;
	struct arena arena;
	struct outcome *outcomes;
	size_t n;
	struct str dialogue;   /* of a failed conversation, for the trail */
	struct str lost, lost_host; /* how and where the last conversation broke off */
	usec_t rest_due;       /* of open recipients that were not chosen */
	bool is_put_back;      /* nothing was tried; the job waits at its site again */
	bool has_route_back, is_route_back_known; /* whether the sender's domain takes mail */
	usec_t begun;
};
WAITS void attempt_run(struct session *s, struct job *job);
/* Open and due recipients of the job become outcomes. */
size_t attempt_choose(struct attempt *a);
/* A verdict for all that have none yet. */
void attempt_decide_rest(struct attempt *a, enum stage stage, const struct reply *r, enum cause_id cause, struct str host);
void outcome_decide(struct attempt *a, struct outcome *o, enum stage stage, const struct reply *r, struct str host);

/* --- settle.c --- */
/* Records, notices, trail, log, and the job's next time. False: cancelled, nothing was recorded. */
WAITS bool attempt_settle(struct attempt *a, struct err *err);

/* --- notify.c --- */
/* Whether the sender may be told of a failure at all (RFC 3461 4.1, 6.2; RFC 5321 6.1). */
WAITS bool notify_is_wanted(struct attempt *a, const struct spool_rcpt *r, bool *is, struct err *err);
enum notice { NOTICE_FAILED, NOTICE_DELAYED, NOTICE_SUCCESS };
/* One report for all outcomes that `picks` marks, accepted by the spool before this returns true. */
WAITS bool notify_send(struct attempt *a, enum notice what, const bool *picks, struct err *err);
