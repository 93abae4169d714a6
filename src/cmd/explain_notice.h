/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notifications of sending services as JSON: Amazon SES (bare, or inside an SNS envelope, or in the body of a mail of SNS),
 * SendGrid, Mailgun, Postmark, SparkPost. They become what a delivery report becomes.
 */
#pragma once

#include "mail/bounce.h"

/* False: no JSON, or none of these. At most BOUNCE_MAX bytes, nested at most 32 deep. Texts are in `arena`. */
bool explain_notice_read(struct arena *arena, struct str text, struct bounce *out);
