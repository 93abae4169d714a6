/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a mix, and the servers and the DNS that they describe. */
#include "bench/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define LINES_MAX 200000
#define MAILBOX_MAX 320

static void give_up(const char *path, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", path, why);
	exit(66);
}

struct reading {
	struct replay *r;
	const char *path;
	void (*line)(struct replay *r, char *const words[], size_t n);
	size_t words;
};

static void read_file(const struct reading *x, const char *directory, const char *name)
{
	char path[1024], line[2048], *words[9];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "re");
	if (!f)
		give_up(path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		size_t n = 0;
		char *rest = line;
		line[strcspn(line, "\n")] = '\0';
		for (char *word; n < 9 && (word = strsep(&rest, "\t"));)
			words[n++] = word;
		if (n != x->words)
			give_up(path, "a line of another kind");
		x->line(x->r, words, n);
	}
	fclose(f);
}

static struct str copy(struct replay *r, const char *word)
{
	return arena_str(&r->arena, str_from(word));
}

static struct ip address(const char *word)
{
	struct ip ip = {0};

	if (word[0] && !ip_parse(str_from(word), &ip))
		give_up(word, "is no address");
	return ip;
}

static void host_line(struct replay *r, char *const w[], size_t n)
{
	const struct lab_habit *h = lab_habit_find(str_from(w[1]));
	struct replay_host *host = &r->hosts[r->n_hosts++];

	if (!h)
		give_up(w[1], "is no habit of the lab");
	*host = (struct replay_host){address(w[0]), *h};
	if (h->greylist_s > 0)
		host->habit.greylist_s = (int)strtol(w[2], NULL, 10);
}

static void domain_line(struct replay *r, char *const w[], size_t n)
{
	r->domains[r->n_domains++] = (struct replay_domain){copy(r, w[0]), copy(r, w[1]), copy(r, w[2]), copy(r, w[4]),
	                                                    address(w[3])};
}

static void mailbox_line(struct replay *r, char *const w[], size_t n)
{
	map_put(&r->mailboxes, copy(r, w[0]), r);
}

static void mail_line(struct replay *r, char *const w[], size_t n)
{
	if (r->n_mails == LINES_MAX)
		give_up("mails", "too many");
	r->mails[r->n_mails++] = (struct replay_mail){
		.at = strtod(w[0], NULL),
		.kind = arena_cstr(&r->arena, str_from(w[1])),
		.client = address(w[2]),
		.helo = arena_cstr(&r->arena, str_from(w[3])),
		.sender = arena_cstr(&r->arena, str_from(w[4])),
		.rcpt = arena_cstr(&r->arena, str_from(w[5])),
		.is_first = w[6][0] == '1',
		.retries = w[7][0] == '1',
		.stage = "",
	};
}

void replay_load(struct replay *r, const char *directory)
{
	arena_init(&r->arena, SIZE_MAX / 2);
	map_init(&r->mailboxes);
	r->mails = arena_alloc(&r->arena, LINES_MAX * sizeof(*r->mails));
	r->domains = arena_alloc(&r->arena, LINES_MAX * sizeof(*r->domains));
	r->hosts = arena_alloc(&r->arena, LINES_MAX / 10 * sizeof(*r->hosts));
	read_file(&(struct reading){r, NULL, host_line, 3}, directory, "hosts");
	read_file(&(struct reading){r, NULL, domain_line, 5}, directory, "domains");
	read_file(&(struct reading){r, NULL, mailbox_line, 1}, directory, "mailboxes");
	read_file(&(struct reading){r, NULL, mail_line, 8}, directory, "mails");
}

/* --- mailboxes --- */

/* As listed, or "front*@domain" where the front ends in a sign that programs decorate with. */
static bool mailbox_exists(void *arg, struct str address_)
{
	const struct replay *r = arg;
	size_t at = str_rfind_char(address_, '@');
	char key[MAILBOX_MAX];

	if (map_get(&r->mailboxes, address_))
		return true;
	for (size_t i = 0; i < at && address_.n < MAILBOX_MAX - 2; i++) {
		if (!strchr("+=-", address_.p[i]))
			continue;
		int n = snprintf(key, sizeof(key), "%.*s*%.*s", (int)i + 1, address_.p, STR_ARG(str_skip(address_, at)));
		if (map_get(&r->mailboxes, (struct str){key, (size_t)n}))
			return true;
	}
	return false;
}

/* --- servers --- */

static void compress(struct lab_habit *h, double speed)
{
	/* Real sockets have real delays: those of slow servers are divided by ten, the window of greylisting as the week. */
	h->greeting_delay_ms /= speed > 1 ? 10 : 1;
	h->reply_delay_ms /= speed > 1 ? 10 : 1;
	if (h->greylist_s > 0 && speed > 1)
		h->greylist_s = (int)(h->greylist_s / speed) + 1;
}

bool replay_serve(struct replay *r, uint16_t port, struct group *root, struct err *err)
{
	if (!lab_mx_new(port, root, mailbox_exists, r, &r->mx, err))
		return false;
	for (size_t i = 0; i < r->n_hosts; i++) {
		compress(&r->hosts[i].habit, r->speed);
		if (!r->hosts[i].habit.is_down && !lab_mx_add(r->mx, &r->hosts[i].habit, r->hosts[i].ip, err))
			return false;
	}
	return true;
}

/* --- DNS --- */

static void record(struct buf *out, struct str name, const char *type, const char *value)
{
	buf_printf(out, "%s[\"%.*s\",\"%s\",%s]", out->n > 1 ? ",\n" : "", STR_ARG(name), type, value);
}

static void mx_records(const struct replay_domain *d, struct map *hosts, struct buf *out)
{
	char value[400], ip[IP_TEXT_MAX];

	snprintf(value, sizeof(value), "[10,\"%.*s\"]", STR_ARG(d->mx));
	record(out, d->name, "MX", value);
	if (d->spf.n > 0) {
		snprintf(value, sizeof(value), "\"%.*s\"", STR_ARG(d->spf));
		record(out, d->name, "TXT", value);
	}
	if (map_put(hosts, d->mx, hosts)) /* one address for each name is enough */
		return;
	snprintf(value, sizeof(value), "\"%.*s\"", STR_ARG(ip_text(d->ip, ip)));
	record(out, d->mx, "A", value);
}

static void domain_records(const struct replay_domain *d, struct map *hosts, struct buf *out)
{
	char value[400];

	if (str_eq(d->kind, STR("mx"))) {
		mx_records(d, hosts, out);
	} else if (str_eq(d->kind, STR("servfail"))) {
		record(out, d->name, "*", "\"SERVFAIL\"");
	} else if (str_eq(d->kind, STR("nullmx"))) {
		record(out, d->name, "MX", "[0,\".\"]");
	} else if (str_eq(d->kind, STR("nowhere"))) {
		snprintf(value, sizeof(value), "[10,\"mx.%.*s\"]", STR_ARG(d->name));
		record(out, d->name, "MX", value);
	} else if (str_eq(d->kind, STR("loopback"))) {
		record(out, d->name, "MX", "[10,\"loopback.example\"]");
		if (!map_put(hosts, STR("loopback.example"), hosts))
			record(out, STR("loopback.example"), "A", "\"127.0.0.1\"");
	} /* nxdomain: not listed */
}

void replay_dns(const struct replay *r, struct buf *out)
{
	struct map hosts;

	map_init(&hosts);
	buf_char(out, '[');
	for (size_t i = 0; i < r->n_domains; i++)
		domain_records(&r->domains[i], &hosts, out);
	buf_char(out, ']');
	map_done(&hosts);
}
