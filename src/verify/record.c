/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records to bytes and back: little-endian numbers and short texts, one cursor with a sticky error. */
#include "verify/record.h"

#include <assert.h>

#define VERSION 1

enum kind { KIND_ADDRESS = 'a', KIND_DOMAIN = 'd', KIND_HOST = 'h' };

struct cursor {
	char *w;       /* writing */
	const char *r; /* reading */
	size_t n, left;
	bool is_bad;
};

static void put(struct cursor *c, uint64_t value, unsigned bytes)
{
	assert(c->left >= bytes && "RECORD_MAX holds the largest record");
	for (unsigned i = 0; i < bytes; i++)
		c->w[c->n++] = (char)(value >> (8 * i));
	c->left -= bytes;
}

static void put_wall(struct cursor *c, struct wall w)
{
	put(c, (uint64_t)w.us, 8);
}

static void put_text(struct cursor *c, struct str s, size_t max)
{
	s = str_slice(s, 0, max);
	put(c, s.n, 1);
	assert(c->left >= s.n);
	if (s.n)
		memcpy(c->w + c->n, s.p, s.n);
	c->n += s.n;
	c->left -= s.n;
}

static uint64_t get(struct cursor *c, unsigned bytes)
{
	uint64_t value = 0;
	if (c->is_bad || c->left < bytes) {
		c->is_bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)c->r[c->n++] << (8 * i);
	c->left -= bytes;
	return value;
}

static struct wall get_wall(struct cursor *c)
{
	return (struct wall){(int64_t)get(c, 8)};
}

static struct str get_text(struct cursor *c)
{
	size_t n = get(c, 1);
	if (c->is_bad || c->left < n) {
		c->is_bad = true;
		return STR_NONE;
	}
	struct str s = {c->r + c->n, n};
	c->n += n;
	c->left -= n;
	return s;
}

/* An enum's value, or bad. */
static unsigned get_below(struct cursor *c, unsigned limit)
{
	unsigned value = (unsigned)get(c, 1);
	if (value >= limit)
		c->is_bad = true;
	return c->is_bad ? 0 : value;
}

static struct cursor write_to(char out[RECORD_MAX], enum kind kind)
{
	struct cursor c = {.w = out, .left = RECORD_MAX};
	put(&c, VERSION, 1);
	put(&c, CAUSE_COUNT, 1);
	put(&c, kind, 1);
	return c;
}

static struct cursor read_from(struct str value, enum kind kind)
{
	struct cursor c = {.r = value.p, .left = value.n};
	if (get(&c, 1) != VERSION || get(&c, 1) != CAUSE_COUNT || get(&c, 1) != (uint64_t)kind)
		c.is_bad = true;
	return c;
}

static bool is_whole(const struct cursor *c)
{
	return !c->is_bad && c->left == 0;
}

struct str address_record_encode(const struct address_record *r, char out[RECORD_MAX])
{
	struct cursor c = write_to(out, KIND_ADDRESS);
	put(&c, r->verdict, 1);
	put(&c, r->class, 1);
	put(&c, r->cause, 1);
	put(&c, (uint64_t)r->code, 2);
	put(&c, (r->null_refused ? 1u : 0u) | (r->control_refused ? 2u : 0u), 1);
	put(&c, r->attempts < 255 ? r->attempts : 255, 1);
	put_wall(&c, r->checked);
	put_wall(&c, r->first);
	put_wall(&c, r->retry_at);
	put_text(&c, r->host, RECORD_HOST_MAX);
	put_text(&c, r->said, RECORD_SAID_MAX);
	return (struct str){out, c.n};
}

bool address_record_decode(struct str value, struct address_record *out)
{
	struct cursor c = read_from(value, KIND_ADDRESS);
	struct address_record r;
	r.verdict = get_below(&c, VERIFY_SKIPPED);
	r.class = get_below(&c, VERIFY_CLASS_BUSY + 1);
	r.cause = get_below(&c, CAUSE_COUNT);
	r.code = (int)get(&c, 2);
	unsigned flags = (unsigned)get(&c, 1);
	r.null_refused = flags & 1;
	r.control_refused = flags & 2;
	r.attempts = (unsigned)get(&c, 1);
	r.checked = get_wall(&c);
	r.first = get_wall(&c);
	r.retry_at = get_wall(&c);
	r.host = get_text(&c);
	r.said = get_text(&c);
	if (!is_whole(&c))
		return false;
	*out = r;
	return true;
}

struct str domain_record_encode(const struct domain_record *r, char out[RECORD_MAX])
{
	struct cursor c = write_to(out, KIND_DOMAIN);
	put(&c, r->kind, 1);
	put_wall(&c, r->kind_at);
	put_wall(&c, r->kind_until);
	put_wall(&c, r->null_refused_at);
	put_wall(&c, r->null_refused_until);
	put_wall(&c, r->postmaster_at);
	put_wall(&c, r->blocked_at);
	put_wall(&c, r->blocked_until);
	put(&c, r->blocked_cause, 1);
	put(&c, r->blocked_class, 1);
	put(&c, (uint64_t)r->code, 2);
	put_text(&c, r->host, RECORD_HOST_MAX);
	put_text(&c, r->said, RECORD_SAID_MAX);
	return (struct str){out, c.n};
}

bool domain_record_decode(struct str value, struct domain_record *out)
{
	struct cursor c = read_from(value, KIND_DOMAIN);
	struct domain_record r;
	r.kind = get_below(&c, DOMAIN_UNVERIFIABLE + 1);
	r.kind_at = get_wall(&c);
	r.kind_until = get_wall(&c);
	r.null_refused_at = get_wall(&c);
	r.null_refused_until = get_wall(&c);
	r.postmaster_at = get_wall(&c);
	r.blocked_at = get_wall(&c);
	r.blocked_until = get_wall(&c);
	r.blocked_cause = get_below(&c, CAUSE_COUNT);
	r.blocked_class = get_below(&c, VERIFY_CLASS_BUSY + 1);
	r.code = (int)get(&c, 2);
	r.host = get_text(&c);
	r.said = get_text(&c);
	if (!is_whole(&c))
		return false;
	*out = r;
	return true;
}

struct str host_record_encode(const struct host_record *r, char out[RECORD_MAX])
{
	struct cursor c = write_to(out, KIND_HOST);
	put_wall(&c, r->down_until);
	put_wall(&c, r->blocked_until);
	put(&c, r->steps < 255 ? r->steps : 255, 1);
	put(&c, r->cause, 1);
	put(&c, r->class, 1);
	put(&c, (uint64_t)r->code, 2);
	put_text(&c, r->said, RECORD_SAID_MAX);
	return (struct str){out, c.n};
}

bool host_record_decode(struct str value, struct host_record *out)
{
	struct cursor c = read_from(value, KIND_HOST);
	struct host_record r;
	r.down_until = get_wall(&c);
	r.blocked_until = get_wall(&c);
	r.steps = (unsigned)get(&c, 1);
	r.cause = get_below(&c, CAUSE_COUNT);
	r.class = get_below(&c, VERIFY_CLASS_BUSY + 1);
	r.code = (int)get(&c, 2);
	r.said = get_text(&c);
	if (!is_whole(&c))
		return false;
	*out = r;
	return true;
}
