/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A buffered connection: TCP or Unix socket, TLS inside, or a pipe in memory (fake backend and tests).
 *
 * Errors are sticky: after a failure every later call fails at once with the same error, so a
 * conversation tests where it finishes. They have a direction. After a failed read (time-out, end of
 * input, cancellation) no further read succeeds, lest replies shift, but output still goes out, so
 * that a reply or "421" can be said. After a failed write or TLS handshake nothing works.
 *
 * Output is tried before it is waited for: what fits into the socket leaves even a cancelled or late
 * fiber. Reading flushes pending output first ("flush before you block on input"), which makes server
 * pipelining one line. One fiber reads and one writes (the same, as a rule). Buffers exist only while
 * they hold something, so an idle connection costs no buffer memory.
 */
#pragma once

#include "base/buf.h"
#include "base/conf_row.h"
#include "base/ip.h"
#include "rt/rt.h"

struct stream;
struct tls_context; /* rt/tls.h */

struct dial {
	struct ip ip;            /* family 0: `path` is a Unix socket */
	uint16_t port;
	struct ip source;        /* family 0: any */
	const char *path;
	const char *label;       /* for waits: "connect to mx1.example" */
};
/* The deadline in force bounds the connect. Failure: CAUSE_NETWORK, temporary, text names the cause
 * ("connection refused", "no route", "timed out"). */
WAITS struct stream *stream_dial(const struct dial *dial, struct err *err);
/* Takes a connected, non-blocking descriptor. Real backend only. */
struct stream *stream_take_fd(int fd);
/* Two ends of one connection in memory. */
void stream_pair(struct stream *out[2]);
/* Closes at once without waiting; unsent output is lost. Accepts NULL. */
void stream_close(struct stream *s);

struct ip stream_peer(const struct stream *s, uint16_t *port);
struct ip stream_local(const struct stream *s, uint16_t *port);
void stream_set_peer(struct stream *s, struct ip ip, uint16_t port); /* after a PROXY header */
/* What waits on this stream are labelled with ("RCPT at mx1.example"). Borrowed. */
void stream_label(struct stream *s, const char *label);

/* --- output --- */
/* Queues; waits only when more than 64 KiB are pending. Errors are sticky and met by flush or read. */
WAITS void stream_write(struct stream *s, struct str bytes);
/* For lines: at most 16 KiB each (asserted); bodies go by stream_write. */
WAITS void stream_printf(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
WAITS bool stream_flush(struct stream *s, struct err *err);

/* --- input --- */
/* What has been read and not consumed; valid until the next call that reads. */
struct str stream_buffered(const struct stream *s);
void stream_consume(struct stream *s, size_t n);
/* Flushes output, then reads until at least one more byte is buffered. At the end of input fails with
 * ERR_CLOSED. The buffer holds at most 64 KiB: with that much unconsumed it fails with CAUSE_PROTOCOL. */
WAITS bool stream_fill(struct stream *s, struct err *err);
/* True if input is waiting (buffered, or readable without waiting): talking before the banner. */
bool stream_has_input(struct stream *s);
/* True if the peer has ended its output and all that it sent is consumed, as far as the loop has seen: nobody waits for
 * an answer. Does not wait; what has come meanwhile is buffered. Costs nothing while nothing has come. */
bool stream_peer_has_left(struct stream *s);
/* One line up to LF, consumed; *line excludes LF and one CR before it, *has_crlf tells which it was
 * (may be NULL). Longer than max: the whole line is consumed (bounded by 64 × max, then it fails), the
 * result is true with *is_too_long set and an empty line. max is at most 64 KiB - 2. At the end of input
 * without LF it fails with ERR_CLOSED. The line is valid until the next read. */
WAITS bool stream_read_line(struct stream *s, size_t max, struct str *line, bool *has_crlf,
                            bool *is_too_long, struct err *err);
WAITS bool stream_read_exact(struct stream *s, void *out, size_t n, struct err *err);
/* Throws away what is buffered: STARTTLS (RFC 3207 4.2). Returns the number of bytes. */
size_t stream_discard_input(struct stream *s);

/* --- TLS --- */
/* After these, all bytes are inside TLS. A failed handshake leaves the stream in its sticky error. */
WAITS bool stream_tls_accept(struct stream *s, struct tls_context *tls, struct err *err);
/* `host` for SNI, may be NULL. No certificate is required (opportunistic). */
WAITS bool stream_tls_connect(struct stream *s, struct tls_context *tls, const char *host, struct err *err);
bool stream_has_tls(const struct stream *s);
/* "TLS1.3 TLS_AES_256_GCM_SHA384"; empty without TLS. */
struct str stream_tls_text(const struct stream *s);
/* Sends close_notify if that needs no wait. */
void stream_tls_bye(struct stream *s);

/* --- listening --- */
struct listener;
struct listener *listener_open(const struct conf_addr *at, struct err *err);
struct listener *listener_take_fd(int fd);       /* systemd activation, hand-over; NULL: logged */
/* One fiber for each listener. Out of descriptors: logs, shows one client out, goes on after 100 ms. */
WAITS struct stream *listener_accept(struct listener *l, struct err *err);
int listener_fd(const struct listener *l);
/* The real port, where 0 was asked for. */
void listener_addr(const struct listener *l, struct ip *ip, uint16_t *port);
/* A Unix socket that this process has bound, and removes when it closes the listener. */
bool listener_is_made_here(const struct listener *l);
void listener_leave_path(struct listener *l);    /* does not remove it: another process goes on listening */
void listener_close(struct listener *l);         /* a fiber in listener_accept gets ERR_CLOSED */

/* --- the fake network --- */
/* In the fake backend listener_open and stream_dial meet in memory by address and port; a dial to an
 * address nobody listens on is refused. Faults for scripts: */
enum fake_fault { FAKE_OK, FAKE_REFUSE, FAKE_SILENT /* connect never ends */ };
void fake_net_fault(struct ip ip, uint16_t port, enum fake_fault fault);
