/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DKIM beside OpenSSL doing only what nobody can leave out: small signed mail a second, and large bodies in MB/s. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/dkim_check.h"
#include "auth/dkim_sign.h"
#include "base/auto.h"
#include "base/mem.h"
#include "rounds.h"

#define SLICE_S    0.08
#define BODY_SMALL 2048
#define BODY_LARGE (16u << 20)
#define PIECE      65536

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "dkim_bench: %s failed\n", what);
	exit(EXIT_FAILURE);
}

/* --- bodies --- */

enum text { BASE64, PROSE, FLOWED, INDENTED };
static const char *const text_names[] = {"base64", "prose", "flowed prose", "indented HTML"};

/* Lines as mail has them: encoded, typed, with a blank at the end (RFC 3676), or markup behind blanks and tabs. */
static void body_fill(struct buf *out, enum text kind, size_t size)
{
	static const char letters[] = "etaoinshrdlucmfwypvbgkqjxz";
	unsigned seed = 1;

	buf_clear(out);
	while (out->n < size) {
		size_t begun = out->n;
		if (kind == INDENTED)
			buf_str(out, str_slice(STR("\t\t\t        "), 0, 2 + seed % 8));
		while (out->n - begun < 70) {
			for (unsigned i = 0; i < (kind == BASE64 ? 76 : 2 + seed % 7); i++) {
				seed = seed * 1103515245 + 12345;
				buf_char(out, letters[(seed >> 16) % 26]);
			}
			if (kind != BASE64 && out->n - begun < 70)
				buf_char(out, ' ');
		}
		if (kind == FLOWED)
			buf_char(out, ' ');
		buf_str(out, STR("\r\n"));
	}
}

static double ours_mb_s(struct str body, bool is_relaxed, double slice_s)
{
	double start = rounds_cpu_s(), took;
	size_t bytes = 0;

	do {
		struct dkim_bodies *b = dkim_bodies_new();
		dkim_bodies_want(b, is_relaxed, DKIM_SHA256, false, 0);
		for (size_t at = 0; at < body.n; at += PIECE)
			dkim_bodies_push(b, str_slice(body, at, at + PIECE));
		dkim_bodies_finish(b);
		dkim_bodies_free(b);
		bytes += body.n;
		took = rounds_cpu_s() - start;
	} while (took < slice_s);
	return (double)bytes / took / 1e6;
}

static double openssl_mb_s(struct str body, double slice_s)
{
	double start = rounds_cpu_s(), took;
	size_t bytes = 0;

	do {
		unsigned char digest[EVP_MAX_MD_SIZE];
		EVP_MD_CTX *c = EVP_MD_CTX_new();
		must(EVP_DigestInit_ex(c, EVP_sha256(), NULL), "SHA-256");
		for (size_t at = 0; at < body.n; at += PIECE) {
			struct str piece = str_slice(body, at, at + PIECE);
			EVP_DigestUpdate(c, piece.p, piece.n);
		}
		EVP_DigestFinal_ex(c, digest, NULL);
		EVP_MD_CTX_free(c);
		bytes += body.n;
		took = rounds_cpu_s() - start;
	} while (took < slice_s);
	return (double)bytes / took / 1e6;
}

static void bodies_measure(void)
{
	auto_buf struct buf body;

	buf_init(&body, BODY_LARGE + 4096);
	printf("body hashing, %u MiB in pieces of 64 KiB, MB per second of processor time, medians of %d rounds\n"
	       "  %-14s %9s %9s %9s %9s %9s\n", BODY_LARGE >> 20, ROUNDS, "", "OpenSSL", "simple", "share", "relaxed", "share");
	for (enum text kind = BASE64; kind <= INDENTED; kind++) {
		double bare[ROUNDS], simple[ROUNDS], relaxed[ROUNDS], simple_share[ROUNDS], relaxed_share[ROUNDS];
		body_fill(&body, kind, BODY_LARGE);
		for (int i = 0; i < ROUNDS; i++) {
			simple[i] = ours_mb_s(buf_view(&body), false, 0);
			bare[i] = openssl_mb_s(buf_view(&body), 0);
			relaxed[i] = ours_mb_s(buf_view(&body), true, 0);
			simple_share[i] = simple[i] / bare[i];
			relaxed_share[i] = relaxed[i] / bare[i];
		}
		printf("  %-14s %9.0f %9.0f %8.0f%% %9.0f %8.0f%%\n", text_names[kind], rounds_median(bare), rounds_median(simple),
		       100 * rounds_median(simple_share), rounds_median(relaxed), 100 * rounds_median(relaxed_share));
	}
}

/* --- small mail --- */

struct small {
	struct buf message;      /* signed */
	size_t body_at;
	struct resolver *r;
	struct dkim_keys *keys;
	struct arena arena;
	EVP_PKEY *key;           /* the peer's copy of the public key */
	struct buf signed_text;  /* the peer's bytes: canonical header, canonical body, signature */
	struct buf canonical;
	struct buf signature;
};

static const char header[] =
	"Received: from mx.example.org (mx.example.org [192.0.2.25]) by gate.example.net\r\n"
	"\twith ESMTPS id 4f3kq2; Sun, 22 Nov 2026 04:10:11 +0000\r\n"
	"From: Joe Miller <joe@example.org>\r\nTo: anna@example.net\r\nSubject: The report for the third quarter\r\n"
	"Date: Sun, 22 Nov 2026 04:10:09 +0000\r\nMessage-ID: <20261122041009.4f3kq2@example.org>\r\n"
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	"References: <a.1@example.net>\r\n <b.2@example.org>\r\nX-Mailer: a program 1.2\r\n";

static void message_sign(struct small *s, EVP_PKEY *key)
{
	auto_buf struct buf body, field;
	struct wall now = {.us = 1795320609 * USEC_S};
	struct err err;
	char *pem;
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	long n = BIO_get_mem_data(bio, &pem);
	struct dkim_signer signer = {.domain = STR("example.org"), .selector = STR("s1"),
	                             .key = dkim_private_key_parse((struct str){pem, (size_t)n}, &err)};
	BIO_free(bio);
	buf_init(&body, 2 * BODY_SMALL);
	buf_init(&field, 4096);
	body_fill(&body, PROSE, BODY_SMALL);
	struct dkim_bodies *bodies = dkim_bodies_new();
	struct dkim_signing *signing = dkim_sign_new(&s->arena, &signer, 1, now, str_from(header), bodies, &err);
	must(signing != NULL, "dkim_sign_new");
	dkim_bodies_push(bodies, buf_view(&body));
	dkim_bodies_finish(bodies);
	must(dkim_sign_finish(signing, bodies, &field, &err), "dkim_sign_finish");
	buf_str(&s->message, buf_view(&field));
	buf_str(&s->message, str_from(header));
	buf_str(&s->message, STR("\r\n"));
	s->body_at = s->message.n;
	buf_str(&s->message, buf_view(&body));
	buf_str(&s->canonical, buf_view(&body));
	dkim_sign_done(signing);
	dkim_bodies_free(bodies);
	dkim_private_key_free(signer.key);
}

static void key_publish(struct small *s, EVP_PKEY *key)
{
	static struct dns_conf conf;
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	char text[1024], script[2048];
	struct err err;

	must(n > 0 && n < 512, "i2d_PUBKEY");
	EVP_EncodeBlock((unsigned char *)text, der, n);
	const unsigned char *p = der;
	s->key = d2i_PUBKEY(NULL, &p, n);
	OPENSSL_free(der);
	snprintf(script, sizeof script, "[[\"s1._domainkey.example.org\",\"TXT\",\"v=DKIM1; k=rsa; p=%s\",{\"ttl\":86400}]]", text);
	conf_rows_default(dns_conf_rows, &conf, sizeof conf);
	s->r = resolver_open_script(&conf, str_from(script), &err);
	must(s->r && s->key, "the key record");
}

/* One mail, from its bytes to the verdict. `captured`: the text that was hashed and the signature, for the peer. */
WAITS static void mail_verify(struct small *s, struct dkim_keys *keys, bool captures)
{
	struct dkim_options options = {.now = {.us = 1795320700 * USEC_S}};
	struct str text = buf_view(&s->message);
	auto_arena struct arena arena;
	struct err err;

	arena_init(&arena, 1 << 20);
	struct dkim_bodies *bodies = dkim_bodies_new();
	struct dkim_check *c = dkim_check_new(&arena, &options, str_slice(text, 0, s->body_at), bodies);
	dkim_bodies_push(bodies, str_skip(text, s->body_at));
	dkim_bodies_finish(bodies);
	must(dkim_check_finish(c, bodies, s->r, keys, &err) && c->verdict == DKIM_PASS, "verification");
	if (captures) {
		buf_str(&s->signed_text, str_slice(buf_view(&c->fields.scratch), 0, c->fields.scratch.n - 2));
		buf_str(&s->signature, c->pending[0].signature.signature);
	}
	dkim_check_done(c);
	dkim_bodies_free(bodies);
}

WAITS static void once_cached(struct small *s)
{
	mail_verify(s, s->keys, false);
}

WAITS static void once_uncached(struct small *s)
{
	struct dkim_keys *keys = dkim_keys_new(10);

	mail_verify(s, keys, false);
	dkim_keys_free(keys);
}

/* The measure: EVP_DigestVerify over the header's bytes, SHA-256 over the body's, the key parsed long ago. */
WAITS static void once_openssl(struct small *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, s->key) == 1 &&
	          EVP_DigestVerify(c, (unsigned char *)s->signature.p, s->signature.n, (unsigned char *)s->signed_text.p,
	                           s->signed_text.n) == 1;

	EVP_MD_CTX_free(c);
	must(ok && EVP_Digest(s->canonical.p, s->canonical.n, digest, NULL, EVP_sha256(), NULL) == 1, "OpenSSL");
}

WAITS static double microseconds(struct small *s, WAITS void (*once)(struct small *))
{
	double start = rounds_cpu_s(), took;
	unsigned long n = 0;

	do {
		for (int i = 0; i < 50; i++, n++)
			once(s);
		took = rounds_cpu_s() - start;
	} while (took < SLICE_S);
	return took / (double)n * 1e6;
}

WAITS static void small_measure(struct small *s)
{
	double cached[ROUNDS], uncached[ROUNDS], bare[ROUNDS], ratio[ROUNDS], ratio_uncached[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		cached[i] = microseconds(s, once_cached);
		bare[i] = microseconds(s, once_openssl);
		uncached[i] = microseconds(s, once_uncached);
		ratio[i] = cached[i] / bare[i];
		ratio_uncached[i] = uncached[i] / bare[i];
	}
	printf("verification of one mail: header %zu bytes, body %zu, RSA-2048, relaxed/relaxed; microseconds of processor time\n"
	       "  %-38s %7.1f\n  %-38s %7.1f  %.2f times\n  %-38s %7.1f  %.2f times\n",
	       s->body_at, s->message.n - s->body_at, "EVP_DigestVerify + SHA-256 of the body", rounds_median(bare),
	       "ours, key cached", rounds_median(cached), rounds_median(ratio), "ours, key parsed each time",
	       rounds_median(uncached), rounds_median(ratio_uncached));
}

WAITS static void in_fiber(void *arg)
{
	struct small *s = mem_new(struct small);
	EVP_PKEY *key = EVP_RSA_gen(2048);

	buf_init(&s->message, 65536);
	buf_init(&s->canonical, 65536);
	buf_init(&s->signed_text, 65536);
	buf_init(&s->signature, 1024);
	arena_init(&s->arena, 4 << 20);
	s->keys = dkim_keys_new(100);
	message_sign(s, key);
	key_publish(s, key);
	EVP_PKEY_free(key);
	mail_verify(s, s->keys, true);
	small_measure(s);
	bodies_measure();
	resolver_close(s->r);
	dkim_keys_free(s->keys);
	EVP_PKEY_free(s->key);
	arena_done(&s->arena);
	buf_done(&s->message);
	buf_done(&s->canonical);
	buf_done(&s->signed_text);
	buf_done(&s->signature);
	free(s);
}

int main(void)
{
	struct rt_options options = {.stack_size = 512 << 10};
	struct err err;

	return rt_run(&options, in_fiber, NULL, &err) ? EXIT_SUCCESS : EXIT_FAILURE;
}
