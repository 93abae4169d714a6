/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single values of the configuration: durations, sizes, addresses. */
#include "base/conf_row.h"

struct unit {
	const char *name;
	int64_t worth;
};

/* Cuts the digits and the letters behind them off *rest; `factor` is looked up among the units. */
static bool take_quantity(struct str *rest, const struct unit *units, uint64_t *value,
                          int64_t *factor)
{
	size_t digits = 0, end;
	while (digits < rest->n && rest->p[digits] >= '0' && rest->p[digits] <= '9')
		digits++;
	for (end = digits; end < rest->n && (rest->p[end] < '0' || rest->p[end] > '9'); end++)
		;
	struct str name = str_slice(*rest, digits, end);
	if (!str_to_u64(str_slice(*rest, 0, digits), INT64_MAX, value))
		return false;
	*rest = str_skip(*rest, end);
	for (; units->name; units++) {
		if (str_eq(name, str_from(units->name))) {
			*factor = units->worth;
			return true;
		}
	}
	return false;
}

/* "1h30m": units in falling order, each once, so that "30m1h" or "5m5m" is seen as the slip it is. */
bool conf_parse_duration(struct str s, usec_t *out)
{
	static const struct unit units[] = {
		{"ms", USEC_MS}, {"s", USEC_S},       {"m", USEC_MIN}, {"min", USEC_MIN},
		{"h", USEC_HOUR}, {"d", USEC_DAY}, {"w", 7 * USEC_DAY}, {NULL, 0},
	};
	int64_t sum = 0, factor, former = INT64_MAX, part;
	uint64_t value;
	if (str_eq(s, STR("0"))) {
		*out = 0;
		return true;
	}
	if (s.n == 0)
		return false;
	for (; s.n; former = factor)
		if (!take_quantity(&s, units, &value, &factor) || factor >= former ||
		    __builtin_mul_overflow((int64_t)value, factor, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return false;
	*out = sum;
	return true;
}

bool conf_parse_size(struct str s, int64_t *out)
{
	static const struct unit units[] = {
		{"", 1},         {"k", 1 << 10},  {"K", 1 << 10},     {"m", 1 << 20}, {"M", 1 << 20},
		{"g", 1 << 30},  {"G", 1 << 30},  {"T", 1LL << 40},   {NULL, 0},
	};
	int64_t factor, size;
	uint64_t value;
	if (!take_quantity(&s, units, &value, &factor) || s.n ||
	    __builtin_mul_overflow((int64_t)value, factor, &size))
		return false;
	*out = size;
	return true;
}

static bool refuse_addr(struct str s, struct err *err, const char *why)
{
	return err_perm(err, CAUSE_LOCAL_ERROR,
	                "\"%.*s\" %s; allowed are 127.0.0.1:25, [::1]:25 and unix:/path", STR_ARG(s),
	                why);
}

bool conf_parse_addr(struct str s, uint16_t default_port, struct conf_addr *out, struct err *err)
{
	struct conf_addr addr = {0};
	uint64_t port = default_port;
	if (str_starts(s, STR("unix:"))) {
		addr.path = str_skip(s, 5);
		/* 108 bytes are in struct sockaddr_un, with the NUL */
		if (!str_starts(addr.path, STR("/")) || addr.path.n > 107)
			return refuse_addr(s, err, "is not an absolute path of at most 107 bytes");
		*out = addr;
		return true;
	}
	bool is_bracketed = str_starts(s, STR("["));
	size_t colon = str_rfind_char(s, ':');
	if (!is_bracketed && str_find_char(s, ':') != colon)
		colon = s.n; /* bare IPv6: every colon belongs to the address */
	if (is_bracketed && colon > 0 && colon < s.n && s.p[colon - 1] != ']')
		colon = s.n;
	struct str host = str_slice(s, 0, colon);
	if (is_bracketed)
		host = str_ends(host, STR("]")) ? str_slice(host, 1, host.n - 1) : STR_NONE;
	if (!ip_parse(host, &addr.ip) || (is_bracketed && str_find_char(host, ':') == host.n))
		return refuse_addr(s, err, "is not an address");
	if (colon < s.n && (!str_to_u64(str_skip(s, colon + 1), UINT16_MAX, &port) || port == 0))
		return refuse_addr(s, err, "has no port from 1 to 65535");
	if (port == 0)
		return refuse_addr(s, err, "has no port");
	addr.port = (uint16_t)port;
	*out = addr;
	return true;
}
