/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS inside a stream. OpenSSL reads and writes through a BIO of ours that calls the stream's
 * transport, so that TLS works alike over sockets and in memory, and one place counts edges.
 *
 * OpenSSL's errors are a queue for each thread, shared by all fibers: it is emptied before each
 * call, and read before anything else can run.
 */
#include "rt/stream_inside.h"

#include "base/mem.h"
#include "rt/runtime.h"
#include "rt/tls_inside.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

/* Of raw input for one step. A record has 16 KiB and a chain of certificates 100 KiB at most; who
 * sends more without saying anything (endless key updates) wants our time. */
#define STEP_BUDGET ((size_t)256 * 1024)

struct stream_tls {
	SSL *ssl;
	struct tls_context *context;
	size_t budget;	/* raw bytes that the present step may still read */
	bool is_broken; /* after a fatal error nothing more may be said, not even goodbye */
	char text[80];
};

/* --- the BIO --- */

static int bio_result(BIO *bio, ssize_t got, int direction)
{
	BIO_clear_retry_flags(bio);
	if (got < 0 && errno == EAGAIN) {
		if (direction == IO_IN)
			BIO_set_retry_read(bio);
		else
			BIO_set_retry_write(bio);
	}
	return (int)got;
}

static int bio_read(BIO *bio, char *out, int n)
{
	struct stream *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (s->tls->budget == 0) {
		errno = EMSGSIZE;
		return -1;
	}
	size_t most = (size_t)n < s->tls->budget ? (size_t)n : s->tls->budget;
	ssize_t got = s->transport->read(s, out, most);
	s->tls->budget -= got > 0 ? (size_t)got : 0;
	return bio_result(bio, got, IO_IN);
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
	struct stream *s = BIO_get_data(bio);
	return bio_result(bio, s->transport->write(s, bytes, (size_t)n), IO_OUT);
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
	return command == BIO_CTRL_FLUSH;
}

static BIO *bio_new(struct stream *s)
{
	static BIO_METHOD *method;
	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern stream");
		assert(method);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	BIO *bio = BIO_new(method);
	assert(bio);
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- one step --- */

static enum io result(struct stream *s, int rc, const char *what, int *wants, struct err *err)
{
	int number = errno;
	switch (SSL_get_error(s->tls->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*wants = IO_IN;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*wants = IO_OUT;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_END;
	case SSL_ERROR_SYSCALL:
		s->tls->is_broken = true;
		err_kind(err, ERR_CLOSED, CAUSE_NETWORK, "%s: %s", what,
			 number ? strerrordesc_np(number) : "connection closed by the peer");
		return IO_ERROR;
	default:
		break;
	}
	s->tls->is_broken = true;
	/* Gone without close_notify: common, and SMTP's own framing tells what is complete. */
	bool is_closed = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	const char *reason = tls_reason();
	if (is_closed)
		err_kind(err, ERR_CLOSED, CAUSE_NETWORK, "%s: connection closed by the peer", what);
	else
		err_temp(err, CAUSE_TLS_POLICY, "%s: %s", what,
			 reason ? reason : "unknown TLS error");
	return IO_ERROR;
}

static void prepare(struct stream_tls *t)
{
	t->budget = STEP_BUDGET;
	ERR_clear_error();
	errno = 0;
}

static int clamp(size_t n)
{
	return n < INT32_MAX ? (int)n : INT32_MAX;
}

enum io tls_read(struct stream *s, void *out, size_t *n, int *wants, struct err *err)
{
	prepare(s->tls);
	int got = SSL_read(s->tls->ssl, out, clamp(*n));
	if (got <= 0)
		return result(s, got, "TLS read", wants, err);
	*n = (size_t)got;
	return IO_DONE;
}

enum io tls_write(struct stream *s, const void *bytes, size_t *n, int *wants, struct err *err)
{
	prepare(s->tls);
	int got = SSL_write(s->tls->ssl, bytes, clamp(*n));
	if (got <= 0) {
		enum io io = result(s, got, "TLS write", wants, err);
		if (io == IO_END)
			err_kind(err, ERR_CLOSED, CAUSE_NETWORK, "connection closed by the peer");
		return io;
	}
	*n = (size_t)got;
	return IO_DONE;
}

bool tls_has_input(struct stream *s)
{
	return SSL_has_pending(s->tls->ssl) || s->transport->has_input(s);
}

void tls_free(struct stream *s)
{
	if (!s->tls)
		return;
	SSL_free(s->tls->ssl);
	tls_context_unref(s->tls->context);
	free(s->tls);
	s->tls = NULL;
}

/* --- the handshake --- */

static void describe(struct stream_tls *t)
{
	struct str version = str_from(SSL_get_version(t->ssl));
	if (str_starts(version, STR("TLSv")))
		version = str_skip(version, 4);
	snprintf(t->text, sizeof(t->text), "TLS%.*s %s", STR_ARG(version),
		 SSL_get_cipher_name(t->ssl));
}

WAITS static bool handshake(struct stream *s, struct err *err)
{
	for (;;) {
		int wants = 0;
		if (!fiber_may_wait(err))
			return false;
		prepare(s->tls);
		int rc = SSL_do_handshake(s->tls->ssl);
		if (rc == 1)
			return true;
		enum io io = result(s, rc, "TLS handshake", &wants, err);
		if (io == IO_END)
			return err_kind(err, ERR_CLOSED, CAUSE_NETWORK,
					"TLS handshake: connection closed by the peer");
		if (io == IO_ERROR || !stream_wait(s, SIDE_READ, wants, "TLS handshake", err))
			return false;
	}
}

WAITS static bool start(struct stream *s, struct tls_context *context, const char *host,
			bool is_server, struct err *err)
{
	if (!stream_flush(s, err))
		return false;
	if (s->in_error) {
		*err = *s->in_error;
		return false;
	}
	assert(!s->tls && "TLS has begun already");
	/* RFC 3207 4.2: what came in clear text before must not be taken for what comes inside. */
	stream_discard_input(s);
	struct stream_tls *t = s->tls = mem_new(struct stream_tls);
	t->context = tls_context_ref(context);
	t->ssl = SSL_new(context->ssl);
	assert(t->ssl);
	BIO *bio = bio_new(s);
	SSL_set_bio(t->ssl, bio, bio);
	if (is_server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	if (host)
		SSL_set_tlsext_host_name(t->ssl, host);
	if (handshake(s, err)) {
		describe(t);
		return true;
	}
	t->is_broken = true;
	stream_out_fail(s, err);
	return false;
}

bool stream_tls_accept(struct stream *s, struct tls_context *tls, struct err *err)
{
	return start(s, tls, NULL, true, err);
}

/* RFC 6066 3: an address is no server name. */
bool stream_tls_connect(struct stream *s, struct tls_context *tls, const char *host,
			struct err *err)
{
	struct ip ip;
	bool is_name = host && host[0] && !ip_parse(str_from(host), &ip);
	return start(s, tls, is_name ? host : NULL, false, err);
}

bool stream_has_tls(const struct stream *s)
{
	return s->tls && s->tls->text[0];
}

struct str stream_tls_text(const struct stream *s)
{
	return s->tls ? str_from(s->tls->text) : STR("");
}

void stream_tls_bye(struct stream *s)
{
	if (!s->tls || s->tls->is_broken || s->out_error || s->out.n > 0)
		return;
	prepare(s->tls);
	SSL_shutdown(s->tls->ssl);
	ERR_clear_error();
}
