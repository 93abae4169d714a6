/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in a PEM file of a certificate chain: its end, its names, and whether somebody else could follow the chain. */
#pragma once

#include "base/clock.h"
#include "base/err.h"

/* When the first certificate of the file ends. */
bool certificate_end(const char *path, struct wall *end);

struct certificate {
	struct wall begin, end;      /* the shortest of the chain */
	char subject[128];           /* its first name */
	bool has_name;               /* it is valid for the host that was asked about */
	bool has_chain;              /* it leads to a root of this system with what the file itself holds */
	char chain_trouble[128];
};
/* host: text with an end. False: the file cannot be read as certificates. */
bool certificate_read_file(const char *path, const char *host, struct certificate *out, struct err *err);
