/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys: public ones from key records, parsed once and remembered; private ones from files.
 *
 * Signatures here are made over a digest: RSA with PKCS #1 v1.5 (RFC 6376 3.3), Ed25519 over the SHA-256 digest
 * as its message (RFC 8463 3). OpenSSL's own checks bound what a hostile key can cost; sizes are the caller's policy.
 */
#pragma once

#include "auth/dkim_canon.h"
#include "base/err.h"

struct dkim_public_key;
/* A cache of parsed keys by their text, at most `max`; a full one is emptied. */
struct dkim_keys;
struct dkim_keys *dkim_keys_new(size_t max);
void dkim_keys_free(struct dkim_keys *k); /* accepts NULL */
/* NULL: p= is no such key, *why says in what way. Valid until the next call. */
struct dkim_public_key *dkim_keys_get(struct dkim_keys *k, bool is_ed25519, struct str p, const char **why);
unsigned dkim_public_key_bits(const struct dkim_public_key *key);
bool dkim_public_key_verifies(struct dkim_public_key *key, enum dkim_hash hash, const struct dkim_digest *digest,
                              struct str signature);

struct dkim_private_key;
/* PEM of an RSA or Ed25519 key, or the 32 bytes of an Ed25519 seed in base64. */
struct dkim_private_key *dkim_private_key_parse(struct str text, struct err *err);
void dkim_private_key_free(struct dkim_private_key *key); /* accepts NULL */
bool dkim_private_key_is_ed25519(const struct dkim_private_key *key);
unsigned dkim_private_key_bits(const struct dkim_private_key *key);
bool dkim_private_key_sign(struct dkim_private_key *key, const struct dkim_digest *digest, struct buf *signature,
                           struct err *err);
