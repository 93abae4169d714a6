/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue's configuration: its table, and the copies that fibers hold while they work. */
#include "queue/inside.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIELD(member) offsetof(struct queue_conf, member)
const struct conf_row queue_conf_rows[] = {
	{"retry_first", CONF_DURATION, FIELD(retry_first), "5m", USEC_S, USEC_DAY, NULL,
	 "Time until the second attempt at a deferred recipient; each further one waits twice as long."},
	{"retry_max", CONF_DURATION, FIELD(retry_max), "4h", USEC_S, 7 * USEC_DAY, NULL,
	 "Longest time between two attempts."},
	{"lifetime", CONF_DURATION, FIELD(lifetime), "5d", USEC_MIN, 60 * USEC_DAY, NULL,
	 "Time after which a message that nobody takes is returned to its sender."},
	{"delay_notice", CONF_DURATION, FIELD(delay_notice), "4h", 0, 60 * USEC_DAY, NULL,
	 "Time after which the sender is told once that a message is still on its way; 0: never."},
	{"keep_failed", CONF_DURATION, FIELD(keep_failed), "30d", 0, 3650 * USEC_DAY, NULL,
	 "Time after acceptance that failed messages are kept whose sender may not be told; 0: until they are removed."},
	{"concurrency", CONF_INT, FIELD(concurrency), "200", 1, 20000, NULL, "Sessions to next hops, in all."},
	{"per_site", CONF_INT, FIELD(per_site), "20", 1, 10000, NULL,
	 "Sessions to the hosts of one MX set; routes with a next hop have their own limit."},
	{"session_messages", CONF_INT, FIELD(session_messages), "100", 1, 1000000, NULL,
	 "Messages sent in one session before it is closed."},
	{"session_idle", CONF_DURATION, FIELD(session_idle), "2s", 0, 5 * USEC_MIN, NULL,
	 "Time that a session is kept open for further messages."},
	{"port", CONF_INT, FIELD(port), "25", 1, 65535, NULL, "Port of the hosts that MX records name."},
	{"dial_networks", CONF_NETS, FIELD(dial_networks), "", 0, 0, NULL,
	 "Networks that MX hosts may be in although mail to strangers never goes there: loopback, private, reserved."},
	{"tls", CONF_BOOL, FIELD(use_tls), "yes", 0, 0, NULL,
	 "Encrypt where it is offered; where the handshake fails, mail goes in clear."},
	{"ipv6", CONF_BOOL, FIELD(use_ipv6), "no", 0, 0, NULL,
	 "Also dial MX hosts by IPv6; only sensible where our own IPv6 address has a reverse name that leads back."},
	{"source", CONF_ADDR, FIELD(source), "", 1, 0, NULL, "Address that sessions come from."},
	CONF_ROWS_END,
};
const struct conf_section queue_section = {
	"queue", "Delivery: retries, notices and sessions to next hops.", queue_conf_rows, sizeof(struct queue_conf), false,
};

struct settings *queue_settings_new(const struct queue_conf *conf, const struct domains *domains)
{
	struct settings *s = mem_new(struct settings);
	*s = (struct settings){.conf = *conf, .domains = domains, .refs = 1};
	s->conf.dial_networks = (struct ip_set){0};
	if (conf->dial_networks.n) {
		size_t bytes = conf->dial_networks.n * sizeof(struct ip_net);
		s->conf.dial_networks = (struct ip_set){mem_alloc(bytes), conf->dial_networks.n};
		memcpy(s->conf.dial_networks.nets, conf->dial_networks.nets, bytes);
	}
	s->conf.source.path = STR_NONE;
	return s;
}

struct settings *queue_settings_ref(struct settings *s)
{
	s->refs++;
	return s;
}

void queue_settings_unref(struct settings *s)
{
	if (!s || --s->refs > 0)
		return;
	ip_set_done(&s->conf.dial_networks);
	free(s);
}
