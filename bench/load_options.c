/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load generator's flags. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "bench/socket.h"

static const char usage[] =
	"usage: load --to ADDR:PORT [flags]\n"
	"  --sessions N       at the same time (100)        --messages N    end after so many\n"
	"  --seconds S        end after so long             --rate R        open loop: so many sessions a second\n"
	"  --size BYTES       of a message (4096)           --per-session N messages in one session (1)\n"
	"  --from PATTERN     %d is the message's number, %m the number modulo --modulo N\n"
	"  --from-file FILE   one sender a line, in turn    --rcpt PATTERN  the recipient\n"
	"  --source ADDR/N    sessions come from N addresses in turn\n"
	"  --no-pipelining    one command at a time         --starttls      with TLS\n"
	"  --hold N           leave N sessions open after a message each, until SIGTERM\n"
	"  --grace S          wait so long for what is under way at the end (60)\n"
	"Prints one line of JSON.\n";

static const struct option options[] = {
	{"to", required_argument, NULL, 't'}, {"sessions", required_argument, NULL, 'n'},
	{"messages", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
	{"rate", required_argument, NULL, 'r'}, {"size", required_argument, NULL, 'z'},
	{"per-session", required_argument, NULL, 'p'}, {"from", required_argument, NULL, 'f'},
	{"from-file", required_argument, NULL, 'F'}, {"rcpt", required_argument, NULL, 'c'},
	{"modulo", required_argument, NULL, 'M'}, {"source", required_argument, NULL, 'S'},
	{"no-pipelining", no_argument, NULL, 'P'}, {"starttls", no_argument, NULL, 'T'},
	{"hold", required_argument, NULL, 'h'}, {"grace", required_argument, NULL, 'g'}, {NULL, 0, NULL, 0},
};

static void read_list(struct load_options *o, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f)
		die("load: cannot read %s", path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = 0;
		o->from_list = realloc(o->from_list, (o->n_from_list + 1) * sizeof(char *));
		if (!o->from_list || !(o->from_list[o->n_from_list++] = strdup(line)))
			abort();
	}
	fclose(f);
}

static bool source_parse(struct load_options *o, char *text)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = 0;
	o->n_sources = slash ? (unsigned)strtoul(slash + 1, NULL, 10) : 1;
	return inet_pton(AF_INET, text, &o->source) == 1;
}

static bool option_set(struct load_options *o, int c, char *value)
{
	switch (c) {
	case 't': return socket_parse(value, &o->to);
	case 'n': o->sessions = (unsigned)strtoul(value, NULL, 10); return o->sessions > 0;
	case 'm': o->messages = strtoull(value, NULL, 10); return o->messages > 0;
	case 's': o->seconds = strtod(value, NULL); return o->seconds > 0;
	case 'r': o->rate = strtod(value, NULL); return o->rate > 0;
	case 'z': o->size = strtoul(value, NULL, 10); return o->size > 0;
	case 'p': o->per_session = (unsigned)strtoul(value, NULL, 10); return o->per_session > 0;
	case 'f': o->from = value; return true;
	case 'F': read_list(o, value); return o->n_from_list > 0;
	case 'c': o->rcpt = value; return true;
	case 'M': o->modulo = strtoull(value, NULL, 10); return o->modulo > 0;
	case 'S': return source_parse(o, value);
	case 'P': o->pipelining = false; return true;
	case 'T': o->starttls = true; return true;
	case 'h': o->hold = o->messages = strtoull(value, NULL, 10); return o->hold > 0;
	case 'g': o->grace = strtod(value, NULL); return true;
	default: return false;
	}
}

bool load_options_parse(struct load_options *o, int argc, char **argv)
{
	int c;

	*o = (struct load_options){.from = "sender%d@example.net", .rcpt = "joe@example.org", .sessions = 100,
	                           .size = 4096, .per_session = 1, .pipelining = true, .grace = 60};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!option_set(o, c, optarg)) {
			fputs(usage, stderr);
			return false;
		}
	}
	if (o->to.sin_port == 0 || optind != argc || (o->messages == 0 && o->seconds <= 0)) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}
