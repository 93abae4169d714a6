/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates as somebody outside sees them. */
#include "cmd/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"

#define CHAIN_MAX 10

AUTO_DEFINE(x509_store, X509_STORE *, X509_STORE_free);
AUTO_DEFINE(x509_ctx, X509_STORE_CTX *, X509_STORE_CTX_free);

struct chain {
	X509 *leaf;
	STACK_OF(X509) *rest;
};

static void chain_done(struct chain *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->rest, X509_free);
}

static bool wall_of(const ASN1_TIME *at, struct wall *out)
{
	struct tm tm = {0};

	if (!ASN1_TIME_to_tm(at, &tm))
		return false;
	out->us = (int64_t)timegm(&tm) * USEC_S;
	return true;
}

static bool chain_read(const char *path, struct chain *out, struct err *err)
{
	struct chain c = {NULL, sk_X509_new_null()};
	FILE *f = fopen(path, "re");

	if (!f) {
		chain_done(&c);
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	}
	for (int n = 0; n < CHAIN_MAX; n++) {
		X509 *one = PEM_read_X509(f, NULL, NULL, NULL);
		if (!one)
			break;
		if (!c.leaf)
			c.leaf = one;
		else
			sk_X509_push(c.rest, one);
	}
	ERR_clear_error();
	fclose(f);
	if (!c.leaf) {
		chain_done(&c);
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: no certificate in it", path);
	}
	*out = c;
	return true;
}

bool certificate_end(const char *path, struct wall *end)
{
	struct chain c;
	struct err err;

	if (!chain_read(path, &c, &err))
		return false;
	bool ok = wall_of(X509_get0_notAfter(c.leaf), end);
	chain_done(&c);
	return ok;
}

/* Dates are judged apart, with words of their own. */
static void chain_follow(const struct chain *c, struct certificate *out)
{
	AUTO(x509_store) X509_STORE *roots = X509_STORE_new();
	AUTO(x509_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	if (!roots || !ctx || !X509_STORE_set_default_paths(roots) || !X509_STORE_CTX_init(ctx, roots, c->leaf, c->rest))
		return;
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
	out->has_chain = X509_verify_cert(ctx) == 1;
	if (!out->has_chain)
		snprintf(out->chain_trouble, sizeof(out->chain_trouble), "%s",
		         X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	ERR_clear_error();
}

static void dates_narrow(X509 *one, struct certificate *out)
{
	struct wall begin, end;

	if (wall_of(X509_get0_notBefore(one), &begin) && wall_is_before(out->begin, begin))
		out->begin = begin;
	if (wall_of(X509_get0_notAfter(one), &end) && wall_is_before(end, out->end))
		out->end = end;
}

bool certificate_read_file(const char *path, const char *host, struct certificate *out, struct err *err)
{
	struct certificate found = {.end = {INT64_MAX}};
	struct chain c;

	if (!chain_read(path, &c, err))
		return false;
	dates_narrow(c.leaf, &found);
	for (int i = 0; i < sk_X509_num(c.rest); i++)
		dates_narrow(sk_X509_value(c.rest, i), &found);
	X509_NAME_get_text_by_NID(X509_get_subject_name(c.leaf), NID_commonName, found.subject, sizeof(found.subject));
	found.has_name = X509_check_host(c.leaf, host, 0, 0, NULL) == 1;
	chain_follow(&c, &found);
	chain_done(&c);
	*out = found;
	return true;
}
