/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that strangers may see us come from: as configured, else by the interfaces. */
#include "cmd/own_addresses.h"

#include <ifaddrs.h>

#include "cmd/daemon_conf.h"
#include "verify/verify.h"

size_t own_addresses(const struct conf *conf, struct ip *out, size_t max)
{
	const struct verify_conf *verify = conf_get(conf, &verify_section);
	const struct daemon_conf *daemon = conf_get(conf, &daemon_section);
	struct ifaddrs *all = NULL;
	size_t n = 0;
	uint16_t port;

	if (verify->source.ip.family != 0 && max > 0) {
		out[0] = verify->source.ip;
		return 1;
	}
	for (size_t i = 0; i < daemon->own_addresses.n && n < max; i++)
		out[n++] = daemon->own_addresses.nets[i].ip;
	if (n > 0 || getifaddrs(&all) != 0)
		return n;
	for (struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (i->ifa_addr && ip_from_sockaddr(i->ifa_addr, &out[n], &port) && !ip_is_unusable_target(out[n]))
			n++;
	}
	freeifaddrs(all);
	return n;
}
