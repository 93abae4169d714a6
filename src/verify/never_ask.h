/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operators that are never asked, because the answer is worthless or asking does harm: they take every
 * recipient and bounce later, or count probes as an attack. The list is the default of the key `never_ask`, so that it
 * stands in the sample configuration and can be replaced there. Each entry matches MX hosts of that name and below.
 */
#pragma once

#include "verify/verify.h"

/* yahoodns.net: long took every recipient and refused after DATA, and answers probes with 421 for the whole address;
 * olc.protection.outlook.com: Outlook.com's rules forbid asking without sending ("namespace mining"), and it has
 * listed hosts for it; antispamcloud.com: takes half a minute for each unknown recipient. */
#define NEVER_ASK_DEFAULT "yahoodns.net, olc.protection.outlook.com, antispamcloud.com"

/* The entry that host matches, or STR_NONE. */
struct str never_ask_match(const struct conf_texts *list, struct str host);
