/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the statements set, route, file and dns to a configuration file and a DNS script. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/mem.h"
#include "peer.h"
#include "world.h"

#define TEXT_MAX_ (1u << 20)

static const struct {
	const char *key, *value;
} defaults[] = {
	{"daemon.state_directory", "\"{dir}\""},
	{"daemon.run_directory", "\"{dir}\""},
	{"daemon.exceptions", "\"{dir}/exceptions\""},
	{"gate.host", "mx.here.example"},
	{"gate.listen", "{\"203.0.113.1:25\"}"},
	{"gate.local_networks", "{\"10.0.0.0/8\"}"},
	{"verify.dial_networks", "{\"192.0.2.0/24\", \"198.51.100.0/24\"}"},
	{"verify.secret", "\"the secret of all scenarios\""},
	{"verify.tls", "no"},
	{"queue.dial_networks", "{\"192.0.2.0/24\", \"198.51.100.0/24\"}"},
	{"queue.tls", "no"},
	{"spool.directory", "\"/spool\""},
	{"spool.segment_size", "1M"},
	{"spool.reserve", "1M"},
	{"spool.free_min", "0"},
	{"spool.inodes_min", "0"},
};

static void set(struct str key, struct str value)
{
	free(map_put(&world.set, key, mem_cstr(value)));
}

void config_defaults(void)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		set(str_from(defaults[i].key), script_expand(&world.arena, str_from(defaults[i].value)));
}

void world_set(const struct statement *st, struct str rest)
{
	struct str key = script_word(st->number, &rest, "section.key"), value = str_trim(rest);

	if (str_find_char(key, '.') == key.n || value.n == 0)
		fail_at(st->number, "set section.key value");
	set(key, value);
}

static struct str body_text(const struct statement *st, const char *indent)
{
	auto_buf struct buf out = {.max = TEXT_MAX_};

	for (size_t i = 0; i < st->n_body; i++) {
		struct str line = script_expand(&world.arena, st->body[i].text);
		buf_printf(&out, "%s%.*s\n", indent, STR_ARG(line));
	}
	return arena_str(&world.arena, buf_view(&out));
}

/* The one route that there is without a `route` statement goes to a peer called backend. */
void world_route(const struct statement *st, struct str rest)
{
	struct str domain = script_word(st->number, &rest, "the domain");
	struct str body = body_text(st, "\t");

	world.routes = arena_printf(&world.arena, "%.*sroute \"%.*s\" {\n%.*s}\n", STR_ARG(world.routes), STR_ARG(domain),
	                            STR_ARG(body));
}

void world_file(const struct statement *st, struct str rest)
{
	struct str name = script_word(st->number, &rest, "the file's name"), body = body_text(st, "");
	struct str path = arena_printf(&world.arena, "%s/%.*s", world.directory, STR_ARG(name));
	char *cpath = arena_cstr(&world.arena, path);

	if (script_skip(&rest, "gone")) {
		remove(cpath);
		return;
	}
	FILE *f = fopen(cpath, "w");
	if (!f || (body.n && fwrite(body.p, body.n, 1, f) != 1) || fclose(f) != 0)
		fail_at(st->number, "%s cannot be written", cpath);
	/* Changed when the scenario's clock says so, however fast that runs. */
	struct timespec now = {.tv_sec = rt_wall().us / USEC_S, .tv_nsec = rt_wall().us % USEC_S * 1000};
	if (utimensat(AT_FDCWD, cpath, (const struct timespec[]){now, now}, 0) != 0)
		fail_at(st->number, "%s: no time", cpath);
}

/* --- the file --- */

static bool is_first_of_section(struct str section, struct str done)
{
	auto_buf struct buf word = {.max = 100};

	buf_printf(&word, " %.*s ", STR_ARG(section));
	return str_find(done, buf_view(&word)) == done.n;
}

static void print_section(struct buf *out, struct str section)
{
	size_t at = 0;
	struct str key;
	void *value;

	buf_printf(out, "%.*s {\n", STR_ARG(section));
	while (map_next(&world.set, &at, &key, &value)) {
		size_t dot = str_find_char(key, '.');
		if (str_eq(str_slice(key, 0, dot), section))
			buf_printf(out, "\t%.*s = %s\n", STR_ARG(str_skip(key, dot + 1)), (const char *)value);
	}
	buf_str(out, STR("}\n"));
}

static void print_sections(struct buf *out)
{
	auto_buf struct buf done = {.max = 1000};
	size_t at = 0;
	struct str key;
	void *value;

	buf_char(&done, ' ');
	while (map_next(&world.set, &at, &key, &value)) {
		struct str section = str_slice(key, 0, str_find_char(key, '.'));
		if (!is_first_of_section(section, buf_view(&done)))
			continue;
		print_section(out, section);
		buf_printf(&done, "%.*s ", STR_ARG(section));
	}
}

const char *config_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/postern.conf", world.directory);
	return path;
}

const char *config_write(void)
{
	auto_buf struct buf out = {.max = TEXT_MAX_};
	FILE *f = fopen(config_path(), "w");

	print_sections(&out);
	if (str_find(world.routes, STR("\"here.example\"")) == world.routes.n)
		buf_str(&out, STR("route \"here.example\" {\n\tkind = smtp\n\tnext_hop = \"192.0.2.200:25\"\n\trecipients = any\n}\n"));
	buf_str(&out, world.routes);
	if (!f || fwrite(out.p, out.n, 1, f) != 1 || fclose(f) != 0)
		abort();
	return config_path();
}

/* --- DNS --- */

static void add_dns(struct str json)
{
	world.dns = arena_printf(&world.arena, "%.*s%s%.*s", STR_ARG(world.dns), world.dns.n ? ",\n" : "", STR_ARG(json));
}

static void dns_line(unsigned line, struct str rest)
{
	struct str name = script_word(line, &rest, "a name"), type = script_word(line, &rest, "a type"), value;
	auto_buf struct buf quoted = {.max = 4096};

	rest = str_trim(rest);
	if (str_eq(type, STR("MX")) && str_find_char(rest, ' ') < rest.n) {
		struct str preference = script_word(line, &rest, "a preference");
		value = arena_printf(&world.arena, "[%.*s,\"%.*s\"]", STR_ARG(preference), STR_ARG(str_trim(rest)));
	} else {
		buf_json(&quoted, rest);
		value = buf_view(&quoted);
	}
	add_dns(arena_printf(&world.arena, "[\"%.*s\",\"%.*s\",%.*s]", STR_ARG(name), STR_ARG(type), STR_ARG(value)));
}

/* In the statement itself, or one in each line below it; `dns nothing` forgets all. */
void world_dns(const struct statement *st, struct str rest)
{
	if (script_skip(&rest, "nothing"))
		world.dns = STR_NONE;
	else if (rest.n)
		dns_line(st->number, rest);
	for (size_t i = 0; i < st->n_body; i++)
		if (st->body[i].text.n)
			dns_line(st->body[i].number, st->body[i].text);
}

static void add_peer(void *arg, const struct peer *p)
{
	struct str *dns = arg;
	char ip[IP_TEXT_MAX];

	*dns = arena_printf(&world.arena, "%.*s%s[\"%s\",\"%s\",\"%.*s\"]", STR_ARG(*dns), dns->n ? ",\n" : "", p->name,
	                    p->ip.family == 6 ? "AAAA" : "A", STR_ARG(ip_text(p->ip, ip)));
}

struct str config_dns(void)
{
	struct str dns = world.dns;

	peers_each(add_peer, &dns);
	return arena_printf(&world.arena, "[%.*s]", STR_ARG(dns));
}
