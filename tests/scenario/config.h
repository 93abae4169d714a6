/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration and the DNS that a scenario has described so far, as the daemon reads them. */
#pragma once

#include "script.h"

/* What is not said otherwise: small limits of time and space, one local domain, here.example. */
void config_defaults(void);
/* Writes the file; returns its path. */
const char *config_write(void);
const char *config_path(void);
/* JSON as for --dns, with an A record for each peer. */
struct str config_dns(void);
