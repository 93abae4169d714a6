/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS contexts: one for each listener (certificate, key) and one for the client side. Shared by reference. */
#pragma once

#include "base/err.h"

struct tls_context;
/* Files in PEM; TLS 1.2 at least; tickets bound to this context. */
struct tls_context *tls_server_context(const char *certificate_file, const char *key_file, struct err *err);
struct tls_context *tls_client_context(struct err *err); /* opportunistic: no verification */
/* A self-signed certificate made in memory (EC P-256), for first starts, the lab and tests. */
struct tls_context *tls_self_signed_context(const char *host, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *tls);
void tls_context_unref(struct tls_context *tls); /* accepts NULL */
