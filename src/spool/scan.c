/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a segment from front to end and tells good, torn and damaged records apart. */
#include "base/mem.h"
#include "spool/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A window on the file: what is under it was read. */
struct window {
	const struct segment *g;
	uint8_t *p;
	uint64_t at;
	size_t n, capacity;
	uint64_t unreadable; /* pages */
};
enum { WINDOW_MIN = 1 << 20, PAGE = 4096, PAGE_ATTEMPTS = 10, SUSPECTS_MAX = 64 };

struct scan {
	struct window window;
	uint32_t limit;			 /* no record ends behind */
	uint32_t suspects[SUSPECTS_MAX]; /* bad places that may yet prove to be torn */
	unsigned n_suspects;
	struct scan_result result;
};

/* A page that cannot be read after several attempts reads as zeros: the rest must not be lost with
 * it. */
static void read_pages(struct window *w)
{
	const struct spool_io *io = w->g->io;
	for (size_t done = 0; done < w->n;) {
		size_t n = w->n - done < PAGE ? w->n - done : PAGE;
		int rc = -EIO;
		for (int attempt = 0; attempt < PAGE_ATTEMPTS && rc < 0; attempt++)
			rc = io_read_all(io, w->g->fd, w->p + done, n, w->at + done);
		if (rc < 0) {
			memset(w->p + done, 0, n);
			w->unreadable++;
		}
		done += n;
	}
}

/* n bytes at `at`, or NULL where the limit is nearer. */
static const uint8_t *see(struct scan *s, uint64_t at, uint64_t n)
{
	struct window *w = &s->window;
	if (at + n > s->limit)
		return NULL;
	if (at >= w->at && at + n <= w->at + w->n)
		return w->p + (at - w->at);
	size_t want = n > WINDOW_MIN ? (size_t)n : WINDOW_MIN;
	if (want > s->limit - at)
		want = (size_t)(s->limit - at);
	if (want > w->capacity) {
		w->p = mem_resize(w->p, want);
		w->capacity = want;
	}
	w->at = at;
	w->n = want;
	if (io_read_all(w->g->io, w->g->fd, w->p, w->n, at) < 0)
		read_pages(w);
	return w->p;
}

static bool see_header(struct scan *s, uint64_t at, struct record_header *h)
{
	const uint8_t *p = see(s, at, RECORD_HEADER);
	return p && record_header_decode(p, s->window.g->seed, (uint32_t)at, h) &&
	       h->type != RECORD_TAIL && at + record_size(h) <= s->limit;
}

static bool see_tail(struct scan *s, uint64_t at)
{
	struct record_header h;
	const uint8_t *p = see(s, at, RECORD_HEADER);
	return p && record_header_decode(p, s->window.g->seed, (uint32_t)at, &h) &&
	       h.type == RECORD_TAIL;
}

/* The whole record, if meta and body are what their checksums say. */
static const uint8_t *see_record(struct scan *s, const struct record_header *h)
{
	uint64_t seed = s->window.g->seed;
	const uint8_t *p = see(s, h->offset, record_size(h));
	const uint8_t *meta = p + RECORD_HEADER, *body = meta + h->meta_length;
	if (record_sum(meta, h->meta_length, seed) != h->meta_sum ||
	    record_sum(body, h->body_length, seed) != h->body_sum)
		return NULL;
	return p;
}

/* The next place at or behind `at` where a record header stands, or the limit. */
static uint64_t next_header(struct scan *s, uint64_t at)
{
	static const uint8_t zeros[PAGE];
	struct record_header h;
	while (at + RECORD_HEADER <= s->limit) {
		uint64_t page = s->limit - at < PAGE ? s->limit - at : PAGE;
		/* Preallocated space is zeros, and most of what is looked through. */
		if (page == PAGE && memcmp(see(s, at, PAGE), zeros, PAGE) == 0) {
			at += PAGE;
			continue;
		}
		for (uint64_t end = at + page; at < end; at += 8)
			if (see_header(s, at, &h))
				return at;
	}
	return s->limit;
}

static bool all_zero(struct scan *s, uint64_t at)
{
	for (; at < s->limit; at += 8) {
		uint64_t n = s->limit - at < 8 ? s->limit - at : 8;
		static const uint8_t zeros[8];
		if (memcmp(see(s, at, n), zeros, (size_t)n) != 0)
			return false;
	}
	return true;
}

/* One sync makes a stretch of records durable, and the next stretch begins only then. So a bad
 * place before the stretch of a good record behind it was durable once: that is damage. In the last
 * stretch it may be a write that the crash cut off. */
static void settle_suspects(struct scan *s, uint32_t durable_until)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < s->n_suspects; i++) {
		if (s->suspects[i] < durable_until)
			s->result.damaged++;
		else
			s->suspects[kept++] = s->suspects[i];
	}
	s->n_suspects = kept;
}

static void suspect(struct scan *s, uint64_t at)
{
	if (s->n_suspects == SUSPECTS_MAX) {
		s->result.damaged++; /* never silent */
		return;
	}
	s->suspects[s->n_suspects++] = (uint32_t)at;
}

void segment_scan(struct segment *g, struct seal seal,
		  void (*record)(void *arg, const struct record_header *h, const uint8_t *meta),
		  void *arg, struct scan_result *out)
{
	struct scan s = {.window = {.g = g}, .limit = seal.end ? seal.end : g->size};
	uint32_t stretch = SEGMENT_DATA; /* where the last good record's sync began */
	if (s.limit > g->size) {
		s.result.damaged++; /* cut short */
		s.limit = g->size;
	}
	uint64_t at = SEGMENT_DATA;
	s.result.end = SEGMENT_DATA;
	while (at + RECORD_HEADER <= s.limit) {
		struct record_header h;
		if (!see_header(&s, at, &h)) {
			uint64_t next = next_header(&s, at + 8);
			/* A disk may bring the last write's end before its beginning: a tail with
			 * records behind it is one that they were to overwrite. */
			if (next < s.limit || seal.end || !(see_tail(&s, at) || all_zero(&s, at)))
				suspect(&s, at);
			at = next;
			continue;
		}
		settle_suspects(&s, h.batch);
		stretch = h.batch;
		const uint8_t *p = see_record(&s, &h);
		if (p) {
			s.result.records++;
			record(arg, &h, p + RECORD_HEADER);
			s.result.end = (uint32_t)(at + record_size(&h));
		} else {
			suspect(&s, at);
		}
		at += record_size(&h);
	}
	if (seal.end)
		settle_suspects(&s, seal.torn);
	s.result.is_torn = s.n_suspects > 0;
	s.result.torn = s.result.is_torn && stretch < s.result.end ? stretch : s.result.end;
	s.result.unreadable_pages = s.window.unreadable;
	if (s.window.unreadable)
		s.result.damaged++;
	free(s.window.p);
	*out = s.result;
}
