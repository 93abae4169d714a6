/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network in memory: who listens where, and which addresses are down. */
#include "rt/net.h"

#include "base/mem.h"
#include "rt/listener.h"
#include "rt/pipe.h"
#include "rt/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct fault {
	struct link link;
	struct ip ip;
	uint16_t port;
	enum fake_fault kind;
};

static struct list listeners = {{&listeners.head, &listeners.head}};
static struct list faults = {{&faults.head, &faults.head}};
static uint16_t last_port = 49151;

static uint16_t next_port(void)
{
	last_port = last_port == UINT16_MAX ? 49152 : last_port + 1;
	return last_port;
}

static bool is_any(struct ip ip)
{
	static const uint8_t zero[16];
	return memcmp(ip.b, zero, sizeof(zero)) == 0;
}

static struct listener *find(struct ip ip, uint16_t port, struct str path)
{
	list_each(link, &listeners)
	{
		struct listener *l = container_of(link, struct listener, link);
		if (!ip.family) {
			if (l->path && str_eq(str_from(l->path), path))
				return l;
		} else if (l->ip.family == ip.family && l->port == port &&
			   (ip_eq(l->ip, ip) || is_any(l->ip))) {
			return l;
		}
	}
	return NULL;
}

struct listener *fake_net_listen(const struct conf_addr *at, struct err *err)
{
	if (find(at->ip, at->port, at->path)) {
		net_error(err, EADDRINUSE, "cannot listen");
		return NULL;
	}
	struct listener *l = mem_new(struct listener);
	watch_init(&l->watch, -1);
	l->ip = at->ip;
	l->port = at->ip.family && at->port == 0 ? next_port() : at->port;
	if (!at->ip.family)
		l->path = mem_cstr(at->path);
	list_push_back(&listeners, &l->link);
	return l;
}

/* --- faults --- */

static struct fault *find_fault(struct ip ip, uint16_t port)
{
	list_each(link, &faults)
	{
		struct fault *f = container_of(link, struct fault, link);
		if (ip_eq(f->ip, ip) && f->port == port)
			return f;
	}
	return NULL;
}

void fake_net_fault(struct ip ip, uint16_t port, enum fake_fault kind)
{
	struct fault *f = find_fault(ip, port);
	if (!f) {
		f = mem_new(struct fault);
		f->ip = ip;
		f->port = port;
		list_push_back(&faults, &f->link);
	}
	f->kind = kind;
}

void fake_net_clear(void)
{
	struct link *l;
	while ((l = list_pop_front(&faults)) != NULL)
		free(container_of(l, struct fault, link));
	last_port = 49151;
	assert(list_is_empty(&listeners) && "a listener was not closed");
}

/* --- dial --- */

static struct ip default_source(struct ip to)
{
	struct ip from = {.family = to.family};
	if (to.family == 4)
		memcpy(from.b, (const uint8_t[]){127, 0, 0, 1}, 4);
	else if (to.family == 6)
		from.b[15] = 1;
	return from;
}

static struct stream *join(struct listener *l, const struct dial *dial)
{
	struct stream *ends[2];
	struct ip from = dial->source.family ? dial->source : default_source(dial->ip);
	bool is_unix = !dial->ip.family;
	pipe_pair(ends, (struct ip[2]){from, dial->ip},
		  (const uint16_t[2]){is_unix ? 0 : next_port(), dial->port});
	l->backlog[l->n_backlog++] = ends[1];
	watch_ready(&l->watch, IO_IN, false);
	return ends[0];
}

struct stream *fake_net_dial(const struct dial *dial, struct err *err)
{
	const char *label = dial->label ? dial->label : "connect";
	const struct fault *fault = find_fault(dial->ip, dial->port);
	enum fake_fault kind = fault ? fault->kind : FAKE_OK;
	if (kind == FAKE_SILENT) {
		/* As long as the kernel would send its SYN again. */
		if (rt_sleep(127 * USEC_S, label, err))
			net_error(err, ETIMEDOUT, label);
		return NULL;
	}
	if (!rt_yield(err))
		return NULL;
	struct listener *l = find(dial->ip, dial->port, str_from(dial->path));
	if (!l || kind == FAKE_REFUSE ||
	    l->n_backlog == sizeof(l->backlog) / sizeof(l->backlog[0])) {
		net_error(err, ECONNREFUSED, label);
		return NULL;
	}
	return join(l, dial);
}
