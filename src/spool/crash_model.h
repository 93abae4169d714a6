/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the crash test: the model of what the spool has promised, and when. Times are serial numbers of events; what was
 * said and not yet promised to last is in the balance, and the next recovery decides it.
 */
#pragma once

#include "base/test.h"

#include <stdint.h>

enum { MAIL_MAX = 600, RCPTS = 2, NEVER = 0 };

struct promise {
	uint64_t made;	  /* said to the spool; NEVER: not */
	uint64_t durable; /* must survive from here on; NEVER: not yet */
};
struct mail {
	uint64_t id;
	size_t size;
	uint64_t seed;
	bool is_acked, is_refused;
	bool is_open; /* neither: in the balance until the next recovery has spoken */
	struct promise done, delivered[RCPTS];
};
struct model {
	struct mail mails[MAIL_MAX];
	size_t n;
	uint64_t serial;
	bool is_silent;	 /* the process is dead: nobody hears its answers */
	bool is_unlucky; /* several syncs fail in a row: a cancel record may not get written (window
			    4) */
};

static inline struct mail *mail_find(struct model *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->mails[i].id == id)
			return &m->mails[i];
	return NULL;
}

static inline void settle_promise(struct promise *p, uint64_t until)
{
	if (p->made && p->made <= until && !p->durable)
		p->durable = until;
}

/* All that was said up to `until` is durable now. */
static inline void settle_until(struct model *m, uint64_t until)
{
	for (size_t i = 0; i < m->n && !m->is_silent; i++) {
		settle_promise(&m->mails[i].done, until);
		for (int r = 0; r < RCPTS; r++)
			settle_promise(&m->mails[i].delivered[r], until);
	}
}

static inline void promise(struct model *m, struct promise *p)
{
	if (!m->is_silent && !p->made)
		p->made = ++m->serial;
}

/* Bytes that anybody can make again. */
static inline uint8_t byte_at(const struct mail *mail, size_t at)
{
	return (uint8_t)(((at + 1) * 2654435761u + mail->seed * 40503u) >> 9);
}

/* --- a new process --- */

/* What was not durable when the process died is decided by what recovery finds. */
static inline void before_recovery(struct model *m)
{
	m->is_silent = false;
	for (size_t i = 0; i < m->n; i++) {
		struct mail *mail = &m->mails[i];
		mail->is_open |= (!mail->is_acked && !mail->is_refused) ||
				 (mail->done.made && !mail->done.durable);
	}
}

static inline void after_recovery(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct mail *mail = &m->mails[i];
		if (!mail->is_open)
			continue;
		/* Not there: never to be seen again. */
		mail->is_open = mail->is_acked = false;
		mail->is_refused = true;
	}
}
