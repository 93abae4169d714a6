/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front of logging: one event is one line. The sink (journal, syslog, stderr, file; text or JSON)
 * is set once by cmd/; without one, warnings and errors go to stderr as text.
 * An event has a stable name and key=value pairs; values are escaped, so a peer cannot forge a line.
 *
 *	log_event(LOG_INFO_, "deliver", LOG_S("id", id), LOG_I("attempt", n));
 *
 * Bodies of messages never go into a log.
 */
#pragma once

#include "base/clock.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *key; /* NULL ends the list */
	struct str text;
	int64_t number;
	bool is_number;
};

#define LOG_S(k, s) ((struct log_field){(k), (s), 0, false})
#define LOG_C(k, c) ((struct log_field){(k), str_from(c), 0, false})
#define LOG_I(k, i) ((struct log_field){(k), STR_NONE, (i), true})
/* The first element only carries the comma, so that an event may have no field. */
#define log_event(level, name, ...)                                                                \
	log_write((level), (name), (const struct log_field[]){{0}, ##__VA_ARGS__, {0}} + 1)

/* The sink gets whole lines without the newline; NULL restores stderr. */
typedef void log_sink_fn(void *arg, enum log_level level, struct str line);
void log_open(enum log_format format, enum log_level least, log_sink_fn *sink, void *arg);
void log_write(enum log_level level, const char *name, const struct log_field *fields);
/* Where the time of a line comes from; NULL restores the system's clock. */
void log_clock(struct wall (*now)(void));
bool log_is_on(enum log_level level);
