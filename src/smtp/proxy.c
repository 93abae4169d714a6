/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the PROXY header, text and binary. */
#include "smtp/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define V1_MAX    107 /* with CR LF */
#define V2_HEADER 16
#define V2_INET   12
#define V2_INET6  36

static const char v1_begin[] = "PROXY ";
static const char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";

static enum proxy_step broken(struct err *err, const char *what)
{
	err_perm(err, CAUSE_PROTOCOL, "PROXY header: %s", what);
	return PROXY_BROKEN;
}

void proxy_reader_init(struct proxy_reader *r)
{
	*r = (struct proxy_reader){0};
}

static bool parse_port(struct str s, uint16_t *out)
{
	uint64_t port;

	if (!str_to_u64(s, 65535, &port) || (s.n > 1 && s.p[0] == '0'))
		return false;
	*out = (uint16_t)port;
	return true;
}

static bool parse_endpoint(struct str ip, struct str port, bool is_v6, struct ip *out, uint16_t *out_port)
{
	bool has_colon = str_find_char(ip, ':') < ip.n;

	return has_colon == is_v6 && ip_parse(ip, out) && parse_port(port, out_port);
}

/* "PROXY TCP4 192.0.2.1 198.51.100.1 4711 25", without CR LF. */
static enum proxy_step finish_v1(struct str line, struct proxy_source *out, struct err *err)
{
	struct proxy_source s = {0};
	struct str word[5], family, rest = str_skip(line, sizeof v1_begin - 1);
	size_t n = 0;

	if (!str_cut(&rest, ' ', &family))
		return broken(err, "family is missing");
	if (str_eq(family, STR("UNKNOWN"))) { /* whatever follows is to be ignored */
		*out = (struct proxy_source){.is_local = true};
		return PROXY_DONE;
	}
	bool is_v6 = str_eq(family, STR("TCP6"));
	if (!is_v6 && !str_eq(family, STR("TCP4")))
		return broken(err, "unknown family");
	while (n < 5 && str_cut(&rest, ' ', &word[n]))
		n++;
	if (n != 4 || rest.n > 0 || line.p[line.n - 1] == ' ')
		return broken(err, "not two addresses and two ports");
	if (!parse_endpoint(word[0], word[2], is_v6, &s.client, &s.client_port) ||
	    !parse_endpoint(word[1], word[3], is_v6, &s.here, &s.here_port))
		return broken(err, "address or port is malformed");
	*out = s;
	return PROXY_DONE;
}

static struct ip v2_ip(const uint8_t *p, bool is_v6)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct ip ip = {.family = 4};
	uint16_t port;

	if (!is_v6) {
		memcpy(ip.b, p, 4);
		return ip;
	}
	memcpy(&six.sin6_addr, p, 16); /* by way of a socket address: mapped IPv4 becomes IPv4 */
	ip_from_sockaddr((const struct sockaddr *)&six, &ip, &port);
	return ip;
}

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static enum proxy_step finish_v2(const struct proxy_reader *r, struct proxy_source *out, struct err *err)
{
	uint8_t command = r->kept[12], family = r->kept[13];
	const uint8_t *p = r->kept + V2_HEADER;
	bool is_v6 = family == 0x21;
	size_t size = is_v6 ? 16 : 4;

	if (command == 0x20 || family == 0x00) { /* LOCAL, or PROXY of what has no address */
		*out = (struct proxy_source){.is_local = true};
		return PROXY_DONE;
	}
	if (family != 0x11 && !is_v6)
		return broken(err, "not TCP over IP");
	if (r->whole < V2_HEADER + (is_v6 ? V2_INET6 : V2_INET))
		return broken(err, "too short for its addresses");
	*out = (struct proxy_source){
		.client = v2_ip(p, is_v6),
		.here = v2_ip(p + size, is_v6),
		.client_port = read_u16(p + 2 * size),
		.here_port = read_u16(p + 2 * size + 2),
	};
	return PROXY_DONE;
}

/* Whether the bytes so far can still become a header; `whole` is set as soon as the length is known. */
static const char *check_v2(struct proxy_reader *r)
{
	if (r->n > 12 && r->kept[12] != 0x20 && r->kept[12] != 0x21)
		return "unknown version or command";
	/* Reserved families and transports must be refused, even with LOCAL nobody may send them. */
	if (r->n > 13 && ((r->kept[13] >> 4) > 3 || (r->kept[13] & 15) > 2))
		return "unknown family";
	if (r->n == V2_HEADER)
		r->whole = (size_t)V2_HEADER + read_u16(r->kept + 14);
	return NULL;
}

static enum proxy_step step_v1(struct proxy_reader *r, struct proxy_source *out, struct err *err)
{
	uint8_t last = r->kept[r->n - 1];

	if (r->n > sizeof v1_begin - 1) {
		bool is_end = r->kept[r->n - 2] == '\r';
		if (is_end && last == '\n')
			return finish_v1((struct str){(char *)r->kept, r->n - 2}, out, err);
		if (is_end || last == '\n' || last == '\0')
			return broken(err, "line end is not CR LF");
	}
	return r->n == V1_MAX ? broken(err, "longer than 107 bytes") : PROXY_MORE;
}

static enum proxy_step step_v2(struct proxy_reader *r, struct proxy_source *out, struct err *err)
{
	const char *what = check_v2(r);

	if (what)
		return broken(err, what);
	return r->whole > 0 && r->n == r->whole ? finish_v2(r, out, err) : PROXY_MORE;
}

static enum proxy_step step(struct proxy_reader *r, uint8_t c, struct proxy_source *out, struct err *err)
{
	size_t at = r->n++;

	if (at < sizeof r->kept)
		r->kept[at] = c;
	if (r->kept[0] == (uint8_t)v2_begin[0]) {
		if (at < sizeof v2_begin - 1 && c != (uint8_t)v2_begin[at])
			return broken(err, "signature is wrong");
		return step_v2(r, out, err);
	}
	if (at < sizeof v1_begin - 1 && c != (uint8_t)v1_begin[at])
		return broken(err, "missing");
	return step_v1(r, out, err);
}

enum proxy_step proxy_reader_feed(struct proxy_reader *r, struct str in, size_t *used,
                                  struct proxy_source *out, struct err *err)
{
	enum proxy_step s = PROXY_MORE;
	size_t i = 0;

	while (i < in.n && s == PROXY_MORE)
		s = step(r, (uint8_t)in.p[i++], out, err);
	*used = i;
	return s;
}
