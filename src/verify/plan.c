/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reasons for not asking that need neither memory nor network. */
#include "verify/plan.h"

static bool is_own_domain(const struct verify_conf *conf, struct str domain)
{
	for (size_t i = 0; i < conf->own_domains.n; i++)
		if (str_ieq(conf->own_domains.items[i], domain))
			return true;
	return false;
}

/* Our own probe sender, here as somebody's sender: asking for it would be asking ourselves. */
static bool is_probe_address(const struct verify *v, const struct address *a)
{
	struct str probe = str_from(v->probe_sender);
	size_t at = str_rfind_char(probe, '@');
	return str_ieq(a->local, str_slice(probe, 0, at)) && str_ieq(a->ascii_domain, str_skip(probe, at + 1));
}

enum verify_skip plan_skip(struct verify *v, const struct address *sender, const struct evidence *e)
{
	if (v->mode == VERIFY_MODE_OFF)
		return SKIP_OFF;
	if (sender->local.n == 0 && sender->ascii_domain.n == 0)
		return SKIP_NULL_SENDER;
	if (e->is_local_network)
		return SKIP_LOCAL_NETWORK;
	if (e->is_authenticated)
		return SKIP_AUTHENTICATED;
	if (is_probe_address(v, sender))
		return SKIP_PROBE_ADDRESS;
	if (is_own_domain(v->conf, sender->ascii_domain))
		return SKIP_OWN_DOMAIN;
	if (v->deps.is_exempt && v->deps.is_exempt(v->deps.arg, sender, e->client))
		return SKIP_EXEMPT;
	return SKIP_NONE;
}
