/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an answer teaches, and for how long: the "Cache" column of the table of replies. Writes the address, domain
 * and pattern layers, moves breakers, plans re-probes, and says when a retry will find more.
 */
#pragma once

#include "verify/inquiry.h"
#include "verify/work.h"

/* Fills what depends on memory in *a: retry_after. */
void learn_address(struct work *w, const struct verify_conf *conf, const struct inquiry *q, struct verify_answer *a);
/* Of our own next hop: short times, nothing about domains. */
void learn_recipient(struct work *w, const struct inquiry *q, struct verify_answer *a);
/* What was said counts for the operator of the host, whichever question it answered. */
void learn_operator(struct verify *v, const struct verify_conf *conf, struct str mx_operator, const struct inquiry *q);
/* Refused before any address was named: all addresses of the domain share it. */
void learn_refusal(struct verify *v, const struct verify_conf *conf, struct str domain, struct str host,
                   const struct inquiry *q);
/* Could not be asked at all; known again at `until`. */
void learn_unreachable(struct work *w, struct wall until, struct verify_answer *a);
