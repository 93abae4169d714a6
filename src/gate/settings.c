/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a configuration ready for sessions. */
#include "gate/settings.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static struct str machine_name(struct arena *arena)
{
	char name[256] = "";
	if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
		return STR("localhost");
	return arena_str(arena, str_from(name));
}

/* RFC 5321 4.1.1.1; keywords of RFC 2920, 1870, 3207, 2034, 6152, 3461, 6531, 3030, 9422. */
static struct str ehlo_reply(struct settings *set, bool offers_tls)
{
	const struct gate_conf *conf = set->conf;
	return arena_printf(&set->arena,
	                    "250-%.*s\r\n"
	                    "250-PIPELINING\r\n"
	                    "250-SIZE %lld\r\n"
	                    "%s"
	                    "250-ENHANCEDSTATUSCODES\r\n"
	                    "250-8BITMIME\r\n"
	                    "250-DSN\r\n"
	                    "250-SMTPUTF8\r\n"
	                    "250-CHUNKING\r\n"
	                    "250-LIMITS RCPTMAX=%lld MAILMAX=%lld\r\n"
	                    "250 HELP\r\n",
	                    STR_ARG(set->host), (long long)conf->message_size,
	                    offers_tls ? "250-STARTTLS\r\n" : "", (long long)conf->recipients,
	                    (long long)conf->messages);
}

static bool open_tls(struct settings *set, struct err *err)
{
	const struct gate_conf *conf = set->conf;
	char *certificate = arena_cstr(&set->arena, conf->tls_certificate);
	char *key = arena_cstr(&set->arena, conf->tls_key.n ? conf->tls_key : conf->tls_certificate);
	if (conf->tls_certificate.n)
		set->tls = tls_server_context(certificate, key, err);
	else
		set->tls = tls_self_signed_context(arena_cstr(&set->arena, set->host), err);
	return set->tls != NULL;
}

struct settings *settings_new(const struct gate_conf *conf, const struct gate_deps *deps, struct err *err)
{
	struct settings *set = mem_new(struct settings);
	arena_init(&set->arena, 1 << 20);
	link_init(&set->link);
	set->refs = 1;
	set->conf = conf;
	set->deps = *deps;
	set->host = conf->host.n ? conf->host : machine_name(&set->arena);
	if (!open_tls(set, err)) {
		settings_unref(set);
		return NULL;
	}
	set->banner = arena_printf(&set->arena, "220 %.*s ESMTP Postern\r\n", STR_ARG(set->host));
	set->helo = arena_printf(&set->arena, "250 %.*s\r\n", STR_ARG(set->host));
	set->ehlo_clear = ehlo_reply(set, true);
	set->ehlo_tls = ehlo_reply(set, false);
	return set;
}

struct settings *settings_ref(struct settings *set)
{
	set->refs++;
	return set;
}

void settings_unref(struct settings *set)
{
	if (!set || --set->refs > 0)
		return;
	link_remove(&set->link);
	tls_context_unref(set->tls);
	arena_done(&set->arena);
	free(set);
}
