/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row of a module's configuration table: key, type, unit, limits, default and help sentence.
 * The table is parser, validator, default and manual page at once. A module exports
 * `const struct conf_row x_conf_rows[]` (ended by a row without key) that fill its `struct x_conf`;
 * conf/ collects the tables into sections. Strings in a filled struct belong to the loaded
 * configuration and live until its last user has let it go.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"

enum conf_type {
	CONF_BOOL,     /* bool */
	CONF_INT,      /* int64_t, min..max */
	CONF_SIZE,     /* int64_t bytes; "64k", "25M", "1G" */
	CONF_DURATION, /* usec_t; "500ms", "25s", "4h", "7d", "1h30m" */
	CONF_TEXT,     /* struct str */
	CONF_CHOICE,   /* int, index into `choices` */
	CONF_ADDR,     /* struct conf_addr; "127.0.0.1:25", "[::1]:25", "unix:/run/x" */
	CONF_TEXTS,    /* struct conf_texts; {"a", "b"} */
	CONF_NETS,     /* struct ip_set; {"10.0.0.0/8"} */
};

struct conf_addr {
	struct ip ip;      /* family 0 with a path: Unix socket; both empty: not set */
	uint16_t port;
	struct str path;
};
struct conf_texts {
	struct str *items;
	size_t n;
};

struct conf_row {
	const char *key;
	enum conf_type type;
	size_t offset;           /* into the module's struct */
	const char *fallback;    /* the default as it would stand in the file; lists comma-separated */
	int64_t min, max;        /* CONF_INT, CONF_SIZE, CONF_DURATION (µs); both 0: no limits.
	                          * CONF_ADDR: min is the port that may be left out, 0: none may */
	const char *choices;     /* CONF_CHOICE: "off|observe|tag|enforce" in enum order */
	const char *help;        /* one sentence, with the unit */
};
#define CONF_ROWS_END {0}

/* A section of the file; a module with several (one per listener, route) is titled. */
struct conf_section {
	const char *name;
	const char *help;
	const struct conf_row *rows;
	size_t size;       /* of the module's struct */
	bool is_titled;    /* route "example.org" { … } */
};

/* Parsing of single values, used by conf/ and by the command line. */
bool conf_parse_duration(struct str s, usec_t *out);
bool conf_parse_size(struct str s, int64_t *out);
bool conf_parse_addr(struct str s, uint16_t default_port, struct conf_addr *out, struct err *err);
/* All defaults of a table into `out` (zeroed first). Lists and texts are heap memory reachable from
 * out; conf_rows_done frees them. Asserts that the table itself is sane. */
void conf_rows_default(const struct conf_row *rows, void *out, size_t size);
/* One value as text into its field; `err` names the key, the value and what is allowed. */
bool conf_row_set(const struct conf_row *row, void *out, struct str value, struct err *err);
/* One more item for a list, taken as it is; conf_row_set with an empty value empties the list first. */
bool conf_row_add(const struct conf_row *row, void *out, struct str item, struct err *err);
bool conf_row_is_list(const struct conf_row *row);
void conf_rows_done(const struct conf_row *rows, void *out);
