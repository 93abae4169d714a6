/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a policy request ends, and what its lines say. */
#include "gate/policy_request.h"

static const char *const state_names[] = {
	[POLICY_STATE_OTHER] = "other",
	[POLICY_STATE_RCPT] = "RCPT",
	[POLICY_STATE_DATA] = "DATA",
	[POLICY_STATE_END] = "END-OF-MESSAGE",
};

const char *policy_state_name(enum policy_state state)
{
	return state_names[state];
}

size_t policy_request_length(struct str in, size_t *scanned)
{
	/* Nothing but the empty line is a request too, if a bad one. */
	if (in.n > 0 && in.p[0] == '\n')
		return 1;
	/* The first of two LFs may be the last byte that was seen before. */
	size_t from = *scanned ? *scanned - 1 : 0;
	size_t at = from + str_find(str_skip(in, from), STR("\n\n"));
	*scanned = in.n;
	return at < in.n ? at + 2 : 0;
}

enum attribute {
	REQUEST, STATE, INSTANCE, SENDER, RECIPIENT, RECIPIENT_COUNT, CLIENT_ADDRESS, HELO_NAME, SASL_USERNAME, QUEUE_ID,
	ATTRIBUTES,
};

static const struct str names[ATTRIBUTES] = {
	[REQUEST] = {"request", 7},
	[STATE] = {"protocol_state", 14},
	[INSTANCE] = {"instance", 8},
	[SENDER] = {"sender", 6},
	[RECIPIENT] = {"recipient", 9},
	[RECIPIENT_COUNT] = {"recipient_count", 15},
	[CLIENT_ADDRESS] = {"client_address", 14},
	[HELO_NAME] = {"helo_name", 9},
	[SASL_USERNAME] = {"sasl_username", 13},
	[QUEUE_ID] = {"queue_id", 8},
};

static enum attribute attribute_of(struct str name)
{
	enum attribute i = 0;
	while (i < ATTRIBUTES && !str_eq(name, names[i]))
		i++;
	return i;
}

static enum policy_state state_of(struct str value)
{
	for (enum policy_state s = POLICY_STATE_RCPT; s <= POLICY_STATE_END; s++)
		if (str_eq(value, str_from(state_names[s])))
			return s;
	return POLICY_STATE_OTHER;
}

/* One line into its place among the values; a value that is there already has p set. */
static bool take_line(struct str line, struct str *values, const char **why)
{
	size_t equals = str_find_char(line, '=');
	if (equals == line.n) {
		*why = "a line without =";
		return false;
	}
	enum attribute a = attribute_of(str_slice(line, 0, equals));
	if (a == ATTRIBUTES)
		return true;
	if (values[a].p) {
		*why = "an attribute twice";
		return false;
	}
	values[a] = str_skip(line, equals + 1);
	return true;
}

static bool take_lines(struct str whole, struct str *values, const char **why)
{
	struct str line;
	size_t n = 0;
	while (str_cut(&whole, '\n', &line) && line.n) {
		if (++n > POLICY_ATTRIBUTES_MAX) {
			*why = "too many attributes";
			return false;
		}
		if (!take_line(line, values, why))
			return false;
	}
	return true;
}

bool policy_request_parse(struct str whole, struct policy_request *out, const char **why)
{
	struct str values[ATTRIBUTES] = {{0}};
	uint64_t count = 0;
	if (str_find_char(whole, '\0') < whole.n) {
		*why = "a NUL";
		return false;
	}
	if (!take_lines(whole, values, why))
		return false;
	if (!str_eq(values[REQUEST], STR("smtpd_access_policy"))) {
		*why = "not request=smtpd_access_policy";
		return false;
	}
	if (values[RECIPIENT_COUNT].n && !str_to_u64(values[RECIPIENT_COUNT], UINT32_MAX, &count)) {
		*why = "recipient_count is not a number";
		return false;
	}
	*out = (struct policy_request){
		.state = state_of(values[STATE]),
		.instance = values[INSTANCE],
		.sender = values[SENDER],
		.recipient = values[RECIPIENT],
		.recipient_count = count,
		.client_address = values[CLIENT_ADDRESS],
		.helo_name = values[HELO_NAME],
		.sasl_username = values[SASL_USERNAME],
		.queue_id = values[QUEUE_ID],
	};
	return true;
}
