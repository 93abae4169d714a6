/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern spool`: reads the spool's files without the daemon. */
#include <stdio.h>

#include "base/auto.h"
#include "cmd/cmd.h"
#include "cmd/daemon_conf.h"
#include "spool/spool.h"

static bool spool_directory(struct cmd *c, const char *given, char *out, size_t n, struct err *err)
{
	if (given) {
		snprintf(out, n, "%s", given);
		return true;
	}
	struct conf *conf = daemon_conf_load(c->config, err);
	if (!conf)
		return false;
	const struct spool_conf *spool = conf_get(conf, &spool_section);
	snprintf(out, n, "%.*s", STR_ARG(spool->directory));
	conf_unref(conf);
	return true;
}

static void line_print(void *arg, struct str line)
{
	printf("%.*s\n", STR_ARG(line));
}

static int inspect(struct cmd *c, bool check_only)
{
	char directory[4096];
	uint64_t damaged = 0;
	struct err err;

	if (!spool_directory(c, c->n > 0 ? c->words[0] : NULL, directory, sizeof(directory), &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	if (!spool_inspect(directory, check_only, line_print, NULL, &damaged, &err))
		return cmd_fail_err(EXIT_NO_INPUT, &err);
	if (damaged > 0)
		return cmd_fail(EXIT_FAULT, "%llu damaged records; what is whole is delivered, `postern spool export --to DIR` saves a copy",
		                (unsigned long long)damaged);
	return EXIT_FINE;
}

int cmd_spool_inspect(struct cmd *c)
{
	return inspect(c, false);
}

int cmd_spool_check(struct cmd *c)
{
	int status = inspect(c, true);

	if (status == EXIT_FINE)
		puts("✓ every record is whole");
	return status;
}

int cmd_spool_export(struct cmd *c)
{
	char directory[4096];
	struct spool_id id;
	uint64_t written = 0;
	struct err err;

	if (!c->to)
		return cmd_fail(EXIT_USAGE, "spool export: --to DIRECTORY is needed");
	if (c->n > 0 && !spool_id_parse(str_from(c->words[0]), &id))
		return cmd_fail(EXIT_USAGE, "spool export: '%s' is not the ID of a message", c->words[0]);
	if (!spool_directory(c, NULL, directory, sizeof(directory), &err))
		return cmd_fail_err(EXIT_USAGE, &err);
	if (!spool_export(directory, c->to, c->n > 0 ? &id : NULL, &written, &err))
		return cmd_fail_err(EXIT_NO_INPUT, &err);
	printf("%llu messages written to %s\n", (unsigned long long)written, c->to);
	return EXIT_FINE;
}
