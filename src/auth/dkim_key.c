/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Public and private keys on OpenSSL's EVP. */
#include "auth/dkim_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "auth/dkim_base64.h"
#include "base/auto.h"
#include "base/map.h"
#include "base/mem.h"

#define P_MAX          8192 /* bytes of p= text: RSA of 16384 bits is 3.7 KB */
#define ED25519_LENGTH 32

struct dkim_public_key {
	EVP_PKEY *key;
	EVP_PKEY_CTX *rsa[2]; /* for each hash, made when first needed */
	bool is_ed25519;
};
struct dkim_keys {
	struct map map;
	size_t max;
};
struct dkim_private_key {
	EVP_PKEY *key;
	bool is_ed25519;
};

static void public_key_free(struct dkim_public_key *key)
{
	EVP_PKEY_CTX_free(key->rsa[0]);
	EVP_PKEY_CTX_free(key->rsa[1]);
	EVP_PKEY_free(key->key);
	free(key);
}

struct dkim_keys *dkim_keys_new(size_t max)
{
	struct dkim_keys *k = mem_new(struct dkim_keys);

	map_init(&k->map);
	k->max = max;
	return k;
}

static void keys_clear(struct dkim_keys *k)
{
	struct str name;
	void *value;
	size_t at = 0;

	while (map_next(&k->map, &at, &name, &value))
		public_key_free(value);
	map_done(&k->map);
	map_init(&k->map);
}

void dkim_keys_free(struct dkim_keys *k)
{
	if (!k)
		return;
	keys_clear(k);
	map_done(&k->map);
	free(k);
}

/* RFC 6376 3.6.1 asks for a SubjectPublicKeyInfo; bare PKCS #1 keys are published too, and understood everywhere
 * (RFC 8017 A.1.1, RFC 6376 erratum 3017). */
static EVP_PKEY *rsa_parse(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);

	if (!key) {
		p = (const unsigned char *)der.p;
		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
	}
	if (key && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || p != (const unsigned char *)der.p + der.n)) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static struct dkim_public_key *public_key_parse(bool is_ed25519, struct str p, const char **why)
{
	auto_arena struct arena arena;
	struct str der;
	EVP_PKEY *key = NULL;

	arena_init(&arena, 4 * P_MAX);
	*why = "p= is too long";
	if (p.n > P_MAX)
		return NULL;
	*why = "p= is not base64";
	if (!dkim_base64_decode(&arena, p, &der))
		return NULL;
	ERR_clear_error();
	if (!is_ed25519)
		key = rsa_parse(der);
	else if (der.n == ED25519_LENGTH) /* RFC 8463 4.2 */
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)der.p, der.n);
	ERR_clear_error();
	*why = is_ed25519 ? "p= is no Ed25519 key of 32 bytes" : "p= is no RSA key";
	if (!key)
		return NULL;
	struct dkim_public_key *out = mem_new(struct dkim_public_key);
	*out = (struct dkim_public_key){.key = key, .is_ed25519 = is_ed25519};
	return out;
}

struct dkim_public_key *dkim_keys_get(struct dkim_keys *k, bool is_ed25519, struct str p, const char **why)
{
	struct dkim_public_key *key = map_get(&k->map, p);

	if (key && key->is_ed25519 == is_ed25519)
		return key;
	key = public_key_parse(is_ed25519, p, why);
	if (!key)
		return NULL;
	if (k->map.n >= k->max)
		keys_clear(k);
	struct dkim_public_key *former = map_put(&k->map, p, key);
	if (former)
		public_key_free(former);
	return key;
}

unsigned dkim_public_key_bits(const struct dkim_public_key *key)
{
	return (unsigned)EVP_PKEY_get_bits(key->key);
}

static const EVP_MD *rsa_md(enum dkim_hash hash)
{
	return hash == DKIM_SHA1 ? EVP_sha1() : EVP_sha256();
}

static bool rsa_prepare(EVP_PKEY_CTX *c, enum dkim_hash hash)
{
	return c && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(c, rsa_md(hash)) == 1;
}

static bool rsa_verifies(struct dkim_public_key *key, enum dkim_hash hash, const struct dkim_digest *digest,
                         struct str signature)
{
	EVP_PKEY_CTX **c = &key->rsa[hash];

	if (!*c) {
		*c = EVP_PKEY_CTX_new(key->key, NULL);
		if (!rsa_prepare(*c, hash)) {
			EVP_PKEY_CTX_free(*c);
			*c = NULL;
			return false;
		}
	}
	return EVP_PKEY_verify(*c, (const unsigned char *)signature.p, signature.n, digest->bytes, digest->n) == 1;
}

bool dkim_public_key_verifies(struct dkim_public_key *key, enum dkim_hash hash, const struct dkim_digest *digest,
                              struct str signature)
{
	bool ok;

	ERR_clear_error();
	if (key->is_ed25519) {
		EVP_MD_CTX *c = EVP_MD_CTX_new();
		ok = c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, key->key) == 1 &&
		     EVP_DigestVerify(c, (const unsigned char *)signature.p, signature.n, digest->bytes, digest->n) == 1;
		EVP_MD_CTX_free(c);
	} else {
		ok = rsa_verifies(key, hash, digest, signature);
	}
	ERR_clear_error();
	return ok;
}

/* No passphrase is asked for: a daemon has nobody to ask. */
static int no_passphrase(char *out, int n, int is_writing, void *arg)
{
	return -1;
}

static EVP_PKEY *seed_parse(struct str text)
{
	auto_arena struct arena arena;
	struct str seed;

	arena_init(&arena, 4096);
	if (text.n > 64 || !dkim_base64_decode(&arena, text, &seed) || seed.n != ED25519_LENGTH)
		return NULL;
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)seed.p, seed.n);
}

struct dkim_private_key *dkim_private_key_parse(struct str text, struct err *err)
{
	BIO *bio = text.n <= 1 << 20 ? BIO_new_mem_buf(text.p ? text.p : "", (int)text.n) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (!key)
		key = seed_parse(str_trim(text));
	ERR_clear_error();
	int type = key ? EVP_PKEY_get_base_id(key) : 0;
	if (type != EVP_PKEY_RSA && type != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		err_perm(err, CAUSE_LOCAL_ERROR, "the key is no PEM of an RSA or Ed25519 private key without passphrase");
		return NULL;
	}
	struct dkim_private_key *out = mem_new(struct dkim_private_key);
	*out = (struct dkim_private_key){.key = key, .is_ed25519 = type == EVP_PKEY_ED25519};
	return out;
}

void dkim_private_key_free(struct dkim_private_key *key)
{
	if (key)
		EVP_PKEY_free(key->key);
	free(key);
}

bool dkim_private_key_is_ed25519(const struct dkim_private_key *key)
{
	return key->is_ed25519;
}

unsigned dkim_private_key_bits(const struct dkim_private_key *key)
{
	return (unsigned)EVP_PKEY_get_bits(key->key);
}

static bool rsa_sign(EVP_PKEY *key, const struct dkim_digest *digest, unsigned char *out, size_t *n)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool ok = c && EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
	          EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 && EVP_PKEY_sign(c, out, n, digest->bytes, digest->n) == 1;

	EVP_PKEY_CTX_free(c);
	return ok;
}

static bool ed25519_sign(EVP_PKEY *key, const struct dkim_digest *digest, unsigned char *out, size_t *n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
	          EVP_DigestSign(c, out, n, digest->bytes, digest->n) == 1;

	EVP_MD_CTX_free(c);
	return ok;
}

bool dkim_private_key_sign(struct dkim_private_key *key, const struct dkim_digest *digest, struct buf *signature,
                           struct err *err)
{
	size_t n = (size_t)EVP_PKEY_get_size(key->key);
	auto_free unsigned char *bytes = mem_alloc(n);

	ERR_clear_error();
	bool ok = key->is_ed25519 ? ed25519_sign(key->key, digest, bytes, &n) : rsa_sign(key->key, digest, bytes, &n);
	ERR_clear_error();
	if (!ok)
		return err_perm(err, CAUSE_LOCAL_ERROR, "the key cannot sign");
	buf_add(signature, bytes, n);
	return true;
}
