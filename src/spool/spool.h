/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The durable spool: message records in segments, one shared sync for many messages.
 *
 * Promises (ARCHITECTURE.md "The spool's promises", argued in spool/README.md): `spool_accept` returns true
 * only when envelope, trail and body are synced; a refusal writes nothing; no later state of a message
 * survives a crash without the message; a failed sync condemns its segment and its batch.
 * All disk work happens on the writer thread through one table of I/O functions (spool/io.h).
 *
 * Life of a message: ACCEPTED → (ON_HOLD ⇄ QUEUED) → per recipient DELIVERED | DEFERRED | FAILED | FAILED_KEPT
 * → DONE. Only spool/ writes records; queue/ decides.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf_row.h"
#include "rt/rt.h"

struct spool;
struct spool_io; /* spool/io.h */

struct spool_conf {
	struct str directory;
	int64_t segment_size;    /* 64M */
	int64_t inline_max;      /* bodies over this go to a file of their own: 256k */
	int64_t free_min;        /* below this much free space MAIL is answered 452: 200M */
	int64_t inodes_min;      /* 1000 */
	int64_t reserve;         /* preallocated for state records and compaction: 16M */
	int64_t batch_max;       /* messages for one sync: 256 */
};
extern const struct conf_row spool_conf_rows[];
extern const struct conf_section spool_section; /* "spool" */

#define SPOOL_ID_MAX 24
/* Printed form of an id: 13 characters of Crockford base32, sortable by time; also the trail's reference.
 * Reading one back takes either case and I, L, O for 1, 1, 0. */
struct spool_id {
	uint64_t n;
};
struct str spool_id_text(struct spool_id id, char out[SPOOL_ID_MAX]);
bool spool_id_parse(struct str s, struct spool_id *out);

enum rcpt_state { RCPT_QUEUED, RCPT_DEFERRED, RCPT_DELIVERED, RCPT_FAILED, RCPT_FAILED_KEPT };

struct spool_rcpt {
	struct str address;      /* as given, without <> */
	struct str orcpt;        /* RFC 3461, xtext; empty: none */
	uint8_t notify;          /* SMTP_NOTIFY_…; 0: none given */
	enum rcpt_state state;
	uint8_t cause;           /* enum cause_id of the last deferral or failure */
	uint16_t attempts;
	struct wall next_attempt;
	struct str last_reply;   /* what the next hop said last, host in front */
};
struct spool_envelope {
	struct str sender;       /* "" is the null reverse-path */
	struct str envid;
	uint8_t ret, body;       /* enum smtp_ret, enum smtp_body */
	bool smtputf8;
	bool is_on_hold;
	struct str hold_reason;
	struct wall accepted;
	struct ip client;
	struct str helo;
	struct spool_rcpt *rcpts;
	size_t n_rcpts;
	struct str trail;        /* trail_encode at acceptance */
	/* A final dot was on its way and nothing came back before the process ended: sending it again may
	 * make a duplicate. Set by spool_note_sending, cleared by the next spool_note_rcpt. */
	bool is_sending;
};

/* A body while it is being received: memory up to inline_max, then a file in spool/incoming that becomes part
 * of the spool when accepted. Owned by the session; spool_body_drop removes every trace. */
struct spool_body;
struct spool_body *spool_body_new(struct spool *s);
/* Waits only for the file part (off the loop). A disk failure is sticky and returned by the next call. */
WAITS bool spool_body_write(struct spool_body *b, struct str bytes, struct err *err);
/* So many bytes in all are expected (SIZE=): spool_has_room counts them from now on, or the size so far if more. */
void spool_body_reserve(struct spool_body *b, uint64_t size);
uint64_t spool_body_size(const struct spool_body *b);
size_t spool_body_memory(const struct spool_body *b); /* bytes of the process's memory it holds */
/* The first bytes (all of it when in memory; at least the first inline_max). Valid until the next write. */
struct str spool_body_head(const struct spool_body *b);
void spool_body_drop(struct spool_body *b); /* accepts NULL */

/* Opens or creates, takes the lock, recovers. `io` NULL is the real disk. While another process holds the lock, waits
 * for it until the deadline in force, and fails at once if there is none. A full disk is not a failure: what is
 * there can be delivered, and new mail is refused until there is room. `conf` may go afterwards.
 * `recovered` is called for each live message, oldest first, on the calling fiber; the envelope is valid during the
 * call. */
WAITS bool spool_open(const struct spool_conf *conf, const struct spool_io *io, struct group *root,
                      void (*recovered)(void *arg, struct spool_id id, const struct spool_envelope *e, uint64_t size),
                      void *arg, struct spool **out, struct err *err);
/* All appended records are synced and the lock is released. Bodies are dropped and readers gone before; the fiber is not
 * cancelled. */
WAITS void spool_close(struct spool *s);
struct spool_id spool_next_id(struct spool *s); /* the reference of a transaction, used again when it is accepted */

/* Is there room for `size` more bytes? False: CAUSE_STORAGE, 452. Counts all open transactions' reservations.
 * After spool_accept has failed it tells the two replies apart: no room is 452, else it is 451. Free space is
 * looked up off the loop, at most once a second. */
bool spool_has_room(struct spool *s, uint64_t size, struct err *err);

/* Makes the message durable: header fields in `prefix` (Received, Return-Path is delivery's, tags) go in front of
 * the body; `drop` lists byte ranges of the body's head that are left out (forged fields under our name).
 * Cannot be cancelled: a caller whose deadline passes detaches, its message gets a cancel record, false is returned.
 * `drop` is ascending, does not overlap and has at most 1000 ranges. The body's content may be rearranged.
 * On true the body is the spool's. On false (CAUSE_STORAGE) nothing of it will ever be delivered, and the caller
 * drops the body as usual. */
struct spool_range {
	uint64_t from, to;
};
WAITS bool spool_accept(struct spool *s, struct spool_id id, const struct spool_envelope *e, struct str prefix,
                        const struct spool_range *drop, size_t n_drop, struct spool_body *body, struct err *err);

/* State records: appended, not waited for; synced with the next message, at most a second later. An id that is
 * not (or no longer) in the spool is ignored. */
void spool_note_rcpt(struct spool *s, struct spool_id id, size_t rcpt, const struct spool_rcpt *state);
void spool_note_hold(struct spool *s, struct spool_id id, bool is_on_hold, struct str reason);
void spool_note_sending(struct spool *s, struct spool_id id); /* "final dot sent" to a next hop */
void spool_note_done(struct spool *s, struct spool_id id);    /* nothing of it is needed any more */
/* As spool_note_done, but returns when it is synced (postern queue remove); as long as the disk takes nothing that
 * is never, so give it a deadline. The message is gone from here in any case. */
WAITS bool spool_remove(struct spool *s, struct spool_id id, struct err *err);

/* The envelope as it now stands, copied into arena. */
WAITS bool spool_read_envelope(struct spool *s, struct spool_id id, struct arena *arena, struct spool_envelope *out,
                               struct err *err);
/* The message (prefix and body) from `offset`, at most n bytes into out; *got 0 at the end. May give less than n.
 * At offset 0 the whole message is compared with its checksum before the first byte is handed out: a permanent
 * failure means that its bytes on disk are damaged. */
WAITS bool spool_read(struct spool *s, struct spool_id id, uint64_t offset, void *out, size_t n, size_t *got,
                      struct err *err);
uint64_t spool_message_size(struct spool *s, struct spool_id id);

struct spool_stats {
	uint64_t messages, bytes, segments, syncs, accepted, sync_failures, damaged_records;
	uint64_t segments_reused; /* made from the file of an emptied one */
	uint64_t torn_ends; /* found at start: writes that a crash cut off, none of them acknowledged */
	bool is_read_only; /* no segment could be opened: everything is 451 until one can */
};
void spool_stats(struct spool *s, struct spool_stats *out);

/* Offline tools (postern spool inspect|check|export); the daemon's lock is not needed for reading.
 * Prints to `out` line by line through `put`. *damaged counts bad records. */
bool spool_inspect(const char *directory, bool check_only, void (*put)(void *arg, struct str line), void *arg,
                   uint64_t *damaged, struct err *err);
/* Writes <id>.eml and <id>.json of live messages (or one) into `to`. */
bool spool_export(const char *directory, const char *to, const struct spool_id *only, uint64_t *written, struct err *err);
