/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients in a map, and in a list with those without a session, longest idle first. */
#include "policy/client_limits.h"

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct client {
	struct link idle;
	struct ip key;
	unsigned sessions;
	struct bucket connects;
};

struct client_limits {
	struct map clients;
	struct list idle;
	size_t max;
};

/* IPv6 hosts own a /64 and can come from any address of it. */
static struct ip client_key(struct ip ip)
{
	struct ip key = {.family = ip.family};
	if (ip.family == 6)
		return ip_client_net(ip).ip;
	memcpy(key.b, ip.b, 4); /* the key is compared whole */
	return key;
}

static struct str key_bytes(const struct ip *key)
{
	return (struct str){(const char *)key, sizeof *key};
}

struct client_limits *client_limits_new(size_t clients_max)
{
	struct client_limits *l = mem_new(struct client_limits);
	map_init(&l->clients);
	list_init(&l->idle);
	l->max = clients_max;
	return l;
}

void client_limits_free(struct client_limits *l)
{
	size_t at = 0;
	struct str key;
	void *client;
	if (!l)
		return;
	while (map_next(&l->clients, &at, &key, &client))
		free(client);
	map_done(&l->clients);
	free(l);
}

static void forget(struct client_limits *l, struct client *c)
{
	assert(c->sessions == 0);
	link_remove(&c->idle);
	map_remove(&l->clients, key_bytes(&c->key));
	free(c);
}

static struct client *find_or_add(struct client_limits *l, struct ip key)
{
	struct client *c = map_get(&l->clients, key_bytes(&key));
	if (c)
		return c;
	if (l->clients.n >= l->max && !list_is_empty(&l->idle))
		forget(l, container_of(list_first(&l->idle), struct client, idle));
	c = mem_new(struct client);
	c->key = key;
	link_init(&c->idle);
	list_push_back(&l->idle, &c->idle);
	map_put(&l->clients, key_bytes(&key), c);
	return c;
}

static void touch(struct client_limits *l, struct client *c)
{
	link_remove(&c->idle);
	if (c->sessions == 0)
		list_push_back(&l->idle, &c->idle);
}

enum client_limit client_limits_enter(struct client_limits *l, const struct client_limits_conf *conf, struct ip ip,
                                      usec_t now, usec_t *wait)
{
	struct client *c = find_or_add(l, client_key(ip));
	double connects = (double)conf->connects_per_minute;
	struct bucket_rate rate = {.per_hour = 60 * connects, .burst = connects};
	if (conf->connects_per_minute && !bucket_take(&c->connects, rate, now)) {
		*wait = bucket_wait(&c->connects, rate, now);
		touch(l, c);
		return CLIENT_IS_TOO_FAST;
	}
	if (conf->sessions && c->sessions >= conf->sessions)
		return CLIENT_HAS_TOO_MANY;
	c->sessions++;
	touch(l, c);
	return CLIENT_WELCOME;
}

void client_limits_leave(struct client_limits *l, struct ip ip)
{
	struct ip key = client_key(ip);
	struct client *c = map_get(&l->clients, key_bytes(&key));
	assert(c && c->sessions > 0);
	c->sessions--;
	touch(l, c);
}

size_t client_limits_count(const struct client_limits *l)
{
	return l->clients.n;
}
