/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Validating a chain in the order of RFC 8617 5.2. */
#include "auth/arc_check.h"

const char *arc_cv_name(enum arc_cv cv)
{
	static const char *const names[] = {"none", "pass", "fail"};

	return names[cv];
}

static bool fail(struct arc_check *c, const char *reason)
{
	if (c->cv != ARC_CV_FAIL)
		c->reason = reason;
	c->cv = ARC_CV_FAIL;
	return false;
}

static bool slot_take(struct arc_check *c, const struct header_field **slot, const struct header_field *f,
                      unsigned instance)
{
	if (*slot)
		return fail(c, "a set has a field twice");
	*slot = f;
	if (instance > c->sets)
		c->sets = instance;
	return true;
}

static bool seal_collect(struct arc_check *c, const struct header_field *f, struct dkim_bodies *bodies)
{
	struct dkim_pending p;
	struct dkim_result result;

	dkim_pending_init(&p, c->arena, &c->options, ARC_SEAL, f, bodies, &result);
	if (p.is_decided)
		return fail(c, result.reason);
	struct arc_set *set = &c->set[p.signature.instance];
	if (!slot_take(c, &set->seal, f, p.signature.instance))
		return false;
	set->pending = p;
	set->result = result;
	return true;
}

static bool message_collect(struct arc_check *c, const struct header_field *f)
{
	struct dkim_signature s;
	const char *why;

	if (!dkim_signature_parse(c->arena, ARC_MESSAGE_SIGNATURE, f->value, &s, &why))
		return fail(c, why);
	return slot_take(c, &c->set[s.instance].message, f, s.instance);
}

static bool results_collect(struct arc_check *c, const struct header_field *f)
{
	struct str rest;
	unsigned instance = arc_results_instance(f->value, &rest);

	if (instance == 0)
		return fail(c, "ARC-Authentication-Results does not begin with i= and a number");
	return slot_take(c, &c->set[instance].results, f, instance);
}

static bool collect(struct arc_check *c, struct dkim_bodies *bodies)
{
	bool ok = true;

	for (size_t i = 0; i < c->fields.n; i++) { /* to the end also after a fault: the highest instance counts */
		const struct header_field *f = &c->fields.field[i];
		if (str_ieq(f->name, STR("ARC-Seal")))
			ok &= seal_collect(c, f, bodies);
		else if (str_ieq(f->name, STR("ARC-Message-Signature")))
			ok &= message_collect(c, f);
		else if (str_ieq(f->name, STR("ARC-Authentication-Results")))
			ok &= results_collect(c, f);
	}
	return ok;
}

/* 5.2 steps 2 and 3: what the last seal says; every set whole; the chain of cv values. */
static bool structure_check(struct arc_check *c)
{
	for (unsigned i = 1; i <= c->sets; i++) {
		const struct arc_set *set = &c->set[i];
		if (!set->results || !set->message || !set->seal)
			return fail(c, "a set is not complete");
	}
	const struct dkim_signature *last = &c->set[c->sets].pending.signature;
	c->domain = last->domain;
	c->selector = last->selector;
	c->has_failed_before = last->cv == ARC_CV_FAIL;
	if (c->has_failed_before)
		return fail(c, "the chain had failed before: cv=fail");
	for (unsigned i = 1; i <= c->sets; i++)
		if (c->set[i].pending.signature.cv != (i == 1 ? ARC_CV_NONE : ARC_CV_PASS))
			return fail(c, "a seal's cv= does not fit its place");
	return true;
}

struct arc_check *arc_check_new(struct arena *arena, const struct dkim_options *options, struct str header,
                                struct dkim_bodies *bodies)
{
	struct arc_check *c = arena_new(arena, struct arc_check);
	struct dkim_result result;
	const char *why;

	*c = (struct arc_check){.arena = arena, .options = *options, .reason = ""};
	c->set = arena_alloc(arena, (ARC_SETS_MAX + 1) * sizeof(*c->set));
	if (!dkim_fields_init(&c->fields, arena, header, &why)) {
		fail(c, why);
		return c;
	}
	if (!collect(c, bodies) || c->sets == 0 || !structure_check(c))
		return c;
	c->message = arena_new(arena, struct dkim_pending);
	dkim_pending_init(c->message, arena, options, ARC_MESSAGE_SIGNATURE, c->set[c->sets].message, bodies, &result);
	if (c->message->is_decided)
		fail(c, result.reason);
	return c;
}

void arc_canon_sets(const struct arc_check *c, unsigned first, unsigned last, struct buf *out)
{
	for (unsigned i = first; i <= last; i++) {
		const struct arc_set *set = &c->set[i];
		dkim_canon_field(out, true, set->results->name, set->results->whole, STR_NONE);
		dkim_canon_field(out, true, set->message->name, set->message->whole, STR_NONE);
		if (i < last)
			dkim_canon_field(out, true, set->seal->name, set->seal->whole, STR_NONE);
	}
}

/* 5.1.1: all sets up to this one, the seal itself last, without its signature and line end; always relaxed. */
static bool seal_digest(struct arc_check *c, unsigned i, struct dkim_digest *out)
{
	const struct header_field *seal = c->set[i].seal;
	struct buf *b = &c->fields.scratch;

	buf_clear(b);
	arc_canon_sets(c, 1, i, b);
	dkim_canon_field(b, true, seal->name, seal->whole, c->set[i].pending.signature.b_span);
	if (!buf_ok(b))
		return false;
	dkim_hash(DKIM_SHA256, str_slice(buf_view(b), 0, b->n - 2), out);
	return true;
}

static bool result_take(struct arc_check *c, const struct dkim_result *result)
{
	if (result->verdict == DKIM_PASS)
		return true;
	c->is_temporary = result->verdict == DKIM_TEMPERROR;
	return fail(c, result->reason);
}

/* 5.2 step 4. */
WAITS static bool message_check(struct arc_check *c, const struct dkim_bodies *bodies, struct resolver *r,
                                struct dkim_keys *keys, struct err *err)
{
	struct dkim_result result = {.reason = ""};
	struct dkim_digest digest;

	if (!dkim_fields_digest(&c->fields, &c->message->signature, c->set[c->sets].message, &digest)) {
		fail(c, "h= has over 400 names");
		return true;
	}
	dkim_pending_check_body(c->message, &c->options, bodies, &result);
	if (!dkim_pending_check_key(c->message, &c->options, &digest, r, keys, c->arena, &result, err))
		return false;
	result_take(c, &result);
	return true;
}

bool arc_check_finish(struct arc_check *c, const struct dkim_bodies *bodies, struct resolver *r,
                      struct dkim_keys *keys, struct err *err)
{
	if (c->cv == ARC_CV_FAIL || c->sets == 0)
		return true;
	if (!message_check(c, bodies, r, keys, err))
		return false;
	/* 5.2 step 5: from the last to the first. */
	for (unsigned i = c->sets; i > 0 && c->cv != ARC_CV_FAIL; i--) {
		struct arc_set *set = &c->set[i];
		struct dkim_digest digest;
		if (!seal_digest(c, i, &digest)) {
			fail(c, "the sets are too large");
			return true;
		}
		if (!dkim_pending_check_key(&set->pending, &c->options, &digest, r, keys, c->arena, &set->result, err))
			return false;
		result_take(c, &set->result);
	}
	if (c->cv != ARC_CV_FAIL)
		c->cv = ARC_CV_PASS;
	return true;
}

void arc_check_done(struct arc_check *c)
{
	if (c)
		dkim_fields_done(&c->fields);
}
