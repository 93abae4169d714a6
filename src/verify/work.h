/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work under way: one for each address (single-flight), collected in flights, one for each target.
 *
 *	verify_start ─► work_join ─► a work of this key is there: share its ticket
 *	                         └─► new work ─► flight of the domain: waiting
 *	flight (one fiber for each domain or next hop): while works wait, session after session
 *	probe_session_run ─► every work it took up is completed: ticket, cache, metrics
 *
 * A work ends by work_complete, whoever asked may have left long ago.
 */
#pragma once

#include "verify/service.h"

struct flight;
struct work {
	struct link in_flight;
	struct verify *v;
	struct flight *flight;
	struct str key;               /* memory of the work */
	struct address address;
	struct ticket *ticket;
	struct ip client;
	bool is_vouched;
	bool is_background;           /* our own re-probe: nobody waits */
	struct wall first;            /* of a row of temporary answers */
	unsigned attempts;            /* own re-probes in that row, with this one */
	usec_t begun;
	struct arena arena;
};
struct flight {
	struct verify *v;
	struct str key;               /* the domain, or "→[ip]:port#n" */
	struct list waiting;          /* works */
	bool is_hop;
	struct verify_next_hop hop;   /* host: memory of the flight */
	char *text;                   /* what key and hop.host point into */
};

/* A counted reference to the ticket of the work on key: shared or begun. hop NULL: the domain's own servers. */
struct ticket *work_join(struct verify *v, struct str key, const struct address *a, const struct evidence *e,
                         const struct verify_next_hop *hop);
/* Begins in the background, unless the address is being asked about already. */
void work_reprobe(struct verify *v, struct str key, struct wall first, unsigned attempts);
/* Completes the ticket with a copy of *a, and frees the work. */
void work_complete(struct work *w, const struct verify_answer *a, struct str head, struct str tail);
size_t works_count(const struct verify *v);
