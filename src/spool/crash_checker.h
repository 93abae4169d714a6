/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the crash test: makes crash images of a simulated disk, recovers them and compares what is there with the model.
 * Each image's luck is drawn from the checker's seed, and so is all else in the history that it belongs to.
 */
#pragma once

#include "base/auto.h"
#include "base/mem.h"
#include "spool/crash_model.h"
#include "spool/io_sim.h"
#include "spool/recover.h"
#include "spool/spool.h"
#include "spool/stored.h"

#include <string.h>

struct checker {
	struct model *model;
	uint64_t images, violations;
	char first[300]; /* the first violation */
	uint64_t random;
};

static inline void violation(struct checker *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline void violation(struct checker *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!c->violations++)
		vsnprintf(c->first, sizeof c->first, format, args);
	va_end(args);
}

static inline void check_bytes(struct checker *c, struct recovery *r, const struct message *m,
			       const struct mail *mail)
{
	struct stored stored = stored_of(m, r->io, &r->dirs);
	if (m->size != mail->size + 2 || stored_check(&stored) < 0) {
		violation(c, "message %zu: damaged", mail - c->model->mails);
		return;
	}
	auto_free uint8_t *got = mem_alloc((size_t)m->size);
	if (stored_read(&stored, 0, got, (size_t)m->size) != (int64_t)m->size ||
	    memcmp(got, "P:", 2) != 0)
		violation(c, "message %zu: cannot be read", mail - c->model->mails);
	for (size_t i = 0; i < mail->size; i++)
		if (got[i + 2] != byte_at(mail, i)) {
			violation(c, "message %zu: other bytes", mail - c->model->mails);
			return;
		}
}

static inline void check_states(struct checker *c, struct recovery *r, struct message *m,
				const struct mail *mail)
{
	struct stored stored = stored_of(m, r->io, &r->dirs);
	struct message_meta meta;
	struct spool_envelope e;
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	uint8_t *record = arena_alloc(&arena, stored_meta_size(&stored));
	if (stored_meta(&stored, record, true, &meta) < 0 ||
	    !envelope_decode(meta.envelope, &arena, &e) || e.n_rcpts != RCPTS ||
	    !str_eq(e.sender, STR("s@example.net"))) {
		violation(c, "message %zu: no envelope", mail - c->model->mails);
		return;
	}
	message_apply_notes(m, &arena, &e);
	for (int i = 0; i < RCPTS; i++) {
		bool is_delivered = e.rcpts[i].state == RCPT_DELIVERED;
		if (mail->delivered[i].durable && !is_delivered)
			violation(c, "message %zu: recipient %d would get it twice",
				  mail - c->model->mails, i);
		if (!mail->delivered[i].made && is_delivered)
			violation(c, "message %zu: recipient %d would never get it",
				  mail - c->model->mails, i);
	}
}

static inline void check_index(struct checker *c, struct recovery *r)
{
	struct model *model = c->model;
	if (r->damaged)
		violation(c, "damage where only power failed: %.*s",
			  STR_ARG(buf_view(&r->findings)));
	for (size_t i = 0; i < model->n; i++) {
		struct mail *mail = &model->mails[i];
		struct message *m = index_get(&r->index, mail->id);
		if (mail->is_acked && !mail->is_open && !mail->done.made && !m)
			violation(c, "message %zu: lost", i);
		if (m && mail->done.durable)
			violation(c, "message %zu: back after its end", i);
		if (m && mail->is_refused && !mail->is_open)
			violation(c, "message %zu: refused, and there", i);
		if (m) {
			check_bytes(c, r, m, mail);
			check_states(c, r, m, mail);
		}
	}
	auto_free struct message **all = index_sorted(&r->index);
	for (size_t i = 0; i < r->index.n; i++)
		if (!mail_find(model, all[i]->id))
			violation(c, "a message that nobody sent");
}

static inline void count_file(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	++*(size_t *)arg;
}

static inline void count_made(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	*(size_t *)arg += str_ends(str_from(name), STR(".new"));
}

/* Nothing is left behind that nobody will ever look at. */
static inline void check_tidy(struct checker *c, const struct recovery *r, struct sim *image)
{
	size_t large = 0, live = 0, left = 0;
	auto_free struct message **all = index_sorted(&r->index);
	for (size_t i = 0; i < r->index.n; i++)
		live += all[i]->is_large;
	sim_each_file(image, "spool/large", count_file, &large);
	sim_each_file(image, "spool/incoming", count_file, &left);
	sim_each_file(image, "spool/segments", count_made, &left);
	if (large != live || left)
		violation(c, "%zu bodies for %zu large messages, %zu other files", large, live,
			  left);
}

static inline void check_disk(struct checker *c, struct sim *image)
{
	struct recovery r = {.io = sim_io(image)};
	struct err err;
	c->images++;
	if (!spool_dirs_open(r.io, "spool", false, &r.dirs, &err)) {
		violation(c, "%s", err.text);
		return;
	}
	if (recover(&r, &err)) {
		check_index(c, &r);
		check_tidy(c, &r, image);
	} else {
		violation(c, "%s", err.text);
	}
	recovery_done(&r);
	spool_dirs_close(r.io, &r.dirs);
}

static inline uint64_t draw(struct checker *c)
{
	uint64_t z = c->random += 0x9E3779B97F4A7C15;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	return z ^ (z >> 29);
}

static inline void crash_once(struct checker *c, const struct sim *disk)
{
	uint64_t seed = draw(c);
	struct sim *image = sim_crash(disk, (enum sim_crash)(seed % 4), seed);
	check_disk(c, image);
	if (seed / 4 % 4 == 0) {
		/* And again, right after recovery has tidied up. */
		struct sim *second = sim_crash(image, (enum sim_crash)(seed / 16 % 4), seed + 1);
		check_disk(c, second);
		sim_free(second);
	}
	sim_free(image);
}
