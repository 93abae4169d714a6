/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's own section, and the list of all sections of the file. */
#pragma once

#include "conf/conf.h"

struct daemon_conf {
	struct str contact;        /* who is asked about our probes: "postmaster@HOST" */
	struct str user;
	struct str state_directory, run_directory;
	struct str exceptions;     /* file */
	struct str log;
	int log_format, log_level;
	usec_t retention;
	int64_t trails_max;
	bool sandbox;
	struct ip_set own_addresses; /* of this machine's outside, where NAT hides them */
};
extern const struct conf_section daemon_section;
extern const struct conf_section *const daemon_sections[];

/* The file of -c, or the default path when it exists, or defaults alone. */
struct conf *daemon_conf_load(const char *path, struct err *err);
/* gate.host of the configuration, or the system's name, fully qualified; text of conf or in static memory. */
struct str daemon_host(const struct conf *conf);
#define DAEMON_CONFIG_PATH "/etc/postern/postern.conf"
/* run_directory/control.sock */
void daemon_socket_path(const struct daemon_conf *conf, char *out, size_t n);
