/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern completion bash`: what the shell needs to complete verbs and options, made from the table of verbs. */
#include <stdio.h>

#include "cmd/cmd.h"

/* Options that stand in a verb's arguments and examples, each once; the shell does not mind the odd one too many. */
static void options_print(const struct cmd_verb *verb)
{
	const char *const texts[] = {verb->arguments, verb->example};
	struct str seen[32];
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		struct str rest = str_from(texts[i]);
		for (size_t at; n < 32 && (at = str_find(rest, STR("--"))) < rest.n;) {
			rest = str_skip(rest, at);
			size_t length = 2;
			while (length < rest.n && ((rest.p[length] >= 'a' && rest.p[length] <= 'z') || rest.p[length] == '-' ||
			                           (rest.p[length] >= '0' && rest.p[length] <= '9')))
				length++;
			struct str option = str_slice(rest, 0, length);
			bool is_known = length == 2;
			for (size_t k = 0; k < n; k++)
				is_known = is_known || str_eq(seen[k], option);
			if (!is_known) {
				seen[n++] = option;
				printf(" %.*s", STR_ARG(option));
			}
			rest = str_skip(rest, length);
		}
	}
}

static void verbs_print(void)
{
	for (const struct cmd_verb *v = cmd_verbs; v->name; v++) {
		printf("\t['%s']='", v->name);
		options_print(v);
		puts("'");
	}
}

static const char head[] =
	"# bash completion for postern; made by `postern completion bash` from its table of verbs.\n"
	"declare -gA _postern_verbs=(\n";
static const char body[] =
	")\n"
	"_postern() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' words='' i w v\n"
	"\tCOMPREPLY=()\n"
	"\tcase $prev in\n"
	"\t-c | --config | -f | --file | --dns | --key | --rules)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\t\treturn ;;\n"
	"\tesac\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tw=${COMP_WORDS[i]}\n"
	"\t\tcase $w in\n"
	"\t\t-c | --config | --resolver | --dns | --timeout | --now) ((i++)) ;;\n"
	"\t\t-*) ;;\n"
	"\t\t*) verb=${verb:+$verb }$w ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t# The longest verb that begins what stands there; what may follow it, or what it may go on with.\n"
	"\tv=$verb\n"
	"\twhile [[ $v && ! -v _postern_verbs[$v] ]]; do\n"
	"\t\t[[ $v == *' '* ]] && v=${v% *} || v=''\n"
	"\tdone\n"
	"\tif [[ $v && $cur == -* ]]; then\n"
	"\t\twords=\"${_postern_verbs[$v]} --json --batch --resolver --dns --now --timeout --config --help\"\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\twords='--config --help --version'\n"
	"\telse\n"
	"\t\tfor w in \"${!_postern_verbs[@]}\"; do\n"
	"\t\t\t[[ ! $verb || $w == \"$verb \"* ]] || continue\n"
	"\t\t\tw=${w#\"${verb:+$verb }\"}\n"
	"\t\t\twords+=\" ${w%% *}\"\n"
	"\t\tdone\n"
	"\tfi\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\" | sort -u)\n"
	"\t# A message, a key, a configuration: most words that are no verb are files.\n"
	"\tif [[ ! ${COMPREPLY[*]} && $v ]]; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _postern postern\n";

int cmd_completion(struct cmd *c)
{
	if (c->n != 1 || !str_eq(str_from(c->words[0]), STR("bash")))
		return cmd_fail(EXIT_USAGE, "completion: the shell is needed; bash is the one that is known");
	fputs(head, stdout);
	verbs_print();
	fputs(body, stdout);
	return EXIT_FINE;
}
