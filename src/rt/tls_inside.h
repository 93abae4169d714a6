/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a TLS context, for stream_tls.c. */
#pragma once

#include "rt/tls.h"

#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl;
	unsigned count;
};

/* The reason of the oldest error in this thread's queue, which is emptied; NULL: there was none. */
const char *tls_reason(void);
