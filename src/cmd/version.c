/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern version`: what runs here, and on which libraries. */
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unbound.h>
#include <uv.h>

#include "cmd/cmd.h"

int cmd_version(struct cmd *c)
{
	if (c->as_json)
		printf("{\"version\":\"%s\",\"libuv\":\"%s\",\"openssl\":\"%s\",\"unbound\":\"%s\",\"sqlite\":\"%s\"}\n", POSTERN_VERSION,
		       uv_version_string(), OpenSSL_version(OPENSSL_VERSION_STRING), ub_version(), sqlite3_libversion());
	else
		printf("postern %s\nlibuv %s, %s, libunbound %s, SQLite %s\n", POSTERN_VERSION, uv_version_string(),
		       OpenSSL_version(OPENSSL_VERSION), ub_version(), sqlite3_libversion());
	return EXIT_FINE;
}
