/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One configuration of the gate in use: the settings, what they depend on, and what can be made ready once for all
 * sessions (banner, EHLO replies, the TLS context). Counted: each session keeps the one it began with.
 */
#pragma once

#include "gate/gate.h"
#include "rt/tls.h"

struct settings {
	struct link link;         /* in the gate's list */
	int refs;
	const struct gate_conf *conf;
	struct gate_deps deps;
	struct tls_context *tls;
	struct str host;
	struct str banner, helo;  /* whole replies */
	struct str ehlo_clear, ehlo_tls;
	struct arena arena;
};
/* NULL: a certificate cannot be read. The caller holds the first reference. */
struct settings *settings_new(const struct gate_conf *conf, const struct gate_deps *deps, struct err *err);
struct settings *settings_ref(struct settings *set);
void settings_unref(struct settings *set); /* the last one leaves the list; accepts NULL */
