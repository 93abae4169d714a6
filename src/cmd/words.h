/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be wrong with a command line before its verb runs: options that do not exist, words too many or missing, files
 * that are not there. Each is said with what was meant by it and what to write instead.
 */
#pragma once

#include <getopt.h>

#include "cmd/cmd.h"

/* An option that getopt_long refused: `result` '?' or ':', `argv` and `at` its argv and optind. Returns the exit status. */
int words_bad_option(const struct option *options, int result, char **argv, int at);
/* c->words begin with the verb's `used` words. EXIT_FINE: go on. */
int words_check(const struct cmd_verb *verb, const struct cmd *c, int used);
