/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local part that nobody has: what unmasks servers that accept everything.
 *
 * It is unguessable without the secret, so that nobody can give it a mailbox or recognise the probe by it; it is
 * the same for a domain during one week, so that a greylisting server sees the same triplet again; and
 * it looks like a name (twelve lower case letters that can be spoken), so that no filter for odd local
 * parts refuses it for its looks.
 */
#pragma once

#include "base/clock.h"

#define RANDOM_LOCAL_N 12

struct str random_local(struct str secret, struct str domain, struct wall now, char out[RANDOM_LOCAL_N]);
