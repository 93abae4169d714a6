/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header fields by which the gate marks a message, and those that must not come in under our name: X-Postern-Sender,
 * the entry of sender verification in Authentication-Results (RFC 8601), Return-Path.
 */
#pragma once

#include "mail/address.h"
#include "spool/spool.h"
#include "verify/verify.h"

struct tag_args {
	const struct verify_answer *answer;
	bool is_tagged;                /* also X-Postern-Sender */
	struct str host, ref;
	const struct address *sender;
};
/* Whole fields with CRLF; empty for what was never asked and is not tagged. */
struct str tag_fields(struct arena *arena, const struct tag_args *args);

struct header_check {
	size_t header_bytes, received; /* length of the header, number of Received fields */
	bool is_whole;                 /* its end was seen */
	struct spool_range *forged;    /* fields to leave out, in order, in the arena */
	size_t n_forged;
};
/* One pass over the header; `head` is the beginning of the message. */
void header_check(struct arena *arena, struct str head, struct str host, struct header_check *out);
