/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain names between text and wire (RFC 1035 3.1). On the wire form names compare by bytes, because it
 * is kept in lower case. Text that comes from the wire is safe to print anywhere: every byte that is not a
 * letter, digit, hyphen or underscore is written \DDD, so a PTR name cannot forge a header or a log line.
 */
#pragma once

#include "base/arena.h"

#define DNS_NAME_WIRE_MAX 255
#define DNS_NAME_TEXT_MAX 253

struct dns_name {
	uint8_t b[DNS_NAME_WIRE_MAX]; /* labels, lower case, the root's zero byte included */
	uint8_t n;
};

/* What may be asked: labels of 1 to 63 printable ASCII bytes, space included (SPF macros put more than host
 * names into questions, RFC 7208 7.2 %_), no backslash, with or without trailing dot; "." is the root. False: not a name. */
bool dns_name_parse(struct str text, struct dns_name *out);
/* Lower case without trailing dot, in `arena`; false when the escaped text is longer than 253 bytes. The
 * root is the empty text. */
bool dns_name_text(const struct dns_name *name, struct arena *arena, struct str *out);
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
