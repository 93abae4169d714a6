/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of `explain --check` that talk to mail servers: is somebody there, and does it know the sender? */
#include "base/auto.h"
#include "client/smtp_client.h"
#include "cmd/explain_check.h"

#define HOSTS_TRIED  3
#define CONNECT_WAIT (10 * USEC_S)

struct dialled {
	const struct mx_host *host; /* NULL: none has an address */
	enum client_open outcome;
	int code;
	struct str words, tls;      /* tls: empty: in clear */
	bool tls_is_broken;
};

WAITS static bool dial_one(const struct check_world *w, const struct mx_host *host, struct dialled *d)
{
	struct smtp_client_conf conf = {.helo = w->host, .use_tls = true, .tls = w->alone->tls, .connect = CONNECT_WAIT};
	struct smtp_client *c = arena_new(w->arena, struct smtp_client);
	struct reply said;
	struct err err;

	bool ok = smtp_client_open(c, &conf, host->name, host->ips[0], w->mx.port, &d->outcome, &said, &err);
	if (ok) {
		auto_buf struct buf words = {.max = 512};
		buf_escaped(&words, str_slice(said.text, 0, 120));
		d->host = host;
		d->code = said.code;
		d->words = arena_str(w->arena, buf_view(&words));
		d->tls_is_broken = c->tls_failed;
		if (d->outcome == CLIENT_READY)
			d->tls = arena_str(w->arena, stream_tls_text(c->stream));
	}
	smtp_client_close(c);
	return ok;
}

/* The first host that answers settles it; a domain with a dead host beside a live one is reachable. */
WAITS static bool dial(const struct check_world *w, const struct mx_list *list, struct dialled *d)
{
	*d = (struct dialled){0};
	for (size_t i = 0; i < list->n && i < HOSTS_TRIED; i++) {
		if (list->hosts[i].n_ips == 0)
			continue;
		if (!dial_one(w, &list->hosts[i], d))
			return d->host != NULL;
		if (d->outcome != CLIENT_UNREACHABLE)
			return true;
	}
	return d->host != NULL;
}

static void say_dialled(const struct check_world *w, const struct dialled *d, struct explain_check *k)
{
	struct str name = d->host->name;

	k->subject = name;
	switch (d->outcome) {
	case CLIENT_READY:
		if (d->tls_is_broken)
			check_set(w, k, STATE_FAIL, "%.*s answers on port %u, but its encryption is broken", STR_ARG(name), w->mx.port);
		else
			check_set(w, k, STATE_PASS, "%.*s answers on port %u %s%.*s", STR_ARG(name), w->mx.port,
			          d->tls.n ? "with " : "without encryption", STR_ARG(d->tls));
		return;
	case CLIENT_UNREACHABLE:
		check_set(w, k, STATE_FAIL, "%.*s cannot be reached on port %u from here: %.*s", STR_ARG(name), w->mx.port, STR_ARG(d->words));
		return;
	case CLIENT_REFUSED_TEMP:
	case CLIENT_REFUSED_PERM:
		check_set(w, k, STATE_UNKNOWN, "%.*s answers, but will not talk to this host: %d %.*s", STR_ARG(name), d->code, STR_ARG(d->words));
		return;
	case CLIENT_NONSENSE:
	case CLIENT_NO_TLS:
		check_set(w, k, STATE_FAIL, "what answers at %.*s on port %u does not talk SMTP", STR_ARG(name), w->mx.port);
		return;
	}
}

/* False: the check is over, and says why. */
WAITS static bool reach(const struct check_world *w, struct str domain, const char *whose, const char *option, struct explain_check *k)
{
	struct mx_list list = {0};
	struct dialled d;
	struct err err;

	k->subject = domain;
	if (domain.n == 0) {
		check_set(w, k, STATE_UNKNOWN, "the %s domain is not known from this text", whose);
		check_fix(w, k, "Give it: %s", option);
		return false;
	}
	if (!mx_find(w->alone->resolver, &w->mx, domain, w->arena, &list, &err))
		return false;
	if (list.outcome != MX_FOUND) {
		check_set(w, k, list.outcome == MX_TEMPORARY ? STATE_UNKNOWN : STATE_FAIL, "%.*s has no mail server that could be asked%s%.*s",
		          STR_ARG(domain), list.why.n ? ": " : "", STR_ARG(list.why));
		return false;
	}
	if (!dial(w, &list, &d)) {
		check_set(w, k, STATE_UNKNOWN, "the mail servers of %.*s could not be tried", STR_ARG(domain));
		return false;
	}
	say_dialled(w, &d, k);
	return true;
}

void check_sender_mx(const struct check_world *w, struct explain_check *k)
{
	reach(w, w->facts->sender_domain, "sender's", "--from ADDRESS", k);
	if (k->state == STATE_FAIL)
		check_fix(w, k, "See that %.*s can be reached on port 25 from outside: firewall, address record, is it running?", STR_ARG(k->subject));
}

void check_rcpt_mx(const struct check_world *w, struct explain_check *k)
{
	reach(w, w->facts->recipient_domain, "recipient's", "--to ADDRESS", k);
	if (k->state == STATE_FAIL)
		check_fix(w, k, "Try another host on port 25: if none answers, something between you and the world blocks it; if only %.*s does not, "
		                "it is theirs.", STR_ARG(k->subject));
}

/* --- what a verifying server would learn about the sender --- */

static void say_exists(const struct check_world *w, const struct verify_answer *a, struct explain_check *k)
{
	if (a->null_refused) {
		check_set(w, k, STATE_FAIL, "%s knows %.*s, but refuses MAIL FROM:<>", a->host, STR_ARG(k->subject));
		check_fix(w, k, "Let the mail server of %.*s accept MAIL FROM:<> (RFC 5321 4.5.5): bounces and call-outs come with it.",
		          STR_ARG(w->facts->sender_domain));
	} else {
		check_set(w, k, STATE_PASS, "%s accepts MAIL FROM:<> and %s %.*s", a->host,
		          a->verdict == VERIFY_CATCH_ALL ? "takes any address, so also" : "knows", STR_ARG(k->subject));
	}
}

static void say_trouble(const struct check_world *w, const struct verify_answer *a, struct explain_check *k)
{
	bool is_dead = a->class == VERIFY_CLASS_NO_ANSWER && a->dns == VERIFY_DNS_OK && a->cause == CAUSE_NETWORK;

	if (a->dns == VERIFY_DNS_TEMPORARY) {
		check_set(w, k, STATE_UNKNOWN, "the DNS of %.*s did not answer, so nobody was asked", STR_ARG(w->facts->sender_domain));
		return;
	}
	check_set(w, k, is_dead ? STATE_FAIL : STATE_UNKNOWN, "the mail server of %.*s %s%s%s", STR_ARG(w->facts->sender_domain),
	          a->verdict == VERIFY_BLOCKED ? "refuses to talk to this host" : is_dead ? "does not answer" : "does not say just now",
	          a->said[0] ? ": " : "", a->said);
	if (is_dead)
		check_fix(w, k, "See that the MX of %.*s can be reached on port 25 from outside and answers within 30 seconds.",
		          STR_ARG(w->facts->sender_domain));
	else
		check_fix(w, k, "Let the MX of %.*s answer strangers' call-outs at once: no greylisting of MAIL FROM:<> to an address that exists.",
		          STR_ARG(w->facts->sender_domain));
}

static void say_answer(const struct check_world *w, const struct verify_answer *a, struct explain_check *k)
{
	switch (a->verdict) {
	case VERIFY_EXISTS:
	case VERIFY_CATCH_ALL:
		say_exists(w, a, k);
		return;
	case VERIFY_ABSENT:
		if (a->dns != VERIFY_DNS_OK)
			check_set(w, k, STATE_FAIL, "%.*s has no mail server that could know the sender", STR_ARG(w->facts->sender_domain));
		else
			check_set(w, k, STATE_FAIL, "%s does not know %.*s: %s", a->host, STR_ARG(k->subject), a->said);
		check_fix(w, k, "Create the mailbox or alias %.*s, or send from an address that exists.", STR_ARG(k->subject));
		return;
	case VERIFY_BLOCKED:
	case VERIFY_TEMPORARY:
		say_trouble(w, a, k);
		return;
	case VERIFY_UNVERIFIABLE:
	case VERIFY_SKIPPED:
		check_set(w, k, STATE_UNKNOWN, "the mail server of %.*s does not tell anybody which addresses exist", STR_ARG(w->facts->sender_domain));
		return;
	}
}

void check_callout(const struct check_world *w, struct explain_check *k)
{
	struct verify_answer *answer = arena_new(w->arena, struct verify_answer);
	struct evidence nobody = {0};
	struct address address;
	struct err err;

	k->subject = w->facts->sender;
	if (w->facts->sender.n == 0) {
		check_set(w, k, STATE_UNKNOWN, "the sender's address is not known from this text");
		check_fix(w, k, "Give it: --from ADDRESS");
	} else if (!address_parse(w->arena, w->facts->sender, true, &address, &err)) {
		check_set(w, k, STATE_FAIL, "%.*s: %s", STR_ARG(w->facts->sender), err.text);
		check_fix(w, k, "Send from an address that is written rightly.");
	} else if (verify_address(w->alone->verify, &address, &nobody, answer, &err)) {
		say_answer(w, answer, k);
	}
}
