/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the resolver from the command line and prints one JSON line for each question: how tests look at
 * libunbound and at real name servers through our eyes.
 *
 *	dns_query [--resolver ADDR@PORT] [--anchor FILE|none] [--timeout SECONDS] NAME TYPE [NAME TYPE ...]
 */
#include "base/hex.h"
#include "dns/dns.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)

struct asking {
	struct dns_conf conf;
	char **words;
	int n;
	int status;
};

static void print_record(struct buf *out, enum dns_type type, const struct dns_record *r)
{
	char ip[IP_TEXT_MAX];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		buf_json(out, ip_text(r->ip, ip));
		break;
	case DNS_MX:
		buf_printf(out, "[%u,", r->mx.preference);
		buf_json(out, r->mx.host);
		buf_char(out, ']');
		break;
	case DNS_TXT:
	case DNS_SPF:
		buf_json(out, r->text);
		break;
	case DNS_PTR:
	case DNS_CNAME:
	case DNS_NS:
		buf_json(out, r->name);
		break;
	case DNS_TLSA:
		buf_printf(out, "[%u,%u,%u,\"", r->tlsa.usage, r->tlsa.selector, r->tlsa.matching);
		hex_encode(out, r->tlsa.data);
		buf_str(out, STR("\"]"));
		break;
	case DNS_SOA:
		buf_json(out, r->soa.mname);
		break;
	}
}

static void print_answer(const struct dns_answer *a, usec_t took)
{
	struct buf out;

	buf_init(&out, OUTPUT_MAX);
	buf_str(&out, STR("{\"name\":"));
	buf_json(&out, a->name);
	buf_printf(&out, ",\"type\":\"%s\",\"outcome\":\"%s\",\"secure\":%s,\"cut\":%s,\"ttl\":%u,\"took_ms\":%lld,\"why\":",
	           dns_type_name(a->type), dns_outcome_name(a->outcome), a->is_secure ? "true" : "false",
	           a->is_cut ? "true" : "false", a->ttl, (long long)(took / USEC_MS));
	buf_json(&out, a->why);
	buf_str(&out, STR(",\"canonical\":"));
	buf_json(&out, a->canonical);
	buf_str(&out, STR(",\"records\":["));
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			buf_char(&out, ',');
		print_record(&out, a->type, &a->records[i]);
	}
	buf_str(&out, STR("]}\n"));
	fwrite(out.p, 1, out.n, stdout);
	fflush(stdout);
	buf_done(&out);
}

static bool read_type(const char *text, enum dns_type *type)
{
	static const enum dns_type types[] = {DNS_A,  DNS_NS,  DNS_CNAME, DNS_SOA, DNS_PTR,
	                                      DNS_MX, DNS_TXT, DNS_AAAA,  DNS_TLSA, DNS_SPF};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ieq(str_from(text), str_from(dns_type_name(types[i])))) {
			*type = types[i];
			return true;
		}
	return false;
}

WAITS static void ask(void *arg)
{
	struct asking *q = arg;
	const struct dns_answer *a;
	enum dns_type type;
	struct err err;
	struct resolver *r = resolver_open(&q->conf, &err);
	bool is_fine = r != NULL;

	for (int i = 0; is_fine && i + 1 < q->n; i += 2) {
		usec_t begun = rt_now();
		if (!read_type(q->words[i + 1], &type))
			is_fine = err_perm(&err, CAUSE_PROTOCOL, "unknown type %s", q->words[i + 1]);
		else
			is_fine = dns_lookup(r, str_from(q->words[i]), type, &a, &err);
		if (is_fine) {
			print_answer(a, rt_now() - begun);
			dns_answer_release(a);
		}
	}
	if (!is_fine)
		fprintf(stderr, "dns_query: %s\n", err.text);
	q->status = is_fine ? 0 : 3;
	resolver_close(r);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"resolver", required_argument, NULL, 'r'},
	                                        {"anchor", required_argument, NULL, 'a'},
	                                        {"timeout", required_argument, NULL, 't'},
	                                        {0}};
	struct asking q = {.status = 64};
	struct rt_options rt = {.offload_threads = 1};
	struct dns_conf defaults;
	struct err err;
	int option;

	conf_rows_default(dns_conf_rows, &defaults, sizeof(defaults));
	q.conf = defaults;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			q.conf.resolver = str_from(optarg);
		else if (option == 'a')
			q.conf.trust_anchor = str_from(optarg);
		else if (option == 't')
			q.conf.timeout = (usec_t)(strtod(optarg, NULL) * (double)USEC_S);
		else
			return q.status;
	}
	q.words = argv + optind;
	q.n = argc - optind;
	if (!rt_run(&rt, ask, &q, &err))
		fprintf(stderr, "dns_query: %s\n", err.text);
	conf_rows_done(dns_conf_rows, &defaults);
	return q.status;
}
