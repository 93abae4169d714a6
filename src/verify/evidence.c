/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known before asking: the one reader that turns single checks into "vouched for". */
#include "verify/evidence.h"

bool evidence_is_vouched(const struct evidence *e)
{
	return e->spf == EVIDENCE_SPF_PASS || e->is_own_mx;
}
