/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What enforce would have done while the mode only watched, added up from the history by day, by sender domain and by
 * sender; and what the history knows since that speaks for a sender after all.
 *
 * Reading goes in short pieces in the pool, newest first, over an index of the messages that something would have
 * happened to, so that neither the loop nor the writer waits long. Memory is bounded: what has no room is counted.
 */
#pragma once

#include "base/map.h"
#include "store/history.h"
#include "trail/would.h"

enum observed_kind { OBSERVED_REFUSE, OBSERVED_DEFER, OBSERVED_TAG, OBSERVED_KINDS };
const char *observed_kind_name(enum observed_kind kind); /* "refuse" … */

/* What speaks for a sender; bits. */
enum observed_proof {
	OBSERVED_REPLIED = 1,  /* one of our users wrote to it, and the mail did not fail */
	OBSERVED_EXISTED = 2,  /* its server said later that it exists */
	OBSERVED_ALIGNED = 4,  /* a mail of it had a DKIM signature or a DMARC pass of its own domain */
	OBSERVED_RETRIED = 8,  /* the same mail again from three client networks or more: a queue, not a bot */
};
#define OBSERVED_PROOFS 4
const char *observed_proof_text(unsigned bit); /* "replied to" … */

struct observed_sample {
	struct wall at;
	enum observed_kind kind;
	enum cause_id cause;
	struct ip client;
	struct str ref, sender, recipients;
	struct str reply;        /* what would have been said */
	struct str dialogue;     /* what it was based on, lines by '\n' */
	bool has_dialogue;       /* with a server, and not a word from memory */
};
struct observed_domain;
struct observed_sender {
	struct observed_domain *domain;
	struct str address;
	uint32_t n[OBSERVED_KINDS];
	unsigned proofs;
	bool is_spf;             /* refused by the domain's SPF record */
	struct ip client;        /* the last one */
	struct wall first, last;
	uint64_t recipients;     /* hash: of what the networks below tried to send */
	struct ip_net networks[3];
	uint8_t n_networks;
};
#define OBSERVED_SAMPLES 3
struct observed_domain {
	struct str name;
	uint32_t n[OBSERVED_KINDS];
	uint32_t senders, honest; /* addresses */
	struct observed_sample samples[OBSERVED_SAMPLES];
	unsigned n_samples;
};
struct observed_day {
	struct wall begin;       /* midnight UTC */
	uint64_t messages;       /* trails of all kinds */
	uint64_t n[OBSERVED_KINDS];
};

struct observed {
	struct arena arena;
	struct wall since, until;
	struct observed_day *days; /* oldest first */
	size_t n_days;
	uint64_t messages, n[OBSERVED_KINDS];
	uint64_t honest[OBSERVED_KINDS]; /* messages of senders that something speaks for */
	struct map domains_by_name, senders_by_address;
	struct observed_domain **domains; /* most refused and deferred first */
	struct observed_sender **senders; /* those that something speaks for first */
	size_t n_domains, n_senders, domains_capacity, senders_capacity;
	uint64_t left_out;       /* messages of senders or domains without room */
	bool is_partial;         /* older messages than those read were left out: more than the limit */
	size_t sample_bytes;
};

struct observed *observed_new(struct wall since, struct wall until);
void observed_free(struct observed *o); /* accepts NULL */
/* One message of the time between; one that nothing would have happened to changes nothing. */
void observed_add(struct observed *o, const struct trail *t);
/* Another message that has to do with the sender, of a later time than its first. */
void observed_learn(struct observed_sender *s, const struct trail *t);
/* After the last, once: sums and order. The days are filled by who reads the history. */
void observed_finish(struct observed *o);
bool observed_needs_proof(const struct observed_sender *s); /* nothing speaks for it yet */

/* From the history; counts are exact, domains and senders of at most `messages_max` of each kind, the newest. *out is
 * the caller's, who may still add proofs, and then calls observed_finish. */
WAITS bool observed_read(struct history *h, struct wall since, struct wall until, uint64_t messages_max,
                         struct observed **out, struct err *err);
