/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads DNS responses: a cursor over the packet, a walk over its sections, one reader for each type. */
#include "dns/message.h"

#include "dns/answer.h"
#include "dns/name.h"

#include <stdio.h>

#define POINTERS_MAX 32
#define CNAMES_MAX   8
#define CLASS_IN     1

enum { FLAG_RESPONSE = 0x8000, FLAG_TRUNCATED = 0x0200, RCODE_MASK = 0xf };
enum { RCODE_OK = 0, RCODE_NXDOMAIN = 3 };

/* Sticky: after the first read beyond `end` everything yields zero and nothing moves. */
struct cursor {
	const uint8_t *p;
	size_t at, end;
	bool is_bad;
};

static bool has(struct cursor *c, size_t n)
{
	if (c->is_bad || c->end - c->at < n)
		c->is_bad = true;
	return !c->is_bad;
}

static uint32_t get(struct cursor *c, unsigned bytes)
{
	uint32_t v = 0;

	if (!has(c, bytes))
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | c->p[c->at++];
	return v;
}

static struct str get_bytes(struct cursor *c, size_t n)
{
	if (!has(c, n))
		return STR_NONE;
	c->at += n;
	return (struct str){(const char *)c->p + c->at - n, n};
}

static bool append_label(struct dns_name *out, size_t *n, const uint8_t *label)
{
	if (*n + 1 + label[0] > DNS_NAME_WIRE_MAX)
		return false;
	out->b[(*n)++] = label[0];
	for (unsigned i = 1; i <= label[0]; i++)
		out->b[(*n)++] = (uint8_t)ascii_lower((char)label[i]);
	return true;
}

/* RFC 1035 4.1.4. A pointer must lead before the place where its part of the name began, so every jump
 * shortens what is left and a loop cannot be written. Pointers may leave rdata, hence no `end` for them. */
static void get_name(struct cursor *c, struct dns_name *out)
{
	size_t at = c->at, begun = c->at, after = 0, n = 0;
	unsigned jumps = 0;
	uint8_t length;

	if (c->is_bad)
		return;
	do {
		if (at >= c->end)
			goto bad;
		length = c->p[at];
		if (length >= 0xc0) {
			if (at + 1 >= c->end || ++jumps > POINTERS_MAX)
				goto bad;
			if (jumps == 1)
				after = at + 2;
			at = (size_t)(length & 0x3f) << 8 | c->p[at + 1];
			if (at >= begun)
				goto bad;
			begun = at;
			continue;
		}
		if (length > 63 || at + 1 + length > c->end || !append_label(out, &n, c->p + at))
			goto bad;
		at += 1 + (size_t)length;
	} while (length != 0);
	out->n = (uint8_t)n;
	c->at = jumps ? after : at;
	return;
bad:
	c->is_bad = true;
}

struct rr {
	struct dns_name owner;
	uint32_t type, class, ttl;
	struct cursor rdata; /* ends with the record; the packet before it stays reachable for pointers */
};

static bool get_rr(struct cursor *c, struct rr *rr)
{
	get_name(c, &rr->owner);
	rr->type = get(c, 2);
	rr->class = get(c, 2);
	rr->ttl = get(c, 4);
	size_t length = get(c, 2);
	if (!has(c, length))
		return false;
	rr->rdata = (struct cursor){c->p, c->at, c->at + length, false};
	c->at += length;
	if (rr->ttl > INT32_MAX) /* RFC 2181 8 */
		rr->ttl = 0;
	return true;
}

static bool rr_is(const struct rr *rr, const struct dns_name *owner, uint32_t type)
{
	return rr->type == type && rr->class == CLASS_IN && dns_name_eq(&rr->owner, owner);
}

/* --- one reader for each type; false: what it says is too long for us and left out --- */

static bool read_text_name(struct cursor *c, struct dns_answer *a, struct str *out)
{
	struct dns_name name = {.n = 0};

	get_name(c, &name);
	return !c->is_bad && dns_name_text(&name, &a->arena, out);
}

/* An IPv4-mapped AAAA is IPv4 here as everywhere (base/ip.h). */
static void read_ip(struct cursor *c, uint8_t family, struct ip *out)
{
	static const char mapped[12] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
	struct str bytes = get_bytes(c, family == 4 ? 4 : 16);

	if (c->is_bad)
		return;
	if (family == 6 && memcmp(bytes.p, mapped, sizeof(mapped)) == 0) {
		bytes = str_skip(bytes, sizeof(mapped));
		family = 4;
	}
	*out = (struct ip){.family = family};
	memcpy(out->b, bytes.p, bytes.n);
}

static void read_txt(struct cursor *c, struct dns_answer *a, struct dns_record *out)
{
	size_t n = 0, room = c->end - c->at < DNS_TEXT_MAX ? c->end - c->at : DNS_TEXT_MAX;
	char *text = arena_alloc(&a->arena, room + 1);

	while (!c->is_bad && c->at < c->end) {
		struct str part = get_bytes(c, get(c, 1));
		size_t fits = part.n < room - n ? part.n : room - n;
		if (fits > 0)
			memcpy(text + n, part.p, fits);
		n += fits;
		a->is_cut |= fits < part.n;
	}
	out->text = (struct str){text, n};
}

static bool read_soa(struct cursor *c, struct dns_answer *a, struct dns_record *out)
{
	bool fits = read_text_name(c, a, &out->soa.mname);

	fits = read_text_name(c, a, &out->soa.rname) && fits;
	out->soa.serial = get(c, 4);
	out->soa.refresh = get(c, 4);
	out->soa.retry = get(c, 4);
	out->soa.expire = get(c, 4);
	out->soa.minimum = get(c, 4);
	return fits;
}

static bool read_rdata(struct cursor *c, struct dns_answer *a, struct dns_record *out)
{
	switch (a->type) {
	case DNS_A:
		read_ip(c, 4, &out->ip);
		return true;
	case DNS_AAAA:
		read_ip(c, 6, &out->ip);
		return true;
	case DNS_MX:
		out->mx.preference = (uint16_t)get(c, 2);
		return read_text_name(c, a, &out->mx.host);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return read_text_name(c, a, &out->name);
	case DNS_TXT:
	case DNS_SPF:
		read_txt(c, a, out);
		return true;
	case DNS_SOA:
		return read_soa(c, a, out);
	case DNS_TLSA:
		out->tlsa.usage = (uint8_t)get(c, 1);
		out->tlsa.selector = (uint8_t)get(c, 1);
		out->tlsa.matching = (uint8_t)get(c, 1);
		out->tlsa.data = dns_answer_text(a, get_bytes(c, c->end - c->at));
		return true;
	}
	return false;
}

/* --- sections --- */

/* A broken record anywhere breaks the whole packet: who lies about one length lies about the rest. */
static bool add_record(struct rr *rr, struct dns_answer *a)
{
	struct dns_record record = {.tlsa = {0}};
	bool fits = read_rdata(&rr->rdata, a, &record);

	if (rr->rdata.is_bad || rr->rdata.at != rr->rdata.end)
		return false;
	dns_answer_lower_ttl(a, rr->ttl);
	if (fits)
		dns_answer_add(a, &record);
	else
		a->is_cut = true;
	return true;
}

/* One walk over the answer section: takes records of `owner`, and its CNAME for the next walk. */
static bool walk_answers(struct cursor *c, unsigned count, const struct dns_name *owner,
                         struct dns_answer *a, struct dns_name *target, bool *has_target)
{
	struct rr rr = {.ttl = 0};
	unsigned hits = 0;

	*has_target = false;
	for (unsigned i = 0; i < count; i++) {
		if (!get_rr(c, &rr))
			return false;
		if (rr_is(&rr, owner, a->type)) {
			if (!add_record(&rr, a))
				return false;
			hits++;
		} else if (!*has_target && rr_is(&rr, owner, DNS_CNAME)) {
			get_name(&rr.rdata, target);
			if (rr.rdata.is_bad || rr.rdata.at != rr.rdata.end)
				return false;
			dns_answer_lower_ttl(a, rr.ttl);
			*has_target = true;
		}
	}
	if (hits > 0)
		*has_target = false;
	return true;
}

/* RFC 2308 5: how long an absence may be believed. */
static bool read_negative_ttl(struct cursor *c, unsigned count, struct dns_answer *a)
{
	struct rr rr = {.ttl = 0};
	bool is_known = false;

	for (unsigned i = 0; i < count; i++) {
		if (!get_rr(c, &rr))
			return false;
		if (rr.type != DNS_SOA || rr.class != CLASS_IN || is_known)
			continue;
		struct dns_name skipped = {.n = 0};
		get_name(&rr.rdata, &skipped);
		get_name(&rr.rdata, &skipped);
		get_bytes(&rr.rdata, 16);
		uint32_t minimum = get(&rr.rdata, 4);
		if (rr.rdata.is_bad || rr.rdata.at != rr.rdata.end)
			return false;
		dns_answer_lower_ttl(a, rr.ttl < minimum ? rr.ttl : minimum);
		is_known = true;
	}
	if (!is_known)
		a->ttl = 0; /* RFC 2308 5: not to be kept; the cache's lower cap applies */
	return true;
}

static void fail_rcode(struct dns_answer *a, unsigned rcode)
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	char text[24];

	if (rcode < sizeof(names) / sizeof(names[0])) {
		dns_answer_fail(a, DNS_TEMPORARY, str_from(names[rcode]));
		return;
	}
	snprintf(text, sizeof(text), "RCODE %u", rcode);
	dns_answer_fail(a, DNS_TEMPORARY, str_from(text));
}

static bool conclude(struct cursor *c, unsigned authorities, unsigned rcode, bool is_loop,
                     struct dns_answer *a)
{
	if (is_loop) {
		dns_answer_fail(a, DNS_TEMPORARY, STR("CNAME chain too long"));
	} else if (rcode == RCODE_OK && a->n > 0) {
		a->outcome = DNS_FOUND;
		dns_answer_sort(a);
	} else if (rcode != RCODE_OK && rcode != RCODE_NXDOMAIN) {
		fail_rcode(a, rcode);
	} else if (rcode == RCODE_OK && a->is_cut) {
		/* Something is there, so this is no absence. */
		dns_answer_fail(a, DNS_TEMPORARY, STR("no usable record in the answer"));
	} else {
		a->n = 0;
		a->outcome = rcode == RCODE_OK ? DNS_NODATA : DNS_NXDOMAIN;
		return read_negative_ttl(c, authorities, a);
	}
	return true;
}

static bool read_sections(struct cursor *c, const struct dns_name *asked, struct dns_answer *a)
{
	struct dns_name owner = *asked, target = {.n = 0}, skipped = {.n = 0};
	bool has_target = true;

	get(c, 2);
	unsigned flags = get(c, 2), questions = get(c, 2), answers = get(c, 2), authorities = get(c, 2);
	get(c, 2);
	if (c->is_bad || !(flags & FLAG_RESPONSE))
		return false;
	for (unsigned i = 0; i < questions && !c->is_bad; i++) {
		get_name(c, &skipped);
		get(c, 4);
	}
	struct cursor begin = *c;
	for (int hops = 0; has_target && hops <= CNAMES_MAX; hops++) {
		*c = begin;
		if (!walk_answers(c, answers, &owner, a, &target, &has_target))
			return false;
		if (has_target)
			owner = target;
	}
	a->is_cut |= (flags & FLAG_TRUNCATED) != 0;
	if (!dns_name_text(&owner, &a->arena, &a->canonical))
		a->is_cut = true;
	return conclude(c, authorities, flags & RCODE_MASK, has_target, a);
}

bool dns_message_read(struct str packet, struct str name, enum dns_type type, struct dns_answer *answer,
                      struct err *err)
{
	struct cursor c = {(const uint8_t *)packet.p, 0, packet.n, false};
	struct dns_name asked;

	if (!dns_name_parse(name, &asked))
		return err_temp(err, CAUSE_DNS_FAILURE, "not a domain name");
	answer->type = type;
	if (read_sections(&c, &asked, answer))
		return true;
	dns_answer_fail(answer, DNS_TEMPORARY, STR("malformed answer"));
	return err_temp(err, CAUSE_DNS_FAILURE, "malformed answer");
}
