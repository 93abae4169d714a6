/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adding an ARC set to a message that was checked (RFC 8617 5.1).
 *
 * The results that are sealed are those of the message's own Authentication-Results fields that bear our name, all
 * of them merged (4.1.1); whoever calls has removed forged ones before.
 */
#pragma once

#include "auth/arc_check.h"
#include "auth/dkim_sign.h"

struct arc_sealer {
	struct dkim_signer signer; /* fields empty: as for DKIM, without the extra From */
	struct str authserv_id;
	struct wall now;
};
/* Orders the body hash of the message signature; before the body. -1: too many hashes. */
int arc_seal_want(const struct arc_sealer *s, struct dkim_bodies *bodies);
/* `c` was finished. Appends ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results to `out`, in the order in
 * which they are put before the message. Nothing is appended when the chain had failed before or is full:
 * *is_sealed says so. */
bool arc_seal(struct arena *arena, const struct arc_sealer *s, struct arc_check *c, const struct dkim_bodies *bodies,
              int body, struct buf *out, bool *is_sealed, struct err *err);
