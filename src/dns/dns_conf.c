/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration section `dns`. */
#include "dns/dns.h"

#include <stddef.h>

#define AT(field) offsetof(struct dns_conf, field)

const struct conf_row dns_conf_rows[] = {
	{.key = "resolver", .type = CONF_TEXT, .offset = AT(resolver), .fallback = "recursive",
	 .help = "\"recursive\" asks the root servers itself, as block lists demand of their users; ADDR[@PORT] "
	         "forwards to a resolver, several separated by spaces."},
	{.key = "trust_anchor", .type = CONF_TEXT, .offset = AT(trust_anchor), .fallback = "",
	 .help = "File with the DNSSEC root key; empty for Debian's where dns-root-data is installed; \"none\" "
	         "switches validation off (for a forwarder that strips signatures)."},
	{.key = "root_hints", .type = CONF_TEXT, .offset = AT(root_hints), .fallback = "",
	 .help = "File with the addresses of the root servers; empty for Debian's where dns-root-data is "
	         "installed, else the built-in ones."},
	{.key = "timeout", .type = CONF_DURATION, .offset = AT(timeout), .fallback = "10s", .min = USEC_MS * 100,
	 .max = USEC_MIN, .help = "How long one look-up may take before it counts as a temporary failure."},
	{.key = "ttl_min", .type = CONF_DURATION, .offset = AT(ttl_min), .fallback = "5s", .min = 0,
	 .max = USEC_HOUR, .help = "Answers are kept at least this long, whatever their TTL says."},
	{.key = "ttl_max", .type = CONF_DURATION, .offset = AT(ttl_max), .fallback = "1d", .min = USEC_S,
	 .max = 7 * USEC_DAY, .help = "Answers are kept at most this long."},
	{.key = "ttl_negative_max", .type = CONF_DURATION, .offset = AT(ttl_negative_max), .fallback = "15m",
	 .min = USEC_S, .max = USEC_DAY, .help = "That a name or type does not exist is kept at most this long."},
	{.key = "ttl_temporary", .type = CONF_DURATION, .offset = AT(ttl_temporary), .fallback = "10s", .min = 0,
	 .max = 10 * USEC_MIN, .help = "How long a failed look-up is remembered before it is tried again."},
	{.key = "cache_max", .type = CONF_INT, .offset = AT(cache_max), .fallback = "100000", .min = 100,
	 .max = 10000000, .help = "Answers kept in memory, about 2 KiB each at most on average."},
	CONF_ROWS_END,
};

const struct conf_section dns_section = {
	.name = "dns",
	.help = "How names are looked up.",
	.rows = dns_conf_rows,
	.size = sizeof(struct dns_conf),
};
