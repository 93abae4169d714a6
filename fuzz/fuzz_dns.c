/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a DNS response: read or refused, and never more than the bounds of an answer. */
#include "dns/answer.h"
#include "dns/message.h"
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum dns_type types[] = {DNS_A, DNS_MX, DNS_TXT, DNS_PTR, DNS_SOA, DNS_AAAA, DNS_TLSA, DNS_CNAME};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct err err;
		struct dns_answer *a = dns_answer_new(STR("a.test"), types[i]);
		bool is_read = dns_message_read((struct str){(const char *)data, n}, STR("a.test"), types[i], a, &err);
		if (a->n > DNS_RECORDS_MAX || (a->outcome == DNS_FOUND) != (a->n > 0) || (!is_read && a->n > 0))
			__builtin_trap();
		dns_answer_release(a);
	}
	return 0;
}
