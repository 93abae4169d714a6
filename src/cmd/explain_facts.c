/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding whom and what a reply is about, in its words, in the log line or report around it, in options and configuration. */
#include "cmd/explain_facts.h"

#include "auth/dkim_record.h"
#include "cause/normalise.h"
#include "cmd/daemon_conf.h"
#include "cmd/own_addresses.h"
#include "gate/gate.h"
#include "mail/address.h"
#include "mail/bounce.h"
#include "mail/header.h"

static struct str behind(struct str s, const char *mark, const char *ends)
{
	size_t at = str_ifind(s, str_from(mark)), n = 0;

	if (at == s.n)
		return STR_NONE;
	struct str rest = str_skip(s, at + strlen(mark));
	while (n < rest.n && rest.p[n] && !strchr(ends, rest.p[n]))
		n++;
	return str_slice(rest, 0, n);
}

/* --- addresses of hosts --- */

static bool is_ip_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

static bool is_word_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* "[192.0.2.1]", "ip=2001:db8::1", "[IPv6:2001:db8::1]". */
static struct str first_ip(struct str s)
{
	struct ip ip;

	for (size_t i = 0; i < s.n; i++) {
		if (i > 0 && is_word_byte(s.p[i - 1]))
			continue;
		if (str_istarts(str_skip(s, i), STR("ipv6:")))
			i += 5;
		size_t end = i;
		while (end < s.n && is_ip_byte(s.p[end]))
			end++;
		while (end > i && (s.p[end - 1] == '.' || s.p[end - 1] == ':'))
			end--;
		struct str word = str_slice(s, i, end);
		if (word.n >= 4 && (end == s.n || !is_word_byte(s.p[end])) && ip_parse(word, &ip))
			return word;
	}
	return STR_NONE;
}

struct str explain_own_ip(struct str reply)
{
	struct reply_layers l;

	reply_split(str_slice(reply, 0, 8192), 0, &l);
	struct str parts[] = {l.before, l.after, l.inner};
	for (size_t i = 0; i < 3; i++) {
		struct str found = first_ip(parts[i]);
		if (found.n)
			return found;
	}
	return STR_NONE;
}

/* --- mail addresses --- */

static struct str clean_address(struct str s)
{
	s = str_trim(s);
	while (s.n > 0 && strchr("<>\"'(),;:", s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && strchr("<>\"'(),;:.", s.p[s.n - 1]))
		s.n--;
	return str_find_char(s, '@') < s.n ? s : STR_NONE;
}

static struct str domain_of(struct arena *arena, struct str address)
{
	struct str ascii;
	struct err err;
	size_t at = str_rfind_char(address, '@');

	if (address.n == 0 || at == address.n || !domain_to_ascii(arena, str_skip(address, at + 1), &ascii, &err))
		return STR_NONE;
	return ascii;
}

static bool is_about_sender(enum cause_id cause)
{
	return cause == CAUSE_SENDER_DOMAIN || cause == CAUSE_SENDER_VERIFY || cause == CAUSE_SENDER_INVALID ||
	       cause == CAUSE_SENDER_REJECTED;
}

static void find_addresses(const struct explain_input *in, const struct classification *what, struct explain_facts *f)
{
	struct str rest = in->reply, address = clean_address(bounce_address_next(&rest));
	bool is_sender = is_about_sender(what->cause) || str_ifind(in->reply, STR("sender")) < in->reply.n;

	f->recipient = clean_address(in->recipient);
	f->sender = clean_address(in->sender);
	if (address.n == 0 || str_ieq(address, f->recipient) || str_istarts(address, STR("postmaster@")))
		return;
	if (is_sender && f->sender.n == 0)
		f->sender = address;
	else if (!is_sender && f->recipient.n == 0)
		f->recipient = address;
}

/* --- a report: whose mail came back, and what it said of itself --- */

/* The value of a field of the returned message, which stands somewhere behind the report's own header. */
static struct str inner_field(struct arena *arena, struct str body, struct str mark)
{
	size_t at = str_ifind(body, mark), n = 0;

	if (at == body.n)
		return STR_NONE;
	struct str rest = str_slice(str_skip(body, at + mark.n), 0, 4096);
	while (n < rest.n && (rest.p[n] != '\n' || (n + 1 < rest.n && (rest.p[n + 1] == ' ' || rest.p[n + 1] == '\t'))))
		n++;
	return header_unfold(arena, str_slice(rest, 0, n));
}

static void read_mail(struct arena *arena, struct str mail, struct explain_facts *f)
{
	struct header_summary h;
	struct str value;
	struct dkim_signature signature = {0};
	const char *why;

	if (mail.n == 0)
		return;
	header_summarise(mail, &h);
	struct str body = str_skip(mail, h.body_offset > 0 ? h.body_offset - 1 : 0);
	if (f->sender.n == 0 && header_find(mail, STR("To"), &value))
		f->sender = clean_address(bounce_address_next(&value));
	f->when = inner_field(arena, body, STR("\nLast-Attempt-Date:"));
	if (f->when.n == 0)
		f->when = inner_field(arena, body, STR("\nArrival-Date:"));
	if (f->when.n == 0 && header_find(mail, STR("Date"), &value))
		f->when = header_unfold(arena, value);
	f->message_id = inner_field(arena, body, STR("\nMessage-ID:"));
	value = inner_field(arena, body, STR("\nDKIM-Signature:"));
	if (value.n > 0 && dkim_signature_parse(arena, DKIM_SIGNATURE, value, &signature, &why) && f->selector.n == 0)
		f->selector = signature.selector;
}

/* "blocked using zen.spamhaus.org": a name with dots right behind one of these words. */
static struct str find_zone(struct str reply)
{
	static const char *const marks[] = {"blocked using ", "listed in ", "listed by ", "listed on ", "listed at ", "using ", "is on ",
	                                    "blacklist ", "blocklist ", "rbl "};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		struct str word = behind(reply, marks[i], " ,;()[]<>\"'\r\n\t");
		while (word.n > 0 && strchr(".:", word.p[word.n - 1]))
			word.n--;
		if (str_find_char(word, '.') < word.n && str_find_char(word, '/') == word.n && domain_is_valid(word))
			return word;
	}
	return STR_NONE;
}

/* --- options and configuration --- */

static void from_options(const struct cmd *c, struct explain_facts *f)
{
	if (c->from)
		f->sender = str_from(c->from);
	if (c->to)
		f->recipient = str_from(c->to);
	if (c->helo)
		f->helo = str_from(c->helo);
	if (c->selector)
		f->selector = str_from(c->selector);
	if (c->ip)
		ip_parse(str_from(c->ip), &f->ip);
}

/* Our own name, address and domain stand in only where a configuration file says them. */
static void from_conf(const struct conf *conf, struct explain_facts *f)
{
	const struct route_conf *route;
	struct str local = STR_NONE;
	size_t n = 0;

	if (!conf || !conf_path(conf))
		return;
	if (f->ip.family == 0)
		own_addresses(conf, &f->ip, 1);
	if (f->helo.n == 0)
		f->helo = daemon_host(conf);
	for (size_t i = 0; (route = conf_get_titled(conf, &route_section, i)) != NULL; i++) {
		if (route->is_local && str_find_char(route->domain, '*') == route->domain.n) {
			local = route->domain;
			n++;
		}
	}
	if (f->sender_domain.n == 0 && n == 1)
		f->sender_domain = local;
}

void explain_facts_read(const struct cmd *c, const struct conf *conf, const struct explain_input *in,
                        const struct classification *what, struct str mail, struct explain_facts *out)
{
	struct explain_facts f = {.host = what->host.n ? what->host : in->host, .helo = in->helo, .when = in->when};
	struct str ascii;
	struct err err;

	find_addresses(in, what, &f);
	read_mail(c->arena, mail, &f);
	if (in->speaker == SPEAKER_HERE)
		ip_parse(first_ip(in->host), &f.ip);
	else if (in->speaker != SPEAKER_OWN) /* there every address is the other side's */
		ip_parse(explain_own_ip(in->reply), &f.ip);
	f.zone = find_zone(in->reply);
	from_options(c, &f);
	f.sender_domain = domain_of(c->arena, f.sender);
	if (c->domain && domain_to_ascii(c->arena, str_from(c->domain), &ascii, &err))
		f.sender_domain = ascii;
	f.recipient_domain = domain_of(c->arena, f.recipient);
	from_conf(conf, &f);
	*out = f;
}
