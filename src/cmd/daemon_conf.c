/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's rows, and where the file is looked for. */
#include "cmd/daemon_conf.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "control/metrics_http.h"
#include "dns/dns.h"
#include "gate/gate.h"
#include "policy/domains.h"
#include "queue/queue.h"
#include "spool/spool.h"
#include "verify/verify.h"

#define AT(field) offsetof(struct daemon_conf, field)
static const struct conf_row daemon_rows[] = {
	{"contact", CONF_TEXT, AT(contact), "", 0, 0, NULL, "who answers for our probes (empty: postmaster@host)"},
	{"user", CONF_TEXT, AT(user), "postern", 0, 0, NULL, "the account to become when started as root"},
	{"state_directory", CONF_TEXT, AT(state_directory), "/var/lib/postern", 0, 0, NULL,
         "what has been learned: verification cache, trails"},
	{"run_directory", CONF_TEXT, AT(run_directory), "/run/postern", 0, 0, NULL, "the control socket lives here"},
	{"exceptions", CONF_TEXT, AT(exceptions), "/etc/postern/exceptions", 0, 0, NULL,
         "file of exceptions, edited by `postern exempt`"},
	{"log", CONF_TEXT, AT(log), "stderr", 0, 0, NULL, "stderr (the journal under systemd), syslog, or the path of a file"},
	{"log_format", CONF_CHOICE, AT(log_format), "text", 0, 0, "text|json", "one event is one line"},
	{"log_level", CONF_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error", "the least that is logged"},
	{"retention", CONF_DURATION, AT(retention), "30d", USEC_HOUR, 3650 * USEC_DAY, NULL, "how long trails are kept"},
	{"trails_max", CONF_INT, AT(trails_max), "1000000", 1000, 1000000000, NULL, "trails kept at most"},
	{"sandbox", CONF_BOOL, AT(sandbox), "yes", 0, 0, NULL, "restrict system calls and directories (seccomp, Landlock)"},
	{"own_addresses", CONF_NETS, AT(own_addresses), "", 0, 0, NULL,
         "our outside addresses where NAT hides them; never dialled"},
	CONF_ROWS_END,
};

const struct conf_section daemon_section = {
	"daemon", "The process: names, directories, log, sandbox.", daemon_rows, sizeof(struct daemon_conf), false};

const struct conf_section *const daemon_sections[] = {
	&daemon_section, &gate_section, &policy_door_section, &route_section, &verify_section, &dns_section, &spool_section,
	&queue_section, &metrics_section, NULL};

struct conf *daemon_conf_load(const char *path, struct err *err)
{
	if (!path && access(DAEMON_CONFIG_PATH, F_OK) == 0)
		path = DAEMON_CONFIG_PATH;
	struct conf *conf = conf_load(path, daemon_sections, err);
	if (!conf || metrics_conf_check(conf_get(conf, &metrics_section), err))
		return conf;
	conf_unref(conf);
	if (path)
		err_context(err, "%s", path);
	return NULL;
}

struct str daemon_host(const struct conf *conf)
{
	static char name[256];
	struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;

	const struct gate_conf *gate = conf_get(conf, &gate_section);
	if (gate->host.n > 0)
		return gate->host;
	if (name[0])
		return str_from(name);
	if (gethostname(name, sizeof(name) - 1) != 0)
		snprintf(name, sizeof(name), "localhost");
	/* hosts(5) usually knows the full name of a short one; the DNS is asked only when it does not. */
	if (!strchr(name, '.') && getaddrinfo(name, NULL, &hints, &found) == 0) {
		if (found->ai_canonname && strchr(found->ai_canonname, '.'))
			snprintf(name, sizeof(name), "%s", found->ai_canonname);
		freeaddrinfo(found);
	}
	return str_from(name);
}

void daemon_socket_path(const struct daemon_conf *conf, char *out, size_t n)
{
	snprintf(out, n, "%.*s/control.sock", STR_ARG(conf->run_directory));
}
