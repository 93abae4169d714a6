/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that strangers may see us come from. */
#pragma once

#include "base/ip.h"
#include "conf/conf.h"

/* verify.source, else daemon.own_addresses, else what this machine's interfaces have that is no private address. */
size_t own_addresses(const struct conf *conf, struct ip *out, size_t max);
