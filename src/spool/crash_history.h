/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the crash test: a history of the spool. Several clients send, deliver and finish mail on a simulated disk, in one
 * process after the other; they go through power cuts, kills and failing syncs. After changes of the disk and after
 * answers the checker has its look. All of it is drawn from one seed.
 *
 *	struct checker c = {0};
 *	run_history(&c, seed, image_every, SYNC_SITES, NULL);
 *	if (c.violations) fail_msg("%s", c.first);
 */
#pragma once

#include "spool/crash_checker.h"

#include <stdlib.h>

enum { CLIENTS = 5 };

struct run {
	struct checker *checker;
	struct model *model;
	struct sim *disk;
	struct spool *spool;
	struct group group;
	unsigned image_every; /* changes of the disk */
	unsigned phase;
	bool is_busy;
};

static inline void on_change(void *arg, struct sim *disk)
{
	struct run *run = arg;
	if (run->image_every && draw(run->checker) % run->image_every == 0)
		crash_once(run->checker, disk);
}

/* Between two changes too: an answer that nothing on the disk backs yet is the worst mistake of
 * all. */
static inline void answered(struct run *run)
{
	if (!run->model->is_silent && draw(run->checker) % 4 == 0)
		crash_once(run->checker, run->disk);
}

/* Once the process is dead, nothing that it says is heard. */
static inline bool is_dead(struct run *run)
{
	run->model->is_silent |= sim_is_frozen(run->disk);
	return run->model->is_silent;
}

static struct spool_rcpt rcpts[RCPTS] = {{.address = {"a@example.org", 13}},
					 {.address = {"b@example.org", 13}}};
static const struct spool_envelope envelope = {
	.sender = {"s@example.net", 13}, .rcpts = rcpts, .n_rcpts = RCPTS};

WAITS static inline bool write_body(struct spool_body *b, const struct mail *mail, struct err *err)
{
	uint8_t bytes[512];
	for (size_t at = 0, part; at < mail->size; at += part) {
		part = mail->size - at < sizeof bytes ? mail->size - at : sizeof bytes;
		for (size_t i = 0; i < part; i++)
			bytes[i] = byte_at(mail, at + i);
		if (!spool_body_write(b, (struct str){(char *)bytes, part}, err))
			return false;
	}
	return true;
}

WAITS static inline struct mail *send_one(struct run *run)
{
	struct model *m = run->model;
	struct err err;
	if (m->n == MAIL_MAX)
		return NULL;
	struct mail *mail = &m->mails[m->n++];
	uint64_t kind = draw(run->checker) % 8;
	*mail = (struct mail){.seed = draw(run->checker) % 100000,
			      .id = spool_next_id(run->spool).n};
	mail->size = (size_t)(draw(run->checker) % (run->is_busy ? 300
						    : kind == 0	 ? 9000
						    : kind < 3	 ? 3000
								 : 700));
	struct spool_body *b = spool_body_new(run->spool);
	uint64_t serial = m->serial;
	bool ok = write_body(b, mail, &err) && spool_accept(run->spool, (struct spool_id){mail->id},
							    &envelope, STR("P:"), NULL, 0, b, &err);
	if (!ok)
		spool_body_drop(b);
	if (is_dead(run))
		return NULL;
	mail->is_acked = ok;
	mail->is_refused = !ok;
	mail->is_open = !ok && m->is_unlucky;
	/* What was appended before it was synced with it. */
	if (ok)
		settle_until(m, serial);
	answered(run);
	return ok ? mail : NULL;
}

static inline void deliver(struct run *run, struct mail *mail, int rcpt)
{
	static const struct spool_rcpt delivered = {
		.state = RCPT_DELIVERED, .attempts = 1, .last_reply = {"250 ok", 6}};
	promise(run->model, &mail->delivered[rcpt]);
	spool_note_rcpt(run->spool, (struct spool_id){mail->id}, (size_t)rcpt, &delivered);
}

WAITS static inline void finish(struct run *run, struct mail *mail)
{
	struct spool_id id = {mail->id};
	struct err err;
	promise(run->model, &mail->done);
	if (draw(run->checker) % 4 > 0) {
		spool_note_done(run->spool, id);
		return;
	}
	struct deadline d;
	deadline_push(&d, 5 * USEC_S, "test"); /* a dead disk never answers */
	bool ok = spool_remove(run->spool, id, &err);
	deadline_pop(&d);
	if (is_dead(run) || !ok)
		return;
	mail->done.durable = run->model->serial;
	answered(run);
}

static inline struct mail *pick_live(struct run *run)
{
	struct model *m = run->model;
	for (int tries = 0; tries < 8 && m->n; tries++) {
		struct mail *mail = &m->mails[draw(run->checker) % m->n];
		if (mail->is_acked && !mail->done.made)
			return mail;
	}
	return NULL;
}

WAITS static inline void act(struct run *run)
{
	struct err err;
	struct mail *mail;
	switch (draw(run->checker) % 8) {
	case 0:
	case 1:
	case 2:
		mail = send_one(run);
		/* Most mail is delivered at once. */
		if (mail && (run->is_busy || draw(run->checker) % 3)) {
			spool_note_sending(run->spool, (struct spool_id){mail->id});
			deliver(run, mail, 0);
			deliver(run, mail, 1);
			finish(run, mail);
		}
		break;
	case 3:
	case 4:
		if ((mail = pick_live(run)))
			deliver(run, mail, (int)(draw(run->checker) % RCPTS));
		break;
	case 5:
	case 6:
		if ((mail = pick_live(run)))
			finish(run, mail);
		break;
	default:
		if (draw(run->checker) % 3 == 0) {
			/* Notes that nobody waits for are promised within a second, of a disk that
			 * takes any. */
			uint64_t serial = run->model->serial;
			if (rt_sleep(2 * USEC_S, "test", &err) && !is_dead(run) &&
			    !run->model->is_unlucky) {
				settle_until(run->model, serial);
				answered(run);
			}
		} else {
			rt_sleep((usec_t)(draw(run->checker) % 3000), "test", &err);
		}
	}
}

WAITS static inline void client(void *arg)
{
	struct run *run = arg;
	unsigned n = 6 + (unsigned)(draw(run->checker) % (run->is_busy ? 60 : 14));
	for (unsigned i = 0; i < n && !is_dead(run); i++)
		act(run);
}

/* A new process: what it finds is what there is from now on. */
static inline void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e,
				uint64_t size)
{
	struct run *run = arg;
	struct mail *mail = mail_find(run->model, id.n);
	if (!mail) {
		violation(run->checker, "a message that nobody sent was recovered");
		return;
	}
	if (mail->is_refused && !mail->is_open)
		violation(run->checker, "a refused message was recovered");
	mail->is_acked = true;
	mail->is_refused = mail->is_open = false;
	mail->done.made = mail->done.durable; /* the note was lost, within its window */
	for (int i = 0; i < RCPTS; i++) {
		struct promise *p = &mail->delivered[i];
		p->made = p->durable =
			e->rcpts[i].state == RCPT_DELIVERED ? ++run->model->serial : NEVER;
	}
}

static const struct spool_conf conf = {
	.directory = {"spool", 5},
	.segment_size = 24 * 1024,
	.inline_max = 2048,
	.inodes_min = 10,
	.reserve = 16 * 1024,
	.batch_max = 4,
};

WAITS static inline void process(void *arg)
{
	struct run *run = arg;
	struct group clients;
	struct err err;
	group_init(&run->group, "spool");
	before_recovery(run->model);
	if (!spool_open(&conf, sim_io(run->disk), &run->group, on_recovered, run, &run->spool,
			&err)) {
		if (!is_dead(run))
			violation(run->checker, "cannot open: %s", err.text);
		group_done(&run->group);
		return;
	}
	after_recovery(run->model);
	answered(run);
	group_init(&clients, "clients");
	for (int i = 0; i < CLIENTS; i++)
		group_go(&clients, "client", client, run, &err);
	group_wait(&clients, &err);
	group_done(&clients);
	is_dead(run);
	uint64_t serial = run->model->serial;
	spool_close(run->spool);
	group_done(&run->group);
	if (!is_dead(run) && !run->model->is_unlucky) {
		settle_until(run->model, serial);
		answered(run);
	}
}

/* The process dies at any change, or right after it has unlinked something; syncs fail; both; or
 * nothing happens. */
static inline bool arrange_phase(struct run *run)
{
	uint64_t luck = draw(run->checker) % 8;
	unsigned failures = luck == 7 ? 2 + (unsigned)(draw(run->checker) % 3) : 1;
	bool is_killed = luck < 5;
	sim_fault_clear(run->disk);
	if (luck < 3)
		sim_freeze_after(run->disk, 2 + draw(run->checker) % 160);
	else if (luck < 5)
		sim_freeze_after_call(run->disk, luck == 3 ? SIM_UNLINK : SIM_SYNC,
				      1 + draw(run->checker) % 6);
	if (luck == 0 || luck > 4)
		sim_fault(run->disk, SIM_SYNC, 3 + (unsigned)(draw(run->checker) % 30), failures,
			  5);
	run->model->is_unlucky = failures > 1;
	return is_killed;
}

static inline void run_phases(struct checker *c, struct model *model, struct sim **disk,
			      unsigned phases, unsigned image_every, enum spool_sync skipped)
{
	struct run run = {.checker = c, .model = model, .image_every = image_every};
	for (run.phase = 0; run.phase < phases && model->n + 200 < MAIL_MAX; run.phase++) {
		/* The clock goes on, or ids would come again. */
		struct rt_options options = {
			.is_fake = true,
			.seed = draw(c),
			.fake_wall = {(int64_t)(1 + run.phase) * 1000 * USEC_DAY}};
		struct err err;
		run.disk = *disk;
		/* Small mail that goes out at once: segments empty, and their files serve again. */
		run.is_busy = draw(c) % 3 == 0;
		sim_set_cold(run.disk, 4);
		sim_skip_sync(run.disk, skipped);
		bool is_killed = arrange_phase(&run);
		sim_on_change(run.disk, on_change, &run);
		if (!rt_run(&options, process, &run, &err))
			violation(c, "%s", err.text);
		sim_on_change(run.disk, NULL, NULL);
		sim_kill(run.disk);
		if (c->violations)
			return;
		if (is_killed && draw(c) % 2) {
			/* Not only the process, the machine. */
			struct sim *after =
				sim_crash(*disk, (enum sim_crash)(draw(c) % 4), draw(c));
			sim_free(*disk);
			*disk = after;
		}
	}
}

/* One history from an empty disk on. */
static inline void run_history(struct checker *c, uint64_t seed, unsigned image_every,
			       enum spool_sync skipped, uint64_t *syncs)
{
	struct model *model = mem_new(struct model);
	struct sim *disk = sim_new(seed);
	c->model = model;
	c->random = seed * 77 + 1;
	run_phases(c, model, &disk, 10, image_every, skipped);
	for (int site = 0; syncs && site < SYNC_SITES; site++)
		syncs[site] += sim_syncs(disk, (enum spool_sync)site);
	sim_free(disk);
	free(model);
}
