/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DNS server of the lab's size: reads the question, looks into the table, writes the answer. */
#include "lab/dns_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "dns/dns.h"

#define PACKET_MAX 512
#define HEADER     12
#define TTL        60

struct lab_dns_server {
	int fd;
	unsigned long questions;
};
struct question {
	char text[256];
	struct str name; /* lower case, no trailing dot */
	unsigned type;
	size_t end;      /* of the question in the packet */
};
enum { RCODE_OK = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, SILENCE = -1 };

static bool question_read(const unsigned char *p, size_t n, struct question *q)
{
	size_t at = HEADER, length = 0;

	if (n < HEADER + 5 || p[4] != 0 || p[5] != 1)
		return false;
	while (at < n && p[at] != 0) {
		size_t label = p[at++];
		if (label > 63 || at + label >= n || length + label + 1 >= sizeof(q->text))
			return false;
		if (length > 0)
			q->text[length++] = '.';
		for (size_t i = 0; i < label; i++)
			q->text[length++] = ascii_lower((char)p[at + i]);
		at += label;
	}
	if (at + 5 > n)
		return false;
	q->name = (struct str){q->text, length};
	q->type = (unsigned)p[at + 1] << 8 | p[at + 2];
	q->end = at + 5;
	return true;
}

static void put_u16(struct buf *b, unsigned n)
{
	buf_char(b, (char)(n >> 8));
	buf_char(b, (char)n);
}

static void put_name(struct buf *b, struct str name)
{
	struct str label;

	while (str_cut(&name, '.', &label)) {
		buf_char(b, (char)label.n);
		buf_str(b, label);
	}
	buf_char(b, 0);
}

/* The owner is always the question's name: a pointer to it. */
static void put_record(struct buf *b, unsigned type, struct str data)
{
	put_u16(b, 0xc000 | HEADER);
	put_u16(b, type);
	put_u16(b, 1);
	put_u16(b, 0);
	put_u16(b, TTL);
	put_u16(b, (unsigned)data.n);
	buf_str(b, data);
}

static void put_a(struct buf *b, struct ip ip)
{
	put_record(b, DNS_A, (struct str){(const char *)ip.b, 4});
}

static void put_mx(struct buf *b, unsigned preference, struct str host)
{
	struct buf data;

	buf_init(&data, 300);
	put_u16(&data, preference);
	put_name(&data, host);
	put_record(b, DNS_MX, buf_view(&data));
	buf_done(&data);
}

static struct str host_name(const char *front, const char *domain, char out[256])
{
	return (struct str){out, (size_t)snprintf(out, 256, "%s%s", front, domain)};
}

static int answer_mx(const struct lab_habit *h, struct buf *b, unsigned *count)
{
	char host[256];

	*count = 1;
	switch (h->dns) {
	case LAB_DNS_NULL_MX:
		put_mx(b, 0, STR_NONE);
		break;
	case LAB_DNS_TWO_MX:
		put_mx(b, 10, host_name("mx1.", h->domain, host));
		put_mx(b, 20, host_name("mx2.", h->domain, host));
		*count = 2;
		break;
	case LAB_DNS_IMPLICIT:
		*count = 0;
		break;
	default:
		put_mx(b, 10, host_name("mx.", h->domain, host));
		break;
	}
	return RCODE_OK;
}

static void put_txt(struct buf *b, struct str text)
{
	char data[256];

	data[0] = (char)text.n;
	memcpy(data + 1, text.p, text.n);
	put_record(b, DNS_TXT, (struct str){data, text.n + 1});
}

/* A of DOMAIN itself (implicit MX only), of mx., mx1. and mx2. */
static int answer_host(const struct lab_habit *h, struct str front, struct buf *b, unsigned *count)
{
	static const struct ip loopback = {.family = 4, .b = {127, 0, 0, 1}}, private = {.family = 4, .b = {10, 0, 0, 1}};

	*count = 1;
	if (front.n == 0 && h->dns != LAB_DNS_IMPLICIT)
		*count = 0;
	else if (h->dns == LAB_DNS_MX_NOWHERE)
		*count = 0;
	else if (h->dns == LAB_DNS_LOOPBACK)
		put_a(b, loopback);
	else if (h->dns == LAB_DNS_PRIVATE)
		put_a(b, private);
	else
		put_a(b, lab_habit_ip(h, str_eq(front, STR("mx2."))));
	return RCODE_OK;
}

static const struct lab_habit *habit_of(struct str name, struct str *front)
{
	static const char *const fronts[] = {"", "mx.", "mx1.", "mx2."};

	for (size_t i = 0; i < 4; i++) {
		*front = str_from(fronts[i]);
		if (!str_starts(name, *front))
			continue;
		const struct lab_habit *h = lab_habit_find(str_skip(name, front->n));
		if (h)
			return h;
	}
	return NULL;
}

/* Names that are not habits: the gate's own domain, and forged domains without end. */
static int answer_special(struct str name, unsigned type, struct buf *b, unsigned *count)
{
	static const struct ip gate = {.family = 4, .b = {127, 9, 0, 1}};
	bool is_forged = str_ends(name, STR(".forged.lab")) && name.p[0] == 'f';

	if (is_forged && type == DNS_MX) {
		put_mx(b, 10, STR("mx.truthful.lab"));
		*count = 1;
	} else if (str_eq(name, STR("here.lab")) && type == DNS_MX) {
		put_mx(b, 10, STR("gate.here.lab"));
		*count = 1;
	} else if (str_eq(name, STR("gate.here.lab")) && type == DNS_A) {
		put_a(b, gate);
		*count = 1;
	} else if (!is_forged && !str_eq(name, STR("here.lab")) && !str_eq(name, STR("gate.here.lab"))) {
		return RCODE_NXDOMAIN;
	}
	return RCODE_OK;
}

static int answer(const struct question *q, struct buf *b, unsigned *count)
{
	struct str front;
	const struct lab_habit *h = habit_of(q->name, &front);
	struct buf target;

	if (!h)
		return answer_special(q->name, q->type, b, count);
	if (h->dns == LAB_DNS_NXDOMAIN)
		return RCODE_NXDOMAIN;
	if (h->dns == LAB_DNS_SERVFAIL)
		return RCODE_SERVFAIL;
	if (h->dns == LAB_DNS_SILENT)
		return SILENCE;
	if (h->dns == LAB_DNS_CNAME && front.n == 0) {
		buf_init(&target, 300);
		put_name(&target, STR("truthful.lab"));
		put_record(b, DNS_CNAME, buf_view(&target));
		buf_done(&target);
		*count = 1;
		return RCODE_OK;
	}
	if (q->type == DNS_MX && front.n == 0)
		return answer_mx(h, b, count);
	if (q->type == DNS_TXT && front.n == 0 && h->spf) {
		put_txt(b, str_slice(str_from(h->spf), 0, 255));
		*count = 1;
		return RCODE_OK;
	}
	if (q->type == DNS_A)
		return answer_host(h, front, b, count);
	return RCODE_OK;
}

static size_t packet_answer(const unsigned char *in, size_t n, char *out)
{
	struct question q;
	struct buf b;
	unsigned count = 0;
	size_t length = 0;

	if (!question_read(in, n, &q))
		return 0;
	buf_init(&b, PACKET_MAX);
	buf_add(&b, in, q.end);
	int rcode = answer(&q, &b, &count);
	if (rcode != SILENCE && buf_ok(&b)) {
		b.p[2] = (char)(0x84 | (in[2] & 1)); /* an authoritative answer */
		b.p[3] = (char)(0x80 | rcode);
		b.p[6] = 0;
		b.p[7] = (char)count;
		memset(b.p + 8, 0, 4);
		memcpy(out, b.p, b.n);
		length = b.n;
	}
	buf_done(&b);
	return length;
}

WAITS static void serve(void *arg)
{
	struct lab_dns_server *d = arg;
	unsigned char in[PACKET_MAX];
	char out[PACKET_MAX];
	struct sockaddr_storage from;
	struct err err;

	while (rt_wait_fd(d->fd, 1, "questions", &err)) {
		for (;;) {
			socklen_t from_size = sizeof(from);
			ssize_t n = recvfrom(d->fd, in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
			if (n < 0)
				break;
			d->questions++;
			size_t length = packet_answer(in, (size_t)n, out);
			if (length > 0)
				(void)!sendto(d->fd, out, length, MSG_NOSIGNAL, (struct sockaddr *)&from, from_size);
		}
	}
	close(d->fd);
	d->fd = -1;
}

bool lab_dns_open(struct ip ip, uint16_t port, struct group *root, struct lab_dns_server **out, struct err *err)
{
	struct sockaddr_storage at;
	socklen_t n = ip_to_sockaddr(ip, port, &at);
	struct lab_dns_server *d;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) != 0) {
		if (fd >= 0)
			close(fd);
		return err_temp(err, CAUSE_NETWORK, "lab DNS: %s", strerror(errno));
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	d->fd = fd;
	*out = d;
	return group_go(root, "lab dns", serve, d, err);
}

void lab_dns_close(struct lab_dns_server *d)
{
	free(d);
}

unsigned long lab_dns_questions(const struct lab_dns_server *d)
{
	return d->questions;
}
