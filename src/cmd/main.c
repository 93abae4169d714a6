/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern`: options, the verb, its row in the table; help and the nearest word where there is none. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/conf_row.h"
#include "cmd/cmd.h"
#include "cmd/words.h"
#include "conf/nearest.h"

enum { OPT_JSON = 256, OPT_BATCH, OPT_RESOLVER, OPT_DNS, OPT_NOW, OPT_TIMEOUT, OPT_HELP, OPT_WHY, OPT_FOR, OPT_LIMIT,
	OPT_PORT, OPT_TO, OPT_CLIENT, OPT_TAKE_OVER, OPT_SAMPLE, OPT_ONCE, OPT_APPLY, OPT_VERSION, OPT_IP, OPT_FROM, OPT_HELO, OPT_RECORD, OPT_SHA1,
	OPT_LIST, OPT_LETTER, OPT_HTML, OPT_CHECK, OPT_REMOVE,
	OPT_TEXT = 1 << 16 /* and above: the place in struct cmd that takes the text */ };
#define OPT_INTO(member) (OPT_TEXT + (int)offsetof(struct cmd, member))

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, OPT_JSON},
	{"batch", no_argument, NULL, OPT_BATCH}, {"resolver", required_argument, NULL, OPT_RESOLVER},
	{"dns", required_argument, NULL, OPT_DNS}, {"now", required_argument, NULL, OPT_NOW},
	{"timeout", required_argument, NULL, OPT_TIMEOUT}, {"help", no_argument, NULL, OPT_HELP},
	{"why", required_argument, NULL, OPT_WHY}, {"for", required_argument, NULL, OPT_FOR},
	{"limit", required_argument, NULL, OPT_LIMIT}, {"port", required_argument, NULL, OPT_PORT},
	{"to", required_argument, NULL, OPT_TO}, {"client", required_argument, NULL, OPT_CLIENT},
	{"take-over", no_argument, NULL, OPT_TAKE_OVER}, {"print-sample", no_argument, NULL, OPT_SAMPLE},
	{"once", no_argument, NULL, OPT_ONCE}, {"apply", no_argument, NULL, OPT_APPLY},
	{"ip", required_argument, NULL, OPT_IP}, {"from", required_argument, NULL, OPT_FROM},
	{"helo", required_argument, NULL, OPT_HELO}, {"record", required_argument, NULL, OPT_RECORD},
	{"domain", required_argument, NULL, OPT_INTO(domain)}, {"selector", required_argument, NULL, OPT_INTO(selector)},
	{"key", required_argument, NULL, OPT_INTO(key)}, {"headers", required_argument, NULL, OPT_INTO(fields)},
	{"canonicalization", required_argument, NULL, OPT_INTO(canonicalization)},
	{"timestamp", required_argument, NULL, OPT_INTO(timestamp)},
	{"authserv-id", required_argument, NULL, OPT_INTO(authserv_id)},
	{"min-rsa-bits", required_argument, NULL, OPT_INTO(min_rsa_bits)}, {"spf", required_argument, NULL, OPT_INTO(spf)},
	{"dkim", required_argument, NULL, OPT_INTO(dkim)}, {"psl", required_argument, NULL, OPT_INTO(psl)},
	{"allow-sha1", no_argument, NULL, OPT_SHA1}, {"file", required_argument, NULL, OPT_INTO(file)},
	{"stage", required_argument, NULL, OPT_INTO(stage)}, {"mx", required_argument, NULL, OPT_INTO(mx)},
	{"proc", required_argument, NULL, OPT_INTO(proc)},
	{"rules", required_argument, NULL, OPT_INTO(rules)}, {"reader", required_argument, NULL, OPT_INTO(reader)},
	{"since", required_argument, NULL, OPT_INTO(since)},
	{"list", no_argument, NULL, OPT_LIST}, {"letter", no_argument, NULL, OPT_LETTER}, {"html", no_argument, NULL, OPT_HTML}, {"check", no_argument, NULL, OPT_CHECK},
	{"config-dir", required_argument, NULL, OPT_INTO(config_dir)}, {"remove", no_argument, NULL, OPT_REMOVE},
	{"on-failure", required_argument, NULL, OPT_INTO(on_failure)},
	{"version", no_argument, NULL, OPT_VERSION}, {NULL, 0, NULL, 0},
};

int cmd_fail(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("postern: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int cmd_fail_err(int status, const struct err *err)
{
	return cmd_fail(status, "%s", err->text);
}

static bool timeout_parse(const char *text, usec_t *out)
{
	uint64_t seconds;

	if (str_to_u64(str_from(text), 86400, &seconds)) {
		*out = (usec_t)seconds * USEC_S;
		return *out > 0;
	}
	return conf_parse_duration(str_from(text), out) && *out > 0;
}

static bool option_take(struct cmd *c, int option, bool *wants_version)
{
	if (option >= OPT_TEXT) {
		memcpy((char *)c + (option - OPT_TEXT), &optarg, sizeof(optarg));
		return true;
	}
	switch (option) {
	case 'c': c->config = optarg; return true;
	case OPT_JSON: c->as_json = true; return true;
	case OPT_BATCH: c->as_batch = true; return true;
	case OPT_RESOLVER: c->resolver = optarg; return true;
	case OPT_DNS: c->dns_file = optarg; return true;
	case OPT_NOW: c->now = optarg; return true;
	case OPT_WHY: c->why = optarg; return true;
	case OPT_FOR: c->for_how_long = optarg; return true;
	case OPT_LIMIT: c->limit = optarg; return true;
	case OPT_PORT: c->port = optarg; return true;
	case OPT_TO: c->to = optarg; return true;
	case OPT_CLIENT: c->client = optarg; return true;
	case OPT_IP: c->ip = optarg; return true;
	case OPT_FROM: c->from = optarg; return true;
	case OPT_HELO: c->helo = optarg; return true;
	case OPT_RECORD: c->record = optarg; return true;
	case OPT_SHA1: c->allow_sha1 = true; return true;
	case 'f': c->file = optarg; return true;
	case OPT_LIST: c->wants_list = true; return true;
	case OPT_LETTER: c->wants_letter = true; return true;
	case OPT_HTML: c->wants_html = true; return true;
	case OPT_CHECK: c->wants_check = true; return true;
	case OPT_TAKE_OVER: c->take_over = true; return true;
	case OPT_SAMPLE: c->print_sample = true; return true;
	case OPT_ONCE: c->apply = true; return true;
	case OPT_APPLY: c->apply = true; return true;
	case OPT_REMOVE: c->remove = true; return true;
	case OPT_VERSION: *wants_version = true; return true;
	case 'h':
	case OPT_HELP: c->wants_help = true; return true;
	case OPT_TIMEOUT:
		if (timeout_parse(optarg, &c->timeout))
			return true;
		cmd_fail(0, "--timeout %s: give seconds, or a duration such as 90s", optarg);
		return false;
	default:
		return false; /* words_bad_option says why */
	}
}

/* Words of the verb's name that the command line begins with; -1 when it is another verb. */
static int verb_words(const struct cmd_verb *verb, const char **words, int n)
{
	struct str rest = str_from(verb->name), word;
	int used = 0;

	while (str_next_word(&rest, &word)) {
		if (used == n || !str_eq(word, str_from(words[used])))
			return -1;
		used++;
	}
	return used;
}

static const struct cmd_verb *verb_find(const char **words, int n, int *used)
{
	const struct cmd_verb *best = NULL;

	*used = 0;
	for (const struct cmd_verb *v = cmd_verbs; v->name; v++) {
		int match = verb_words(v, words, n);
		if (match > *used) {
			best = v;
			*used = match;
		}
	}
	return best;
}

static void help_verb(const struct cmd_verb *v)
{
	printf("postern %s %s\n\n%s.\n\nExamples:\n", v->name, v->arguments, v->summary);
	struct str rest = str_from(v->example), line;
	while (str_cut(&rest, '\n', &line))
		printf("  %.*s\n", STR_ARG(line));
	puts("\nOptions for every verb: -c FILE, --json, --batch, --resolver ADDR[@PORT], --dns FILE, --now RFC3339,\n"
	     "--timeout SECONDS. More: man postern");
}

/* All verbs, or those below one noun. */
static void help_list(const char *noun)
{
	struct str prefix = str_from(noun);

	puts("postern: a mail gate that verifies who is knocking before it opens\n\nUsage: postern [options] VERB …\n");
	for (const struct cmd_verb *v = cmd_verbs; v->name; v++) {
		if (!noun || (str_starts(str_from(v->name), prefix) && v->name[prefix.n] == ' '))
			printf("  %-15s %-28.28s %s\n", v->name, v->arguments, v->summary);
	}
	puts("\npostern VERB --help shows examples. First steps: postern lab");
}

static bool is_noun(const char *word)
{
	struct str noun = str_from(word);

	for (const struct cmd_verb *v = cmd_verbs; v->name; v++) {
		if (str_starts(str_from(v->name), noun) && v->name[noun.n] == ' ')
			return true;
	}
	return false;
}

static int unknown_verb(const char **words, int n)
{
	const char *names[64];
	size_t count = 0;
	struct str said = str_from(words[0]);
	char joined[128];

	for (const struct cmd_verb *v = cmd_verbs; v->name && count < 64; v++)
		names[count++] = v->name;
	const char *near = is_noun(words[0]) ? NULL : conf_nearest(said, names, count);
	if (!near && n > 1) { /* a noun with its verb, either of them mistyped */
		snprintf(joined, sizeof(joined), "%s %s", words[0], words[1]);
		said = is_noun(words[0]) ? str_from(joined) : said;
		near = conf_nearest(str_from(joined), names, count);
	}
	if (!near && n > 1 && is_noun(words[0])) {
		help_list(words[0]);
		return cmd_fail(EXIT_USAGE, "there is no '%s %s'", words[0], words[1]);
	}
	if (near)
		return cmd_fail(EXIT_USAGE, "there is no '%.*s'; did you mean '%s'? (postern --help)", STR_ARG(said), near);
	return cmd_fail(EXIT_USAGE, "there is no '%.*s'; postern --help lists the verbs", STR_ARG(said));
}

static int dispatch(struct cmd *c)
{
	int used;

	if (c->n == 0) {
		help_list(NULL);
		return c->wants_help ? EXIT_FINE : EXIT_USAGE;
	}
	if (strcmp(c->words[0], "help") == 0) { /* as with other tools: help, help VERB */
		c->words++;
		c->wants_help = true;
		c->n--;
	}
	if (c->n == 0) {
		help_list(NULL);
		return EXIT_FINE;
	}
	const struct cmd_verb *verb = verb_find(c->words, c->n, &used);
	if (!verb && c->n == 1 && is_noun(c->words[0])) {
		help_list(c->words[0]);
		return c->wants_help ? EXIT_FINE : EXIT_USAGE;
	}
	if (!verb)
		return unknown_verb(c->words, c->n);
	if (c->wants_help) {
		help_verb(verb);
		return EXIT_FINE;
	}
	int status = words_check(verb, c, used);
	if (status != EXIT_FINE)
		return status;
	/* What goes to the daemon goes with its verb in front. */
	if (verb->run != cmd_ask_daemon) {
		c->words += used;
		c->n -= used;
	}
	return verb->run(c);
}

int main(int argc, char **argv)
{
	auto_arena struct arena arena;
	struct cmd c = {.has_colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
	bool wants_version = false;
	int option;

	signal(SIGPIPE, SIG_IGN);
	arena_init(&arena, 64 << 20);
	c.arena = &arena;
	opterr = 0; /* words_bad_option says it better */
	while ((option = getopt_long(argc, argv, ":c:f:h", options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return words_bad_option(options, option, argv, optind);
		if (!option_take(&c, option, &wants_version))
			return EXIT_USAGE;
	}
	c.words = (const char **)argv + optind;
	c.n = argc - optind;
	return wants_version ? cmd_version(&c) : dispatch(&c);
}
