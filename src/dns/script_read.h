/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A script of DNS answers (`--dns`) as it is kept: for each name its entries in the order of the script.
 * The script is the operator's, so faults in it are errors with the number of the entry, never ignored.
 */
#pragma once

#include "base/map.h"
#include "dns/dns.h"

#define SCRIPT_TYPE_ANY     255 /* `*` */
#define SCRIPT_TYPE_UNASKED 0   /* makes the name exist, nothing more */
#define SCRIPT_TTL_DEFAULT  300

enum entry_kind { ENTRY_RECORD, ENTRY_OUTCOME, ENTRY_TIMEOUT };

/* One line of the script, in the list of its name in the order of the script. */
struct script_entry {
	struct script_entry *next;
	unsigned type;
	enum entry_kind kind;
	enum dns_outcome outcome;
	const char *why;
	struct dns_record record;
	struct str target; /* CNAME: as the map spells it, without escapes */
	uint32_t ttl;
	bool is_secure;
};
struct script_entries {
	struct script_entry *first, *last;
};
struct script {
	struct arena arena;
	struct map names; /* lower case → struct script_entries */
};

struct json_t;
struct script *script_read(struct str json, struct err *err);
/* A list that was parsed already; it is not kept. */
struct script *script_read_json(const struct json_t *list, struct err *err);
void script_free(struct script *s);
