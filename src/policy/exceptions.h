/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operator's exceptions file: sender, domain, client network or recipient → never ask, accept, refuse;
 * with an expiry and a reason. Re-read when it changes; a broken line is reported with its number and skipped,
 * the rest holds. Edited by `postern exempt`, which writes a new file and renames it.
 *
 *	sender joe@example.org never-ask until 2026-12-24T00:00:00Z at 2026-11-24T09:12:00Z by root why "ticket of the bank"
 *	client 192.0.2.0/24      accept
 */
#pragma once

#include "base/arena.h"
#include "mail/address.h"
#include "rt/rt.h"

enum exception_action { EXCEPTION_NONE, EXCEPTION_NEVER_ASK, EXCEPTION_ACCEPT, EXCEPTION_REFUSE };
enum exception_kind { EXCEPTION_SENDER, EXCEPTION_DOMAIN, EXCEPTION_CLIENT, EXCEPTION_RECIPIENT };
struct exception {
	enum exception_kind kind;
	enum exception_action action;
	struct str what, by, why;
	struct wall until; /* 0: for ever */
	struct wall at;    /* when it was added; 0: not said */
	unsigned line;
};
struct exceptions;
struct exceptions *exceptions_open(struct str file); /* empty: none; the file may appear later */
void exceptions_close(struct exceptions *x);
/* Checks the file's time stamp at most once a second. The strongest wins: refuse, accept, never-ask. */
enum exception_action exceptions_find(struct exceptions *x, const struct address *sender, struct ip client,
                                      const struct address *recipient, struct str *why);
bool exceptions_add(struct exceptions *x, const struct exception *e, struct err *err);
bool exceptions_remove(struct exceptions *x, struct str what, size_t *removed, struct err *err);
void exceptions_each(struct exceptions *x, void (*fn)(void *arg, const struct exception *e), void *arg);
