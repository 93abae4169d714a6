/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which checks belong to which cause, and running them side by side. */
#include "cmd/explain_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/auto.h"
#include "cmd/asking.h"
#include "cmd/daemon_conf.h"

#define CHECK_WAIT (20 * USEC_S)
#define TEXT_MAX   512

struct check_plan {
	uint8_t id, step; /* step: of cause/advice.c, from 1, that the check takes off the reader's hands */
};

/* In the order in which a fault is likely. What is missing has nothing that could be looked at from here. */
static const struct check_plan plans[CAUSE_COUNT][EXPLAIN_CHECKS_MAX] = {
	[CAUSE_GREYLIST] = {{CHECK_PTR, 0}, {CHECK_HELO, 2}},
	[CAUSE_RATE_LIMIT] = {{CHECK_PTR, 0}, {CHECK_SPF, 0}, {CHECK_DMARC, 0}},
	[CAUSE_REPUTATION] = {{CHECK_PTR, 4}, {CHECK_HELO, 4}, {CHECK_SPF, 4}, {CHECK_DKIM, 4}, {CHECK_DMARC, 4}},
	[CAUSE_OVERLOAD] = {{CHECK_RCPT_MX, 0}},
	[CAUSE_DNS_FAILURE] = {{CHECK_SENDER_DNS, 2}, {CHECK_PTR, 2}, {CHECK_HELO, 2}, {CHECK_SPF, 0}},
	[CAUSE_SENDER_DOMAIN] = {{CHECK_SENDER_DNS, 2}, {CHECK_SENDER_MX, 0}},
	[CAUSE_RCPT_DNS] = {{CHECK_RCPT_DNS, 2}},
	[CAUSE_SENDER_VERIFY] = {{CHECK_SENDER_DNS, 1}, {CHECK_SENDER_MX, 1}, {CHECK_CALLOUT, 2}},
	[CAUSE_RCPT_VERIFY] = {{CHECK_RCPT_MX, 0}},
	[CAUSE_LOCAL_ERROR] = {{CHECK_SENDER_DNS, 2}, {CHECK_CALLOUT, 2}, {CHECK_PTR, 2}, {CHECK_SPF, 2}},
	[CAUSE_NETWORK] = {{CHECK_RCPT_DNS, 0}, {CHECK_RCPT_MX, 2}, {CHECK_PTR, 0}},
	[CAUSE_MAINTENANCE] = {{CHECK_RCPT_MX, 0}},
	[CAUSE_TLS_POLICY] = {{CHECK_RCPT_MX, 2}},
	[CAUSE_NO_MAILBOX] = {{CHECK_RCPT_DNS, 0}},
	[CAUSE_NO_DOMAIN] = {{CHECK_RCPT_DNS, 2}},
	[CAUSE_SENDER_INVALID] = {{CHECK_SENDER_DNS, 0}, {CHECK_CALLOUT, 2}},
	[CAUSE_SENDER_REJECTED] = {{CHECK_CALLOUT, 2}, {CHECK_SENDER_DNS, 0}, {CHECK_SPF, 0}},
	[CAUSE_NO_RDNS] = {{CHECK_PTR, 1}, {CHECK_HELO, 2}},
	[CAUSE_BLOCKLIST] = {{CHECK_LISTED, 1}, {CHECK_PTR, 0}, {CHECK_SPF, 0}},
	[CAUSE_AUTH_POLICY] = {{CHECK_SPF, 1}, {CHECK_DKIM, 1}, {CHECK_DMARC, 0}},
	[CAUSE_SPAM_CONTENT] = {{CHECK_SPF, 0}, {CHECK_DKIM, 0}, {CHECK_DMARC, 0}, {CHECK_PTR, 0}},
	[CAUSE_RELAY_DENIED] = {{CHECK_RCPT_DNS, 2}},
	[CAUSE_POLICY] = {{CHECK_PTR, 0}, {CHECK_HELO, 0}, {CHECK_SPF, 0}, {CHECK_DMARC, 0}},
	[CAUSE_PROTOCOL] = {{CHECK_HELO, 0}},
	[CAUSE_LOOP] = {{CHECK_RCPT_DNS, 0}},
	[CAUSE_EXPIRED] = {{CHECK_RCPT_DNS, 0}, {CHECK_RCPT_MX, 0}},
	[CAUSE_UNKNOWN] = {{CHECK_SENDER_DNS, 0}, {CHECK_PTR, 0}, {CHECK_SPF, 0}, {CHECK_CALLOUT, 0}},
};

static const struct {
	const char *name;
	WAITS void (*run)(const struct check_world *w, struct explain_check *k);
} kinds[CHECK_COUNT] = {
	[CHECK_NONE] = {"none", NULL},
	[CHECK_SENDER_DNS] = {"sender_dns", check_sender_dns},
	[CHECK_SPF] = {"spf", check_spf},
	[CHECK_DKIM] = {"dkim", check_dkim},
	[CHECK_DMARC] = {"dmarc", check_dmarc},
	[CHECK_PTR] = {"ptr", check_ptr},
	[CHECK_HELO] = {"helo", check_helo},
	[CHECK_SENDER_MX] = {"sender_mx", check_sender_mx},
	[CHECK_CALLOUT] = {"callout", check_callout},
	[CHECK_RCPT_DNS] = {"rcpt_dns", check_rcpt_dns},
	[CHECK_RCPT_MX] = {"rcpt_mx", check_rcpt_mx},
	[CHECK_LISTED] = {"listed", check_listed},
};

const char *check_id_name(enum check_id id)
{
	return kinds[id].name;
}

const char *check_state_name(enum check_state state)
{
	return state == STATE_PASS ? "pass" : state == STATE_FAIL ? "fail" : "unknown";
}

const char *check_mark(enum check_state state)
{
	return state == STATE_PASS ? "✓" : state == STATE_FAIL ? "✖" : "?";
}

static struct str format_text(const struct check_world *w, const char *format, va_list args)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	return arena_str(w->arena, str_from(text));
}

void check_set(const struct check_world *w, struct explain_check *k, enum check_state state, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	k->state = state;
	k->text = format_text(w, format, args);
	va_end(args);
}

void check_fix(const struct check_world *w, struct explain_check *k, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	k->fix = format_text(w, format, args);
	va_end(args);
}

struct check_job {
	const struct check_world *world;
	struct explain_check *check;
	usec_t within;
};

WAITS static void check_fiber(void *arg)
{
	struct check_job *job = arg;
	struct explain_check *k = job->check;
	struct deadline deadline;

	deadline_push(&deadline, job->within, "check");
	kinds[k->id].run(job->world, k);
	deadline_pop(&deadline);
	if (k->text.n == 0)
		check_set(job->world, k, STATE_UNKNOWN, "could not be found out in time");
}

static void checks_plan(enum cause_id cause, struct explain_checks *out)
{
	*out = (struct explain_checks){0};
	for (size_t i = 0; i < EXPLAIN_CHECKS_MAX && plans[cause][i].id != CHECK_NONE; i++)
		out->check[out->n++] = (struct explain_check){.id = plans[cause][i].id, .step = plans[cause][i].step};
}

/* Side by side, so that all together take as long as the slowest. */
WAITS static void checks_wait(const struct check_world *w, usec_t within, struct explain_checks *out)
{
	struct check_job jobs[EXPLAIN_CHECKS_MAX];
	struct group group;
	struct err err;

	group_init(&group, "explain --check");
	for (size_t i = 0; i < out->n; i++) {
		jobs[i] = (struct check_job){w, &out->check[i], within};
		if (!group_go(&group, check_id_name(out->check[i].id), check_fiber, &jobs[i], &err))
			check_set(w, &out->check[i], STATE_UNKNOWN, "%s", err.text);
	}
	(void)group_wait(&group, &err); /* a failure is that of the caller's own scope, which looks at it next */
	group_done(&group);
}

bool explain_checks_run(const struct cmd *c, const struct conf *conf, enum cause_id cause,
                        const struct explain_facts *facts, struct explain_checks *out, struct err *err)
{
	auto_buf struct buf script = {.max = 16 << 20};
	struct verify_alone *alone = arena_new(c->arena, struct verify_alone);
	struct check_world w = {.facts = facts, .alone = alone, .arena = c->arena, .host = daemon_host(conf)};
	uint64_t port = 0;

	checks_plan(cause, out);
	if (c->port && (!str_to_u64(str_from(c->port), 65535, &port) || port == 0))
		return err_perm(err, CAUSE_PROTOCOL, "--port %s: a number from 1 to 65535", c->port);
	if (c->dns_file && !asking_script_read(c->dns_file, &script, err))
		return false;
	if (!verify_alone_open(alone, c, conf, buf_view(&script), (int64_t)port, err)) {
		verify_alone_close(alone);
		return false;
	}
	w.mx = (struct mx_conf){.port = (uint16_t)alone->conf.port, .dial_networks = alone->conf.dial_networks,
	                        .use_ipv6 = alone->conf.use_ipv6};
	checks_wait(&w, c->timeout > 0 ? c->timeout : CHECK_WAIT, out);
	verify_alone_close(alone);
	return true;
}
