/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS contexts: certificates, versions, tickets. */
#include "rt/tls_inside.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

const char *tls_reason(void)
{
	unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	ERR_clear_error();
	return reason;
}

static bool fail(struct err *err, const char *what, const char *which)
{
	const char *reason = tls_reason();
	return err_perm(err, CAUSE_TLS_POLICY, "%s%s%s: %s", what, which ? " " : "",
			which ? which : "", reason ? reason : "unknown TLS error");
}

static struct tls_context *context_new(const SSL_METHOD *method, struct err *err)
{
	ERR_clear_error();
	SSL_CTX *ssl = SSL_CTX_new(method);
	if (!ssl) {
		fail(err, "TLS", NULL);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* An idle connection keeps no record buffers; a partial write gives the fiber's turn back.
	 */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ssl, 1); /* header and body of a record in one read */
	struct tls_context *tls = mem_new(struct tls_context);
	tls->ssl = ssl;
	tls->count = 1;
	return tls;
}

/* Ticket keys are the context's own; the id binds sessions to it, so that what one listener issued
 * is not honoured by another. */
static struct tls_context *server_new(struct err *err)
{
	unsigned char id[16];
	struct tls_context *tls = context_new(TLS_server_method(), err);
	if (!tls)
		return NULL;
	random_secret(id, sizeof(id));
	SSL_CTX_set_session_id_context(tls->ssl, id, sizeof(id));
	SSL_CTX_set_session_cache_mode(tls->ssl,
				       SSL_SESS_CACHE_OFF); /* tickets keep no memory here */
	SSL_CTX_set_num_tickets(tls->ssl, 1);
	SSL_CTX_set_options(tls->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_dh_auto(tls->ssl, 1);
	return tls;
}

struct tls_context *tls_server_context(const char *certificate_file, const char *key_file,
				       struct err *err)
{
	struct tls_context *tls = server_new(err);
	if (!tls)
		return NULL;
	bool ok = true;
	if (SSL_CTX_use_certificate_chain_file(tls->ssl, certificate_file) != 1)
		ok = fail(err, "certificate", certificate_file);
	else if (SSL_CTX_use_PrivateKey_file(tls->ssl, key_file, SSL_FILETYPE_PEM) != 1)
		ok = fail(err, "key", key_file);
	else if (SSL_CTX_check_private_key(tls->ssl) != 1)
		ok = fail(err, "certificate and key do not match:", key_file);
	if (ok)
		return tls;
	tls_context_unref(tls);
	return NULL;
}

/* Level 1: an old server's weak key is still better than the clear text that would follow a
 * refusal. */
struct tls_context *tls_client_context(struct err *err)
{
	struct tls_context *tls = context_new(TLS_client_method(), err);
	if (!tls)
		return NULL;
	SSL_CTX_set_security_level(tls->ssl, 1);
	SSL_CTX_set_verify(tls->ssl, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls->ssl, SSL_SESS_CACHE_OFF);
	return tls;
}

/* --- self-signed --- */

static bool add_name(X509 *cert, struct str host)
{
	X509_NAME *name = X509_get_subject_name(cert);
	/* ub-common-name (RFC 5280 A.1) */
	struct str cn = str_slice(host, 0, 64);
	if (!X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn.p,
					(int)cn.n, -1, 0))
		return false;
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *san = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	assert(names && san && text);
	ASN1_STRING_set(text, host.p, (int)host.n);
	GENERAL_NAME_set0_value(san, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, san);
	bool ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok && X509_set_issuer_name(cert, name) == 1;
}

static X509 *self_signed(EVP_PKEY *key, const char *host)
{
	uint64_t serial;
	X509 *cert = X509_new();
	if (!cert)
		return NULL;
	random_secret(&serial, sizeof(serial));
	bool ok = X509_set_version(cert, X509_VERSION_3) == 1 &&
		  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -24L * 3600) &&
		  X509_time_adj_ex(X509_getm_notAfter(cert), 3650, 0, NULL) &&
		  X509_set_pubkey(cert, key) == 1 && add_name(cert, str_from(host)) &&
		  X509_sign(cert, key, EVP_sha256()) > 0;
	if (ok)
		return cert;
	X509_free(cert);
	return NULL;
}

struct tls_context *tls_self_signed_context(const char *host, struct err *err)
{
	struct tls_context *tls = server_new(err);
	if (!tls)
		return NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? self_signed(key, host) : NULL;
	bool ok = cert && SSL_CTX_use_certificate(tls->ssl, cert) == 1 &&
		  SSL_CTX_use_PrivateKey(tls->ssl, key) == 1;
	X509_free(cert);
	EVP_PKEY_free(key);
	if (ok)
		return tls;
	fail(err, "self-signed certificate for", host);
	tls_context_unref(tls);
	return NULL;
}

/* --- references --- */

struct tls_context *tls_context_ref(struct tls_context *tls)
{
	assert(tls->count > 0);
	tls->count++;
	return tls;
}

void tls_context_unref(struct tls_context *tls)
{
	if (!tls || --tls->count > 0)
		return;
	SSL_CTX_free(tls->ssl);
	free(tls);
}
