/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of `struct verify`: what the files of this folder share. */
#pragma once

#include "base/map.h"
#include "base/metric.h"
#include "verify/breaker.h"
#include "verify/budget.h"
#include "verify/cache.h"
#include "verify/patterns.h"
#include "verify/reprobe.h"
#include "verify/turns.h"
#include "verify/verify.h"

#define SECRET_N 32

struct verify_metrics {
	struct metric *asked, *cached, *joined, *sessions, *recipients, *unreachable, *reprobes;
	struct metric *verdicts[VERIFY_SKIPPED + 1], *skips[SKIP_FORGED + 1], *actions[VERIFY_REFUSE + 1];
	struct metric *took;
};
struct verify {
	const struct verify_conf *conf;
	struct verify_deps deps;
	enum verify_mode mode;
	struct group group;              /* flights and re-probes: ended by verify_close */
	struct cache cache;
	struct budget budget;
	struct breaker breaker;
	struct patterns patterns;
	struct turns turns;
	struct reprobes reprobes;
	struct map works;                /* key of the address → struct work */
	struct map flights;              /* key of the target → struct flight */
	unsigned char secret[SECRET_N];
	char probe_sender[ADDRESS_MAX + 2];
	struct ticket *shown;            /* keeps the dialogue that verify_address handed out */
	struct verify_metrics metrics;
};

struct str verify_secret(const struct verify *v);
struct mx_conf verify_mx_conf(const struct verify *v, const struct verify_conf *conf);
/* From the address or domain layer; never waits, never allocates. */
bool verify_lookup_at(struct verify *v, struct str key, struct wall now, struct verify_answer *out);
/* Waits at most `within`; when it is not done by then *out says that it is running. False: cancelled. */
WAITS bool verify_wait(struct ticket *t, usec_t within, struct verify_answer *out, struct err *err);
void verify_metrics_open(struct verify_metrics *m);
