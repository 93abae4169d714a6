/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which client network has heard that its sender is refused or deferred: so that a refusal may be repeated at RCPT
 * without a second transfer of the message, and that we count who is accepted afterwards. A fixed table of
 * fingerprints; the oldest of a row goes first.
 */
#pragma once

#include "base/clock.h"
#include "base/ip.h"

struct heard;
struct heard *heard_new(size_t rows); /* of four, a power of two */
void heard_free(struct heard *h);
void heard_note(struct heard *h, struct ip client, struct str sender, bool is_refusal, usec_t now);
/* *is_refusal: the last thing heard was a refusal. Forgotten after a day. */
bool heard_find(const struct heard *h, struct ip client, struct str sender, usec_t now, bool *is_refusal);
bool heard_forget(struct heard *h, struct ip client, struct str sender, usec_t now); /* true: it was there */
