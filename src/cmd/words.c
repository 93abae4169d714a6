/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at a command line before its verb runs. */
#include "cmd/words.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "base/ip.h"
#include "conf/nearest.h"

#define OPTIONS_MAX 96

int words_bad_option(const struct option *options, int result, char **argv, int at)
{
	const char *names[OPTIONS_MAX], *word = argv[at - 1];
	struct str said = str_from(word);
	size_t n = 0;

	if (result == ':')
		return cmd_fail(EXIT_USAGE, "%s needs a value behind it (postern VERB --help shows examples)", word);
	if (optopt > 0 && optopt < 128) /* of a long one it is 0, or its number past the letters */
		return cmd_fail(EXIT_USAGE, "there is no option -%c; those of one letter are -c FILE and -f FILE", optopt);
	said = str_slice(str_skip(said, 2), 0, str_find_char(str_skip(said, 2), '='));
	for (size_t i = 0; options[i].name && n < OPTIONS_MAX; i++) {
		names[n++] = options[i].name;
		if (str_eq(said, str_from(options[i].name)))
			return cmd_fail(EXIT_USAGE, "--%.*s takes no value", STR_ARG(said));
	}
	const char *near = conf_nearest(said, names, n);
	if (near)
		return cmd_fail(EXIT_USAGE, "there is no option --%.*s; did you mean --%s?", STR_ARG(said), near);
	return cmd_fail(EXIT_USAGE, "there is no option --%.*s (postern VERB --help shows those of a verb)", STR_ARG(said));
}

static bool is_resolver(struct str text)
{
	struct str rest = text, word;
	struct ip ip;
	uint64_t port;
	bool is_any = false;

	while (str_next_word(&rest, &word)) {
		size_t at = str_find_char(word, '@');
		is_any = true;
		if (str_eq(word, STR("recursive")))
			continue;
		if (!ip_parse(str_slice(word, 0, at), &ip) || (at < word.n && (!str_to_u64(str_skip(word, at + 1), 65535, &port) || port == 0)))
			return false;
	}
	return is_any;
}

static int dns_script_check(const char *path)
{
	json_error_t why;
	json_t *script = json_load_file(path, 0, &why);
	bool is_list = json_is_array(script);

	if (!script && access(path, R_OK) != 0)
		return cmd_fail(EXIT_NO_INPUT, "--dns %s: %s", path, strerror(errno));
	json_decref(script);
	if (!script)
		return cmd_fail(EXIT_USAGE, "--dns %s: line %d: %s; a script is a JSON list of [name, type, value]", path, why.line, why.text);
	if (!is_list)
		return cmd_fail(EXIT_USAGE, "--dns %s: a script is a JSON list of [name, type, value]", path);
	return EXIT_FINE;
}

static int options_check(const struct cmd *c)
{
	if (c->config && access(c->config, R_OK) != 0)
		return cmd_fail(EXIT_NO_INPUT, "-c %s: %s", c->config, strerror(errno));
	if (c->resolver && !is_resolver(str_from(c->resolver)))
		return cmd_fail(EXIT_USAGE, "--resolver %s: the address of a name server is needed, such as 9.9.9.9 or 127.0.0.1@5353", c->resolver);
	return c->dns_file ? dns_script_check(c->dns_file) : EXIT_FINE;
}

static bool takes_no_words(const struct cmd_verb *verb)
{
	return verb->arguments[0] == '\0' || strncmp(verb->arguments, "[--", 3) == 0;
}

static int too_many(const struct cmd_verb *verb, const char *word)
{
	if (access(word, F_OK) == 0)
		return cmd_fail(EXIT_USAGE, "%s takes no words; if %s is the configuration to use, say -c %s", verb->name, word, word);
	return cmd_fail(EXIT_USAGE, "%s takes no words, '%s' is one too many (postern %s --help)", verb->name, word, verb->name);
}

/* "[off|observe|tag|enforce]": one of these. */
static int choice_check(const struct cmd_verb *verb, const char *word)
{
	struct str list = str_from(verb->arguments), choice;

	if (list.n < 3 || list.p[0] != '[' || list.p[1] < 'a' || list.p[1] > 'z' || list.p[list.n - 1] != ']')
		return EXIT_FINE;
	struct str rest = list = str_slice(list, 1, list.n - 1);
	while (str_cut(&rest, '|', &choice))
		if (str_eq(choice, str_from(word)))
			return EXIT_FINE;
	return cmd_fail(EXIT_USAGE, "%s %s: one of %.*s is needed", verb->name, word, STR_ARG(list));
}

int words_check(const struct cmd_verb *verb, const struct cmd *c, int used)
{
	bool is_needed = verb->arguments[0] >= 'A' && verb->arguments[0] <= 'Z' && verb->run == cmd_ask_daemon;
	struct str example = str_from(verb->example);

	if (c->n > used && takes_no_words(verb))
		return too_many(verb, c->words[used]);
	if (c->n == used && is_needed && !c->as_batch)
		return cmd_fail(EXIT_USAGE, "%s: %s is missing:\n  %.*s", verb->name, verb->arguments, (int)str_find_char(example, '\n'), example.p);
	int status = c->n > used ? choice_check(verb, c->words[used]) : EXIT_FINE;
	return status != EXIT_FINE ? status : options_check(c);
}
