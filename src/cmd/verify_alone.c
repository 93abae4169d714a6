/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verification without a daemon, for one question or a few. */
#include "cmd/verify_alone.h"

#include "cmd/daemon_conf.h"

/* --dns with a port names a test set-up: loopback may be dialled there, as the lab's configuration allows. */
static bool test_network_allow(struct verify_alone *a, struct err *err)
{
	struct ip_set *set = &a->test_networks;
	char text[IP_TEXT_MAX + 4];

	for (size_t i = 0; i < a->conf.dial_networks.n; i++) {
		if (!ip_set_add(set, ip_net_text(a->conf.dial_networks.nets[i], text), err))
			return false;
	}
	if (!ip_set_add(set, STR("127.0.0.0/8"), err))
		return false;
	a->conf.dial_networks = *set;
	return true;
}

bool verify_alone_open(struct verify_alone *a, const struct cmd *c, const struct conf *conf, struct str dns_script,
                       int64_t port, struct err *err)
{
	struct verify_deps deps;

	*a = (struct verify_alone){0};
	group_init(&a->root, "verify");
	a->conf = *(const struct verify_conf *)conf_get(conf, &verify_section);
	a->dns = *(const struct dns_conf *)conf_get(conf, &dns_section);
	if (c->timeout > 0)
		a->conf.work = a->conf.wait = c->timeout;
	if (a->conf.wait < a->conf.work)
		a->conf.wait = a->conf.work;
	a->conf.mode = VERIFY_MODE_ENFORCE;
	if (c->resolver)
		a->dns.resolver = str_from(c->resolver);
	if (port > 0)
		a->conf.port = port;
	if (dns_script.n > 0 && port > 0 && !test_network_allow(a, err))
		return false;
	a->resolver = dns_script.n > 0 ? resolver_open_script(&a->dns, dns_script, err) : resolver_open(&a->dns, err);
	a->store = a->resolver ? store_open(NULL, NULL, err) : NULL;
	a->tls = a->store ? tls_client_context(err) : NULL;
	if (!a->tls)
		return false;
	deps = (struct verify_deps){.resolver = a->resolver, .store = a->store, .tls = a->tls, .host = daemon_host(conf)};
	return verify_open(&a->conf, &deps, &a->verify, err);
}

void verify_alone_close(struct verify_alone *a)
{
	group_cancel(&a->root);
	verify_close(a->verify);
	group_done(&a->root);
	if (a->store)
		store_close(a->store);
	resolver_close(a->resolver);
	tls_context_unref(a->tls);
	ip_set_done(&a->test_networks);
}
