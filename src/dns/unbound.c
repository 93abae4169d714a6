/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network: libunbound in a thread of its own. One service fiber polls its descriptor; what the library
 * calls back lands flights and nothing more. A dead server takes libunbound many seconds to report, so each
 * question has our own deadline and is cancelled at it; all have the same, so the oldest is the first due.
 */
#include "dns/resolver.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/message.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

#define ROOT_KEY_FILE   "/usr/share/dns/root.key"
#define ROOT_HINTS_FILE "/usr/share/dns/root.hints"
#define RCODE_SERVFAIL  2
#define CLASS_IN        1
#define PORT_DEFAULT    53

struct unbound {
	struct ub_ctx *ctx;
	struct resolver *resolver;
	struct list flights; /* oldest first */
	struct cond asked;
	bool is_serving;
};

/* --- set-up --- */

struct setup {
	const struct dns_conf *conf;
	struct ub_ctx *ctx;
	struct err err;
	bool is_fine;
};

static bool set(struct setup *s, const char *option, const char *value)
{
	int failed = ub_ctx_set_option(s->ctx, option, value);

	return failed == 0 || err_perm(&s->err, CAUSE_LOCAL_ERROR, "libunbound: %s %s: %s", option, value,
	                               ub_strerror(failed));
}

static bool set_common(struct setup *s)
{
	static const char *const options[][2] = {
		{"module-config:", "validator iterator"},
		{"outgoing-range:", "2048"},
		{"num-queries-per-thread:", "2048"},
		{"msg-cache-size:", "16m"},
		{"rrset-cache-size:", "32m"},
		{"use-syslog:", "no"},
		{"verbosity:", "0"},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!set(s, options[i][0], options[i][1]))
			return false;
	return true;
}

/* "ADDR", "ADDR@PORT"; libunbound takes them as they are, but says little about what is wrong. */
static bool add_forwarder(struct setup *s, struct str at)
{
	struct str rest = at, host, port;
	struct ip ip;
	uint64_t number = PORT_DEFAULT;
	char text[IP_TEXT_MAX + 8], ip_space[IP_TEXT_MAX];

	str_cut(&rest, '@', &host);
	port = host.n < at.n ? str_skip(at, host.n + 1) : STR_NONE;
	if (!ip_parse(host, &ip) || (host.n < at.n && (!str_to_u64(port, 65535, &number) || number == 0)))
		return err_perm(&s->err, CAUSE_LOCAL_ERROR, "resolver \"%.*s\" is not \"recursive\", ADDR or ADDR@PORT",
		                STR_ARG(at));
	snprintf(text, sizeof(text), "%.*s@%u", STR_ARG(ip_text(ip, ip_space)), (unsigned)number);
	int failed = ub_ctx_set_fwd(s->ctx, text);
	return failed == 0 || err_perm(&s->err, CAUSE_LOCAL_ERROR, "libunbound: forward to %s: %s", text,
	                               ub_strerror(failed));
}

/* A forwarder may be on loopback and knows private zones: libunbound's own answers for them step aside.
 * One that was away is asked again soon, not after the quarter of an hour that fits a foreign server. */
static bool set_forwarding(struct setup *s)
{
	struct str rest = s->conf->resolver, word;

	while (str_next_word(&rest, &word))
		if (!add_forwarder(s, word))
			return false;
	return set(s, "do-not-query-localhost:", "no") && set(s, "unblock-lan-zones:", "yes") &&
	       set(s, "insecure-lan-zones:", "yes") && set(s, "infra-keep-probing:", "yes") &&
	       set(s, "infra-host-ttl:", "30");
}

static bool add_file(struct setup *s, int (*add)(struct ub_ctx *, const char *), struct str file,
                     const char *fallback, const char *what)
{
	char path[4096];

	if (file.n >= sizeof(path))
		return err_perm(&s->err, CAUSE_LOCAL_ERROR, "%s: the file name is too long", what);
	if (file.n == 0 && access(fallback, R_OK) != 0)
		return true;
	snprintf(path, sizeof(path), "%.*s", STR_ARG(file.n ? file : str_from(fallback)));
	if (access(path, R_OK) != 0)
		return err_perm(&s->err, CAUSE_LOCAL_ERROR, "%s: %s cannot be read", what, path);
	int failed = add(s->ctx, path);
	return failed == 0 || err_perm(&s->err, CAUSE_LOCAL_ERROR, "%s: %s: %s", what, path, ub_strerror(failed));
}

static int set_root_hints(struct ub_ctx *ctx, const char *path)
{
	return ub_ctx_set_option(ctx, "root-hints:", path);
}

static bool configure(struct setup *s, bool is_forwarding)
{
	if (!set_common(s) || (is_forwarding && !set_forwarding(s)))
		return false;
	if (!is_forwarding &&
	    !add_file(s, set_root_hints, s->conf->root_hints, ROOT_HINTS_FILE, "root hints"))
		return false;
	if (str_eq(s->conf->trust_anchor, STR("none")))
		return true;
	return add_file(s, ub_ctx_add_ta_file, s->conf->trust_anchor, ROOT_KEY_FILE, "trust anchor");
}

/* The first zone call reads hints and anchors and closes the configuration. */
static bool finish(struct setup *s, bool is_forwarding)
{
	static const char *const own_answers[] = {
		"localhost.", "127.in-addr.arpa.", "test.", "invalid.", "home.arpa.",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
	};
	int failed = ub_ctx_async(s->ctx, 1);

	if (failed == 0)
		failed = ub_ctx_zone_add(s->ctx, "ready.postern.invalid.", "static");
	for (size_t i = 0; is_forwarding && failed == 0 && i < sizeof(own_answers) / sizeof(own_answers[0]); i++)
		failed = ub_ctx_zone_remove(s->ctx, own_answers[i]);
	return failed == 0 || err_perm(&s->err, CAUSE_LOCAL_ERROR, "libunbound: %s", ub_strerror(failed));
}

static void ignore(void *arg, int error, struct ub_result *result)
{
	ub_resolve_free(result);
}

/* A question that the library answers itself starts its thread now, on this stack. */
static bool start_thread(struct setup *s)
{
	int failed = ub_resolve_async(s->ctx, "ready.postern.invalid.", DNS_A, CLASS_IN, NULL, ignore, NULL);

	if (failed == 0)
		failed = ub_wait(s->ctx);
	return failed == 0 || err_perm(&s->err, CAUSE_LOCAL_ERROR, "libunbound: %s", ub_strerror(failed));
}

/* libunbound reads its files through 64 KiB buffers on the stack: too much for a fiber's. */
static void *set_up(void *arg)
{
	struct setup *s = arg;
	bool is_forwarding = !str_eq(s->conf->resolver, STR("recursive"));
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL); /* inherited by the library's thread: signals are the loop's */
	s->ctx = ub_ctx_create();
	if (!s->ctx)
		s->is_fine = err_temp(&s->err, CAUSE_LOCAL_ERROR, "libunbound: no memory");
	else
		s->is_fine = configure(s, is_forwarding) && finish(s, is_forwarding) && start_thread(s);
	return NULL;
}

static struct ub_ctx *open_context(const struct dns_conf *conf, struct err *err)
{
	struct setup s = {.conf = conf};
	pthread_t thread;

	if (pthread_create(&thread, NULL, set_up, &s) != 0) {
		err_temp(err, CAUSE_LOCAL_ERROR, "no thread for the resolver");
		return NULL;
	}
	pthread_join(thread, NULL);
	if (s.is_fine)
		return s.ctx;
	if (s.ctx)
		ub_ctx_delete(s.ctx);
	*err = s.err;
	return NULL;
}

/* --- answers --- */

static void read_result(struct dns_answer *a, const struct ub_result *result)
{
	struct str packet = {result->answer_packet, (size_t)result->answer_len};
	struct err err;

	if (result->bogus) {
		dns_answer_fail(a, DNS_BOGUS, str_from(result->why_bogus ? result->why_bogus : "bogus"));
		return;
	}
	if (!result->answer_packet || result->answer_len <= 0) {
		dns_answer_fail(a, DNS_TEMPORARY,
		                result->rcode == RCODE_SERVFAIL ? STR("SERVFAIL") : STR("no answer"));
		return;
	}
	if (!dns_message_read(packet, a->name.n ? a->name : STR("."), a->type, a, &err))
		return; /* it says so itself */
	if (a->outcome != DNS_TEMPORARY)
		a->is_secure = result->secure != 0;
}

static void answered(void *arg, int error, struct ub_result *result)
{
	struct flight *f = arg;

	if (error != 0 || !result)
		dns_answer_fail(f->answer, DNS_TEMPORARY, str_from(ub_strerror(error)));
	else
		read_result(f->answer, result);
	ub_resolve_free(result);
	flight_land(f);
}

/* --- the service fiber --- */

static struct flight *oldest(struct unbound *u)
{
	struct link *first = list_first(&u->flights);
	return first ? container_of(first, struct flight, link) : NULL;
}

static void give_up_late(struct unbound *u)
{
	struct flight *f;

	while ((f = oldest(u)) && f->until <= rt_now()) {
		ub_cancel(u->ctx, f->handle);
		flight_time_out(f);
	}
}

/* False: cancelled. */
WAITS static bool wait_for_answers(struct unbound *u)
{
	struct deadline d;
	struct err err;
	bool is_ready;

	deadline_push_at(&d, oldest(u)->until, "DNS answers");
	is_ready = rt_wait_fd(ub_fd(u->ctx), 1, "dns: answers", &err);
	deadline_pop(&d);
	if (is_ready || err.kind == ERR_TIMEOUT)
		return true;
	if (err.kind == ERR_CANCELLED)
		return false;
	log_event(LOG_ERROR_, "dns_poll_failed", LOG_C("why", err.text));
	return rt_sleep(100 * USEC_MS, "dns: after a failed poll", &err);
}

WAITS static void serve(void *arg)
{
	struct unbound *u = arg;
	struct err err;

	for (;;) {
		while (list_is_empty(&u->flights))
			if (!cond_wait(&u->asked, "dns: nothing to do", &err))
				return;
		if (!wait_for_answers(u))
			return;
		ub_process(u->ctx);
		give_up_late(u);
	}
}

static bool ensure_serving(struct unbound *u, struct err *err)
{
	if (!u->is_serving)
		u->is_serving = group_go(resolver_group(u->resolver), "dns answers", serve, u, err);
	return u->is_serving;
}

static void ask(void *self, struct flight *f)
{
	struct unbound *u = self;
	char name[DNS_KEY_MAX];
	struct err err;
	int failed;

	if (!ensure_serving(u, &err)) {
		dns_answer_fail(f->answer, DNS_TEMPORARY, str_from(err.text));
		flight_land(f);
		return;
	}
	snprintf(name, sizeof(name), "%.*s.", STR_ARG(f->answer->name));
	failed = ub_resolve_async(u->ctx, name, (int)f->answer->type, CLASS_IN, f, answered, &f->handle);
	if (failed != 0) {
		dns_answer_fail(f->answer, DNS_TEMPORARY, str_from(ub_strerror(failed)));
		flight_land(f);
		return;
	}
	list_push_back(&u->flights, &f->link);
	cond_signal(&u->asked);
}

static void close_unbound(void *self)
{
	struct unbound *u = self;

	list_each(it, &u->flights) {
		ub_cancel(u->ctx, container_of(it, struct flight, link)->handle);
		link_remove(it);
	}
	ub_ctx_delete(u->ctx);
	free(u);
}

struct resolver *resolver_open(const struct dns_conf *conf, struct err *err)
{
	static const struct resolver_backend backend = {.ask = ask, .close = close_unbound};
	struct ub_ctx *ctx;
	struct unbound *u;

	assert(conf && !rt_is_fake());
	ctx = open_context(conf, err);
	if (!ctx)
		return NULL;
	u = mem_new(struct unbound);
	u->ctx = ctx;
	list_init(&u->flights);
	cond_init(&u->asked);
	u->resolver = resolver_new(conf, &backend, u);
	return u->resolver;
}
