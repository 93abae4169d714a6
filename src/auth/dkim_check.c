/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verifying DKIM signatures in the order of RFC 6376 6.1: the field, the body's hash, the key, the signature. */
#include "auth/dkim_check.h"

#include <openssl/crypto.h>

#define SIGNATURES_MAX_DEFAULT 10
#define RSA_BITS_DEFAULT       1024
#define KEY_RECORDS_MAX        4 /* of one name that are tried */

const char *dkim_verdict_name(enum dkim_verdict v)
{
	static const char *const names[] = {"none", "pass", "fail", "policy", "temperror", "permerror"};

	return names[v];
}

static void decide(struct dkim_pending *p, struct dkim_result *result, enum dkim_verdict verdict, const char *reason)
{
	p->is_decided = true;
	result->verdict = verdict;
	result->reason = reason;
}

void dkim_pending_init(struct dkim_pending *p, struct arena *arena, const struct dkim_options *o,
                       enum dkim_kind kind, const struct header_field *field, struct dkim_bodies *bodies,
                       struct dkim_result *result)
{
	struct dkim_signature *s = &p->signature;
	const char *why = "";
	bool ok = dkim_signature_parse(arena, kind, field->value, s, &why);

	p->field = *field;
	p->body = -1;
	p->is_decided = false;
	*result = (struct dkim_result){.reason = "", .domain = s->domain, .selector = s->selector,
	                               .algorithm = s->algorithm, .identity = s->identity, .b = s->b_text};
	if (!ok) {
		decide(p, result, DKIM_PERMERROR, why);
	} else if (s->hash == DKIM_SHA1 && (!o->allow_sha1 || kind != DKIM_SIGNATURE)) {
		/* RFC 8301 3.1: "permanently failed evaluation"; RFC 8617 knows no SHA-1 */
		decide(p, result, DKIM_PERMERROR, "rsa-sha1 is no longer trusted (RFC 8301)");
	} else if (s->has_expiry && (uint64_t)(o->now.us / USEC_S) > s->expires) {
		decide(p, result, DKIM_FAIL, "the signature has expired");
	} else if (kind != ARC_SEAL) {
		p->body = dkim_bodies_want(bodies, s->is_body_relaxed, s->hash, s->has_length, s->length);
		if (p->body < 0)
			decide(p, result, DKIM_POLICY, "too many different body hashes");
	}
}

void dkim_pending_check_body(struct dkim_pending *p, const struct dkim_options *o, const struct dkim_bodies *bodies,
                             struct dkim_result *result)
{
	const struct dkim_signature *s = &p->signature;
	struct dkim_digest digest;

	if (p->is_decided)
		return;
	uint64_t length = dkim_bodies_result(bodies, p->body, &digest);
	if (s->body_hash.n != digest.n || CRYPTO_memcmp(s->body_hash.p, digest.bytes, digest.n) != 0)
		decide(p, result, DKIM_FAIL, "the body was changed: its hash is not bh=");
	else if (s->has_length && s->length > length)
		decide(p, result, DKIM_PERMERROR, "l= is more than the body has"); /* RFC 6376 3.5 */
	else if (s->has_length && s->length < length && !o->allow_partial_body)
		decide(p, result, DKIM_POLICY, "l= leaves the end of the body unsigned"); /* RFC 6376 8.2 */
}

/* What the key record says about this signature (RFC 6376 6.1.2). */
static const char *key_objection(const struct dkim_key *key, const struct dkim_signature *s)
{
	if (key->p.n == 0)
		return "the key was revoked";
	if (key->is_ed25519 != s->is_ed25519)
		return "the key is of another kind than a= says";
	if (s->hash == DKIM_SHA1 ? !key->allows_sha1 : !key->allows_sha256)
		return "the key does not allow this hash";
	if (!key->is_for_mail)
		return "the key is not for mail";
	if (key->is_same_domain && !str_eq(s->identity_domain, s->domain))
		return "the key does not allow i= in a subdomain";
	return NULL;
}

static const char *size_objection(const struct dkim_public_key *key, const struct dkim_options *o, bool is_ed25519)
{
	unsigned bits = dkim_public_key_bits(key), least = o->min_rsa_bits ? o->min_rsa_bits : RSA_BITS_DEFAULT;

	if (!is_ed25519 && bits < least)
		return "the key is too short (RFC 8301)";
	return bits > DKIM_MAX_RSA_BITS ? "the key is longer than 8192 bits" : NULL;
}

static void key_try(struct dkim_pending *p, const struct dkim_options *o, const struct dkim_digest *digest,
                    struct str record, struct dkim_keys *keys, struct dkim_result *result)
{
	const struct dkim_signature *s = &p->signature;
	struct dkim_public_key *public_key;
	struct dkim_key key;
	const char *why;

	if (!dkim_key_parse(record, &key, &why)) {
		decide(p, result, DKIM_PERMERROR, why);
		return;
	}
	result->is_testing = key.is_testing;
	why = key_objection(&key, s);
	public_key = why ? NULL : dkim_keys_get(keys, key.is_ed25519, key.p, &why);
	if (!public_key) {
		decide(p, result, DKIM_PERMERROR, why);
		return;
	}
	result->bits = dkim_public_key_bits(public_key);
	why = size_objection(public_key, o, key.is_ed25519);
	if (why)
		decide(p, result, DKIM_POLICY, why);
	else if (!dkim_public_key_verifies(public_key, s->hash, digest, s->signature))
		decide(p, result, DKIM_FAIL, "the signature does not match: the header was changed, or the key is another");
	else
		decide(p, result, DKIM_PASS, "");
}

bool dkim_pending_check_key(struct dkim_pending *p, const struct dkim_options *o, const struct dkim_digest *digest,
                            struct resolver *r, struct dkim_keys *keys, struct arena *arena,
                            struct dkim_result *result, struct err *err)
{
	const struct dkim_signature *s = &p->signature;
	const struct dns_answer *answer;

	if (p->is_decided)
		return true;
	struct str name = arena_printf(arena, "%.*s._domainkey.%.*s", STR_ARG(s->selector), STR_ARG(s->domain));
	if (!dns_lookup(r, name, DNS_TXT, &answer, err))
		return false;
	if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS)
		decide(p, result, DKIM_TEMPERROR, "the DNS gives no answer for the key");
	else if (answer->outcome != DNS_FOUND)
		decide(p, result, DKIM_PERMERROR, "there is no key of this selector");
	/* 6.1.2: with several records one may cycle through them. */
	for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->n && i < KEY_RECORDS_MAX; i++) {
		key_try(p, o, digest, answer->records[i].text, keys, result);
		if (result->verdict == DKIM_PASS)
			break;
	}
	dns_answer_release(answer);
	return true;
}

static size_t signatures_count(const struct dkim_fields *f, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n && n < max; i++)
		n += str_ieq(f->field[i].name, STR("DKIM-Signature"));
	return n;
}

struct dkim_check *dkim_check_new(struct arena *arena, const struct dkim_options *options, struct str header,
                                  struct dkim_bodies *bodies)
{
	struct dkim_check *c = arena_new(arena, struct dkim_check);
	size_t max = options->max_signatures ? options->max_signatures : SIGNATURES_MAX_DEFAULT;
	const char *why;

	*c = (struct dkim_check){.options = *options, .arena = arena, .reason = ""};
	if (!dkim_fields_init(&c->fields, arena, header, &why)) {
		c->verdict = DKIM_PERMERROR;
		c->reason = why;
		return c;
	}
	size_t n = signatures_count(&c->fields, max);
	c->results = arena_alloc(arena, (n + 1) * sizeof(*c->results));
	c->pending = arena_alloc(arena, (n + 1) * sizeof(*c->pending));
	for (size_t i = 0; i < c->fields.n && c->n < n; i++) {
		const struct header_field *f = &c->fields.field[i];
		if (!str_ieq(f->name, STR("DKIM-Signature")))
			continue;
		dkim_pending_init(&c->pending[c->n], arena, options, DKIM_SIGNATURE, f, bodies, &c->results[c->n]);
		c->n++;
	}
	return c;
}

/* A passing signature decides; else what may change by itself is told before what will not. */
static void check_judge(struct dkim_check *c)
{
	static const enum dkim_verdict order[] = {DKIM_PASS, DKIM_TEMPERROR, DKIM_FAIL, DKIM_POLICY, DKIM_PERMERROR};

	for (size_t k = 0; k < sizeof(order) / sizeof(*order); k++) {
		for (size_t i = 0; i < c->n; i++) {
			if (c->results[i].verdict != order[k])
				continue;
			c->verdict = order[k];
			c->reason = c->results[i].reason;
			return;
		}
	}
}

/* h= takes fields from below; the own field counts as one when h= names it, and is then found by its place. */
static bool message_digest(struct dkim_check *c, struct dkim_pending *p, struct dkim_digest *out)
{
	for (size_t i = 0; i < c->fields.n; i++)
		if (c->fields.field[i].offset == p->field.offset)
			return dkim_fields_digest(&c->fields, &p->signature, &c->fields.field[i], out);
	return false;
}

bool dkim_check_finish(struct dkim_check *c, const struct dkim_bodies *bodies, struct resolver *r,
                       struct dkim_keys *keys, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		struct dkim_pending *p = &c->pending[i];
		struct dkim_result *result = &c->results[i];
		struct dkim_digest digest = {.n = 0};
		dkim_pending_check_body(p, &c->options, bodies, result);
		if (!p->is_decided && !message_digest(c, p, &digest))
			decide(p, result, DKIM_POLICY, "h= has over 400 names");
		if (!dkim_pending_check_key(p, &c->options, &digest, r, keys, c->arena, result, err))
			return false;
	}
	check_judge(c);
	return true;
}

void dkim_check_done(struct dkim_check *c)
{
	if (c)
		dkim_fields_done(&c->fields);
}
