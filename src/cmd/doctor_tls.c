/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's certificate: its key, its dates, its name, its chain. */
#include "cmd/certificate.h"
#include "cmd/doctor.h"
#include "rt/tls.h"

#define SOON (14 * USEC_DAY)

static void judge_dates(struct doctor *d, const struct certificate *c)
{
	char at[WALL_FORMAT_MAX], left[32];
	struct str end = wall_rfc3339(c->end, at);

	if (wall_is_before(d->now, c->begin))
		finding_add(&d->found, FINDING_FAULT, "certificate_dates", "look at the clock, or take the certificate before it",
		            "it is not valid yet");
	else if (!wall_is_before(d->now, c->end))
		finding_add(&d->found, FINDING_FAULT, "certificate_dates", "renew it, then postern reload", "it ended on %.*s", STR_ARG(end));
	else if (!wall_is_before(wall_add(d->now, SOON), c->end))
		finding_add(&d->found, FINDING_WARN, "certificate_dates", "renew it, then postern reload; find out why that did not happen by itself",
		            "it ends on %.*s, in %.*s", STR_ARG(end), STR_ARG(duration_text(wall_diff(c->end, d->now), left)));
	else
		finding_add(&d->found, FINDING_PASS, "certificate_dates", NULL, "valid until %.*s", STR_ARG(end));
}

/* Senders encrypt without looking; those with MTA-STS or a policy of their own do look. */
static void judge_chain(struct doctor *d, const struct certificate *c)
{
	if (c->has_name)
		finding_add(&d->found, FINDING_PASS, "certificate_name", NULL, "it is for %.*s", STR_ARG(d->host));
	else
		finding_add(&d->found, FINDING_WARN, "certificate_name", "let it carry the name that your MX record says",
		            "it is for %s, not for %.*s", c->subject[0] ? c->subject : "another name", STR_ARG(d->host));
	if (c->has_chain)
		finding_add(&d->found, FINDING_PASS, "certificate_chain", NULL, "it leads to a root of this system");
	else
		finding_add(&d->found, FINDING_WARN, "certificate_chain",
		            "put the intermediate certificates behind it (fullchain.pem, not cert.pem); a self-signed one is fine where no sender demands more",
		            "%s", c->chain_trouble[0] ? c->chain_trouble : "it leads to no root of this system");
}

void doctor_tls(struct doctor *d)
{
	struct certificate found;
	struct err err;

	if (d->gate->tls_certificate.n == 0) {
		finding_add(&d->found, FINDING_WARN, "certificate", "set gate.tls_certificate and gate.tls_key; certbot or acme.sh make them",
		            "there is none: a self-signed one is made at each start");
		return;
	}
	const char *path = arena_cstr(d->cmd->arena, d->gate->tls_certificate);
	struct tls_context *tls = tls_server_context(path, arena_cstr(d->cmd->arena, d->gate->tls_key), &err);
	if (tls)
		finding_add(&d->found, FINDING_PASS, "certificate", NULL, "%s and its key belong together", path);
	else
		finding_add(&d->found, FINDING_FAULT, "certificate", "name the chain and the key that was made with it", "%s", err.text);
	tls_context_unref(tls);
	if (!certificate_read_file(path, arena_cstr(d->cmd->arena, d->host), &found, &err)) {
		finding_add(&d->found, FINDING_FAULT, "certificate_dates", NULL, "%s", err.text);
		return;
	}
	judge_dates(d, &found);
	judge_chain(d, &found);
}
