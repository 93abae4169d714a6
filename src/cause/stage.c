/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stages of an SMTP conversation by the names that people, logs and reports give them. */
#include "cause/rules.h"

static const struct {
	const char *name;
	enum cause_stage stage;
} stages[] = {
	{"unknown", CAUSE_AT_UNKNOWN},         {"connect", CAUSE_AT_CONNECT},
	{"helo", CAUSE_AT_HELO},               {"mail", CAUSE_AT_MAIL},
	{"rcpt", CAUSE_AT_RCPT},               {"data", CAUSE_AT_DATA},
	{"end_of_data", CAUSE_AT_END_OF_DATA}, /* the names that are written stand first */
	{"banner", CAUSE_AT_CONNECT},          {"greeting", CAUSE_AT_CONNECT},
	{"initial connection", CAUSE_AT_CONNECT}, {"ehlo", CAUSE_AT_HELO},
	{"lhlo", CAUSE_AT_HELO},               {"starttls", CAUSE_AT_HELO},
	{"auth", CAUSE_AT_HELO},               {"mail from", CAUSE_AT_MAIL},
	{"mail_from", CAUSE_AT_MAIL},          {"rcpt to", CAUSE_AT_RCPT},
	{"rcpt_to", CAUSE_AT_RCPT},            {"end of data", CAUSE_AT_END_OF_DATA},
	{"end-of-data", CAUSE_AT_END_OF_DATA}, {"dot", CAUSE_AT_END_OF_DATA},
	{"eod", CAUSE_AT_END_OF_DATA},         {"bdat", CAUSE_AT_END_OF_DATA},
	{"body", CAUSE_AT_END_OF_DATA},        {"message", CAUSE_AT_END_OF_DATA},
};

bool cause_stage_parse(struct str name, enum cause_stage *out)
{
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		if (str_ieq(name, str_from(stages[i].name))) {
			*out = stages[i].stage;
			return true;
		}
	}
	return false;
}

struct str cause_stage_name(enum cause_stage stage)
{
	return str_from(stages[stage].name);
}
