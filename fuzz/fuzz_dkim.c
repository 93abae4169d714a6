/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message with signatures and seals, a key record, a body in pieces: the pieces do not show in the hash. */
#include "auth/arc_check.h"
#include "fuzz.h"

static uint64_t body_hash(struct str body, size_t piece, bool is_relaxed, struct dkim_digest *out)
{
	struct dkim_bodies *b = dkim_bodies_new();
	int handle = dkim_bodies_want(b, is_relaxed, DKIM_SHA256, false, 0);

	for (size_t at = 0; at < body.n; at += piece)
		dkim_bodies_push(b, str_slice(body, at, at + piece));
	dkim_bodies_finish(b);
	uint64_t length = dkim_bodies_result(b, handle, out);
	dkim_bodies_free(b);
	return length;
}

static void read_message(struct arena *arena, struct str message)
{
	struct dkim_options options = {.allow_sha1 = true};
	struct dkim_bodies *bodies = dkim_bodies_new();
	struct dkim_check *c = dkim_check_new(arena, &options, message, bodies);
	struct arc_check *a = arc_check_new(arena, &options, message, bodies);
	struct dkim_digest digest;

	for (size_t i = 0; i < c->n; i++)
		if (!c->pending[i].is_decided)
			(void)dkim_fields_digest(&c->fields, &c->pending[i].signature, &c->pending[i].field, &digest);
	assert(c->n <= 10 && a->sets <= ARC_SETS_MAX);
	dkim_check_done(c);
	arc_check_done(a);
	dkim_bodies_free(bodies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = fuzz_str(data, size);
	auto_arena struct arena arena;
	struct dkim_digest whole, pieces;
	struct dkim_key key;
	const char *why;

	arena_init(&arena, 64 << 20);
	read_message(&arena, input);
	for (int is_relaxed = 0; is_relaxed < 2; is_relaxed++) {
		uint64_t n = body_hash(input, size + 1, is_relaxed, &whole);
		assert(n == body_hash(input, size % 5 + 1, is_relaxed, &pieces) && !memcmp(whole.bytes, pieces.bytes, 32));
	}
	if (dkim_key_parse(input, &key, &why)) {
		struct dkim_keys *keys = dkim_keys_new(4);
		struct dkim_public_key *public_key = dkim_keys_get(keys, key.is_ed25519, key.p, &why);
		assert(!public_key || dkim_public_key_bits(public_key) > 0);
		dkim_keys_free(keys);
	}
	return 0;
}
