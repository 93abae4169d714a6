/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a script of DNS answers: a JSON list of [name, type, value] or [name, type, value, {ttl, secure}].
 */
#include "dns/script_read.h"

#include "base/hex.h"
#include "base/mem.h"
#include "dns/answer.h"
#include "dns/name.h"

#include <jansson.h>
#include <stdlib.h>

#define JSON_DEPTH_MAX 32

/* RFC 8259 strings may hold brackets, so they are skipped. Jansson recurses; this does not. */
static bool is_too_deep(struct str json)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static const struct {
	const char *name;
	unsigned type;
} types[] = {
	{"A", DNS_A}, {"AAAA", DNS_AAAA}, {"MX", DNS_MX}, {"TXT", DNS_TXT}, {"PTR", DNS_PTR},
	{"CNAME", DNS_CNAME}, {"NS", DNS_NS}, {"TLSA", DNS_TLSA}, {"SOA", DNS_SOA}, {"SPF", DNS_SPF}, {"*", SCRIPT_TYPE_ANY},
	/* Zones written out in full hold these too. */
	{"SRV", SCRIPT_TYPE_UNASKED}, {"CAA", SCRIPT_TYPE_UNASKED}, {"HINFO", SCRIPT_TYPE_UNASKED},
	{"DS", SCRIPT_TYPE_UNASKED}, {"DNSKEY", SCRIPT_TYPE_UNASKED}, {"RRSIG", SCRIPT_TYPE_UNASKED}, {"NSEC", SCRIPT_TYPE_UNASKED},
};

static bool read_type(const json_t *value, unsigned *type)
{
	struct str text = str_from(json_string_value(value));

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ieq(text, str_from(types[i].name))) {
			*type = types[i].type;
			return true;
		}
	return false;
}

static struct str json_text(const json_t *value)
{
	return json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)}
	                             : STR_NONE;
}

static bool read_outcome(const json_t *value, struct script_entry *e)
{
	struct str text = json_text(value);

	if (str_eq(text, STR("TIMEOUT"))) {
		e->kind = ENTRY_TIMEOUT;
		e->outcome = DNS_TEMPORARY;
		return true;
	}
	e->kind = ENTRY_OUTCOME;
	e->why = "";
	if (str_eq(text, STR("NXDOMAIN"))) {
		e->outcome = DNS_NXDOMAIN;
	} else if (str_eq(text, STR("SERVFAIL"))) {
		e->outcome = DNS_TEMPORARY;
		e->why = "SERVFAIL";
	} else if (str_eq(text, STR("BOGUS"))) {
		e->outcome = DNS_BOGUS;
		e->why = "the script says forged";
	} else {
		return false;
	}
	return true;
}

/* A name as a record holds it: lower case, no trailing dot, safe to print. */
static bool read_name(struct script *s, struct str text, struct str *out)
{
	struct dns_name name;

	return dns_name_parse(text, &name) && dns_name_text(&name, &s->arena, out);
}

static bool read_number(struct str *rest, uint64_t max, uint64_t *out)
{
	struct str word;
	return str_next_word(rest, &word) && str_to_u64(word, max, out);
}

static bool read_mx(struct script *s, const json_t *value, struct dns_record *out)
{
	const json_t *preference = json_array_get(value, 0), *host = json_array_get(value, 1);
	struct str text = json_text(host), rest = json_text(value), word;
	uint64_t n;

	if (json_array_size(value) == 2 && json_is_integer(preference) && json_is_string(host)) {
		if (json_integer_value(preference) < 0 || json_integer_value(preference) > UINT16_MAX)
			return false;
		n = (uint64_t)json_integer_value(preference);
	} else if (read_number(&rest, UINT16_MAX, &n) && str_next_word(&rest, &word)) {
		text = word; /* presentation form: "10 mx.example." */
	} else {
		return false;
	}
	out->mx.preference = (uint16_t)n;
	out->mx.host = STR_NONE;
	return str_is_empty(text) || read_name(s, text, &out->mx.host); /* "": null MX, as "." */
}

static bool read_txt(struct script *s, const json_t *value, struct dns_record *out)
{
	struct buf b;
	size_t i;
	const json_t *part;
	bool is_text = json_is_string(value) || json_is_array(value);

	buf_init(&b, (size_t)64 * 1024);
	if (json_is_string(value))
		buf_str(&b, json_text(value));
	json_array_foreach((json_t *)(uintptr_t)value, i, part) {
		is_text &= json_is_string(part);
		buf_str(&b, json_text(part));
	}
	is_text &= buf_ok(&b);
	if (is_text)
		out->text = arena_str(&s->arena, buf_view(&b));
	buf_done(&b);
	return is_text;
}

/* RFC 6698 2.2; the data may be broken by spaces. */
static bool read_tlsa(struct script *s, struct str rest, struct dns_record *out)
{
	uint64_t usage, selector, matching;
	struct str word;
	struct buf b;
	bool is_hex;

	if (!read_number(&rest, 255, &usage) || !read_number(&rest, 255, &selector) ||
	    !read_number(&rest, 255, &matching))
		return false;
	buf_init(&b, DNS_TEXT_MAX);
	is_hex = !str_is_empty(str_trim(rest));
	while (is_hex && str_next_word(&rest, &word))
		is_hex = hex_decode(&b, word);
	if (is_hex) {
		out->tlsa.usage = (uint8_t)usage;
		out->tlsa.selector = (uint8_t)selector;
		out->tlsa.matching = (uint8_t)matching;
		out->tlsa.data = arena_str(&s->arena, buf_view(&b));
	}
	buf_done(&b);
	return is_hex;
}

static bool read_soa(struct script *s, struct str rest, struct dns_record *out)
{
	uint32_t *numbers[] = {&out->soa.serial, &out->soa.refresh, &out->soa.retry, &out->soa.expire,
	                       &out->soa.minimum};
	struct str word;
	uint64_t n;

	if (!str_next_word(&rest, &word) || !read_name(s, word, &out->soa.mname))
		return false;
	if (!str_next_word(&rest, &word) || !read_name(s, word, &out->soa.rname))
		return false;
	for (size_t i = 0; i < 5; i++) {
		if (!read_number(&rest, UINT32_MAX, &n))
			return false;
		*numbers[i] = (uint32_t)n;
	}
	return true;
}

static bool read_address(struct str text, uint8_t family, struct ip *out)
{
	return ip_parse(text, out) && out->family == family;
}

static bool read_record(struct script *s, const json_t *value, unsigned type, struct dns_record *out)
{
	struct str text = json_text(value);

	switch (type) {
	case DNS_A:
		return read_address(text, 4, &out->ip);
	case DNS_AAAA:
		/* An IPv4-mapped address is a legal AAAA record, and IPv4 everywhere in here. */
		return ip_parse(text, &out->ip) && str_find_char(text, ':') < text.n;
	case DNS_MX:
		return read_mx(s, value, out);
	case DNS_TXT:
	case DNS_SPF:
		return read_txt(s, value, out);
	case DNS_PTR:
	case DNS_CNAME:
	case DNS_NS:
		return read_name(s, text, &out->name);
	case DNS_TLSA:
		return read_tlsa(s, text, out);
	case DNS_SOA:
		return read_soa(s, text, out);
	case SCRIPT_TYPE_UNASKED:
		return true;
	default:
		return false; /* `*` takes an outcome */
	}
}

static bool read_options(const json_t *options, struct script_entry *e)
{
	const json_t *ttl = json_object_get(options, "ttl"), *secure = json_object_get(options, "secure");

	e->ttl = SCRIPT_TTL_DEFAULT;
	e->is_secure = json_is_true(secure);
	if (!options)
		return true;
	if (!json_is_object(options) || (secure && !json_is_boolean(secure)))
		return false;
	if (!ttl)
		return true;
	if (!json_is_integer(ttl) || json_integer_value(ttl) < 0 || json_integer_value(ttl) > INT32_MAX)
		return false;
	e->ttl = (uint32_t)json_integer_value(ttl);
	return true;
}

static void add_entry(struct script *s, struct str name, struct script_entry *e)
{
	struct script_entries *all = map_get(&s->names, name);

	if (!all) {
		all = arena_new(&s->arena, struct script_entries);
		map_put(&s->names, name, all);
		all->first = e;
	} else {
		all->last->next = e;
	}
	all->last = e;
}

/* Lower case, no trailing dot. */
static struct str fold(struct script *s, struct str name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return arena_lower(&s->arena, name);
}

static bool read_entry(struct script *s, const json_t *line, struct err *err)
{
	const json_t *type = json_array_get(line, 1), *value = json_array_get(line, 2);
	size_t members = json_array_size(line);
	struct script_entry *e = arena_new(&s->arena, struct script_entry);
	struct str name = json_text(json_array_get(line, 0)), lower;

	if (members < 3 || members > 4)
		return err_perm(err, CAUSE_PROTOCOL, "not [name, type, value] or [name, type, value, {…}]");
	lower = fold(s, name);
	if (!read_type(type, &e->type))
		return err_perm(err, CAUSE_PROTOCOL, "unknown type for %.*s", STR_ARG(lower));
	if (e->type == DNS_CNAME && json_is_string(value) && json_string_length(value) == 0)
		e->type = SCRIPT_TYPE_UNASKED; /* an alias of the root: the name is there, and nothing at it */
	if (!read_options(json_array_get(line, 3), e))
		return err_perm(err, CAUSE_PROTOCOL, "wrong options for %.*s", STR_ARG(lower));
	if (!read_outcome(value, e)) {
		e->kind = ENTRY_RECORD;
		if (!read_record(s, value, e->type, &e->record))
			return err_perm(err, CAUSE_PROTOCOL, "wrong value for %.*s %s", STR_ARG(lower),
			                json_string_value(type));
		e->target = e->type == DNS_CNAME ? fold(s, json_text(value)) : STR_NONE;
	}
	add_entry(s, lower, e);
	return true;
}

static bool read_list(struct script *s, const json_t *root, struct err *err)
{
	json_t *line;
	size_t i;

	if (!json_is_array(root))
		return err_perm(err, CAUSE_PROTOCOL, "DNS script: not a list");
	json_array_foreach((json_t *)(uintptr_t)root, i, line)
		if (!read_entry(s, line, err))
			return err_context(err, "DNS script: entry %zu", i + 1);
	return true;
}

void script_free(struct script *s)
{
	map_done(&s->names);
	arena_done(&s->arena);
	free(s);
}

struct script *script_read_json(const struct json_t *list, struct err *err)
{
	struct script *s = mem_new(struct script);

	arena_init(&s->arena, SIZE_MAX);
	map_init(&s->names);
	if (read_list(s, list, err))
		return s;
	script_free(s);
	return NULL;
}

struct script *script_read(struct str json, struct err *err)
{
	json_error_t why;

	if (is_too_deep(json)) {
		err_perm(err, CAUSE_PROTOCOL, "DNS script: nested deeper than %d", JSON_DEPTH_MAX);
		return NULL;
	}
	json_t *root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (!root) {
		err_perm(err, CAUSE_PROTOCOL, "DNS script: line %d: %s", why.line, why.text);
		return NULL;
	}
	struct script *s = script_read_json(root, err);
	json_decref(root);
	return s;
}
