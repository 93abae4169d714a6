/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the JSON that sending services post instead of a bounce. */
#include "cmd/explain_notice.h"

#include <jansson.h>

#include "base/auto.h"
#include "cmd/batch.h"

AUTO_DEFINE(json, json_t *, json_decref);

#define NESTED_MAX 3 /* SNS in a queue's envelope holds the notification as a text in a text */

static const json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name); /* NULL for what is no object */
}

static struct str text_at(struct arena *arena, const json_t *object, const char *name)
{
	const json_t *value = member(object, name);

	if (json_is_integer(value))
		return arena_printf(arena, "%lld", (long long)json_integer_value(value));
	return json_is_string(value) ? arena_str(arena, (struct str){json_string_value(value), json_string_length(value)}) : STR_NONE;
}

/* "smtp; 550 5.1.1 …" */
static struct str without_type(struct str s)
{
	size_t at = str_find_char(s, ';');
	return str_istarts(s, STR("smtp;")) || str_istarts(s, STR("x-")) ? str_trim(str_skip(s, at < s.n ? at + 1 : 0)) : s;
}

/* --- Amazon SES --- */

static void ses_rcpts(struct arena *arena, const json_t *list, const json_t *about, const char *action, struct bounce *out)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		struct bounce_rcpt r = {.action = text_at(arena, one, "action"), .status = text_at(arena, one, "status"),
		                        .diagnostic = bounce_one_line(arena, without_type(text_at(arena, one, "diagnosticCode"))),
		                        .remote_mta = text_at(arena, about, "remoteMtaIp")};
		r.address = json_is_string(one) ? arena_str(arena, str_from(json_string_value(one))) : text_at(arena, one, "emailAddress");
		if (r.action.n == 0)
			r.action = str_from(action);
		/* What SES found itself it says in two words; the class is all there is. */
		if (r.diagnostic.n == 0 && str_ieq(text_at(arena, about, "bounceSubType"), STR("Suppressed")))
			r.diagnostic = STR("550 5.1.1 Recipient is on the sending service's own suppression list after earlier bounces");
		if (r.diagnostic.n == 0)
			r.diagnostic = bounce_one_line(arena, text_at(arena, about, "smtpResponse"));
		if (r.diagnostic.n == 0)
			r.diagnostic = str_trim(arena_printf(arena, "%.*s %.*s", STR_ARG(text_at(arena, about, "bounceType")),
			                                     STR_ARG(text_at(arena, about, "bounceSubType"))));
		bounce_rcpt_add(out, &r);
	}
}

static bool read_ses(struct arena *arena, const json_t *root, struct bounce *out)
{
	static const struct {
		const char *type, *about, *list, *action;
		enum bounce_kind kind;
	} rows[] = {
		{"Bounce", "bounce", "bouncedRecipients", "failed", BOUNCE_FAILED},
		{"Complaint", "complaint", "complainedRecipients", "", BOUNCE_FEEDBACK},
		{"Delivery", "delivery", "recipients", "delivered", BOUNCE_DELIVERED},
		{"DeliveryDelay", "deliveryDelay", "delayedRecipients", "delayed", BOUNCE_DELAYED},
	};
	struct str type = text_at(arena, root, "notificationType");

	if (type.n == 0)
		type = text_at(arena, root, "eventType");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const json_t *about = member(root, rows[i].about);
		if (!str_ieq(type, str_from(rows[i].type)) || !about)
			continue;
		out->kind = rows[i].kind;
		out->reporter = text_at(arena, about, "reportingMTA");
		ses_rcpts(arena, member(about, rows[i].list), about, rows[i].action, out);
		return true;
	}
	return false;
}

/* --- the others: one event, one recipient --- */

static enum bounce_kind event_kind(struct str event, bool is_temporary)
{
	static const struct {
		const char *name;
		enum bounce_kind kind;
	} rows[] = {
		{"bounce", BOUNCE_FAILED}, {"dropped", BOUNCE_FAILED}, {"failed", BOUNCE_FAILED}, {"blocked", BOUNCE_FAILED}, {"out_of_band", BOUNCE_FAILED},
		{"rejected", BOUNCE_FAILED}, {"policy_rejection", BOUNCE_FAILED}, {"deferred", BOUNCE_DELAYED}, {"delay", BOUNCE_DELAYED},
		{"spamreport", BOUNCE_FEEDBACK}, {"complained", BOUNCE_FEEDBACK}, {"spamcomplaint", BOUNCE_FEEDBACK}, {"spam_complaint", BOUNCE_FEEDBACK},
		{"delivered", BOUNCE_DELIVERED}, {"delivery", BOUNCE_DELIVERED},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (str_ieq(event, str_from(rows[i].name)))
			return rows[i].kind == BOUNCE_FAILED && is_temporary ? BOUNCE_DELAYED : rows[i].kind;
	return BOUNCE_NONE;
}

static bool add_event(struct arena *arena, enum bounce_kind kind, struct bounce_rcpt r, struct bounce *out)
{
	if (kind == BOUNCE_NONE || r.address.n == 0)
		return false;
	out->kind = kind;
	r.action = kind == BOUNCE_FAILED ? STR("failed") : kind == BOUNCE_DELAYED ? STR("delayed") : kind == BOUNCE_DELIVERED ? STR("delivered") : STR_NONE;
	r.diagnostic = bounce_one_line(arena, without_type(r.diagnostic));
	bounce_rcpt_add(out, &r);
	return true;
}

/* {"event":"bounce","email":…,"reason":"550 …","status":"5.1.1"} */
static bool read_sendgrid(struct arena *arena, const json_t *root, struct bounce *out)
{
	struct str reason = text_at(arena, root, "reason");

	if (reason.n == 0)
		reason = text_at(arena, root, "response");
	return add_event(arena, event_kind(text_at(arena, root, "event"), false),
	                 (struct bounce_rcpt){.address = text_at(arena, root, "email"), .status = text_at(arena, root, "status"), .diagnostic = reason}, out);
}

/* {"event-data":{"event":"failed","severity":"temporary","recipient":…,"delivery-status":{"code":450,"message":…}}} */
static bool read_mailgun(struct arena *arena, const json_t *root, struct bounce *out)
{
	const json_t *data = member(root, "event-data"), *status = member(data, "delivery-status");
	struct str code = text_at(arena, status, "code"), words = text_at(arena, status, "message");

	if (words.n == 0)
		words = text_at(arena, status, "description");
	if (code.n == 3 && !str_starts(words, code))
		words = arena_printf(arena, "%.*s %.*s", STR_ARG(code), STR_ARG(words));
	return add_event(arena, event_kind(text_at(arena, data, "event"), str_ieq(text_at(arena, data, "severity"), STR("temporary"))),
	                 (struct bounce_rcpt){.address = text_at(arena, data, "recipient"), .diagnostic = words,
	                                      .remote_mta = text_at(arena, status, "mx-host")}, out);
}

/* {"RecordType":"Bounce","Type":"HardBounce","Email":…,"Details":"smtp;550 …"} */
static bool read_postmark(struct arena *arena, const json_t *root, struct bounce *out)
{
	struct str type = text_at(arena, root, "Type"), words = text_at(arena, root, "Details");
	bool is_temporary = str_ieq(type, STR("Transient")) || str_ieq(type, STR("SoftBounce")) || str_ieq(type, STR("DnsError"));
	struct str email = text_at(arena, root, "Email");

	if (words.n == 0)
		words = text_at(arena, root, "Description");
	return add_event(arena, event_kind(text_at(arena, root, "RecordType"), is_temporary),
	                 (struct bounce_rcpt){.address = email.n ? email : text_at(arena, root, "Recipient"), .diagnostic = words}, out);
}

/* {"msys":{"message_event":{"type":"bounce","rcpt_to":…,"raw_reason":"550 …"}}} */
static bool read_sparkpost(struct arena *arena, const json_t *root, struct bounce *out)
{
	const json_t *event = member(member(root, "msys"), "message_event");
	struct str words = text_at(arena, event, "raw_reason");

	if (words.n == 0)
		words = text_at(arena, event, "reason");
	return add_event(arena, event_kind(text_at(arena, event, "type"), false),
	                 (struct bounce_rcpt){.address = text_at(arena, event, "rcpt_to"), .diagnostic = words}, out);
}

static bool read_event(struct arena *arena, const json_t *root, struct bounce *out)
{
	return read_ses(arena, root, out) || read_mailgun(arena, root, out) || read_sparkpost(arena, root, out) ||
	       read_postmark(arena, root, out) || read_sendgrid(arena, root, out);
}

/* From the first '{' or '[' on: what SNS mails has words around it. */
static json_t *load(struct str text)
{
	size_t at = 0;
	json_error_t why;

	while (at < text.n && text.p[at] != '{' && text.p[at] != '[')
		at++;
	struct str rest = str_slice(str_skip(text, at), 0, BOUNCE_MAX);
	return rest.n == 0 || batch_is_too_deep(rest) ? NULL : json_loadb(rest.p, rest.n, JSON_DISABLE_EOF_CHECK, &why);
}

bool explain_notice_read(struct arena *arena, struct str text, struct bounce *out)
{
	*out = (struct bounce){0};
	for (int nested = 0; nested < NESTED_MAX; nested++) {
		AUTO(json) json_t *root = load(text);
		bool is_known = read_event(arena, root, out);
		for (size_t i = 0; i < json_array_size(root); i++)
			is_known |= read_event(arena, json_array_get(root, i), out);
		if (is_known)
			return true;
		text = text_at(arena, root, "Message");
		if (text.n == 0)
			text = text_at(arena, root, "body");
		if (text.n == 0)
			return false;
	}
	return false;
}
