/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of verbs: what `postern --help` prints is what there is. */
#include "cmd/cmd.h"

const struct cmd_verb cmd_verbs[] = {
	{"run", "[--take-over]", "run the gate in the foreground",
         "postern run -c /etc/postern/postern.conf\npostern run --take-over      replace a running daemon without losing a session",
         cmd_run},
	{"check-config", "[--print-sample]", "check the configuration, and whether our name, PTR and address fit together",
         "postern check-config -c ./postern.conf\npostern check-config --print-sample > postern.conf", cmd_check_config},
	{"doctor", "[--mx HOST]", "look at the machine, the DNS, our names, certificates, ports and the daemon; say what to do",
         "postern doctor\npostern doctor --json\npostern doctor --mx mx.example.net      try outbound port 25 with this mail server",
         cmd_doctor},
	{"reload", "", "let the daemon read its configuration, keys and maps again", "postern reload", cmd_ask_daemon},
	{"stop", "", "drain and end the daemon", "postern stop", cmd_ask_daemon},
	{"verify", "ADDRESS", "ask the address's own mail server whether it exists",
         "postern verify joe@example.org\npostern verify --json joe@example.org\npostern verify --batch < addresses.jsonl",
         cmd_verify},
	{"mode", "[off|observe|tag|enforce]", "show or switch what verification does to mail", "postern mode observe",
         cmd_ask_daemon},
	{"exempt add", "[KIND] WHAT [ACTION] --why TEXT", "add an exception: sender, domain, client or recipient; never-ask, accept or refuse",
         "postern exempt add joe@example.org --for 30d --why 'their server is being moved'\n"
         "postern exempt add 192.0.2.0/24 accept --why partner\n"
         "postern exempt add domain spam.example refuse --for 7d --why 'wave of 24 November'",
         cmd_exempt_add},
	{"exempt list", "", "list the exceptions in force", "postern exempt list", cmd_exempt_list},
	{"exempt remove", "WHAT", "remove the exceptions for an address, domain or network",
         "postern exempt remove joe@example.org", cmd_exempt_remove},
	{"sessions", "", "who is connected, and what each one waits for", "postern sessions", cmd_ask_daemon},
	{"stats", "", "counts: asked, cached, each verdict, refused, hold times, queue, spool", "postern stats --json",
         cmd_ask_daemon},
	{"metrics", "", "the same as Prometheus text", "postern metrics", cmd_ask_daemon},
	{"why", "ID|ADDRESS|IP", "the story of a message: what was checked, what was said, and because of what",
         "postern why 6C3A0PA98WJ1M\npostern why joe@example.org --limit 5\npostern why 192.0.2.7", cmd_ask_daemon},
	{"failures", "", "mail that could not be delivered and is kept, and what was lately refused or deferred",
         "postern failures --limit 20", cmd_ask_daemon},
	{"report observe", "[--since 7d] [--html]",
         "what enforce would have refused, deferred and tagged while the mode only watched, and who proved honest since",
         "postern report observe --since 7d\npostern report observe --since 2026-11-15T00:00:00Z --limit 100\n"
         "postern report observe --html > observe.html\npostern report observe --json | jq -r '.suggestions[]'",
         cmd_ask_daemon},
	{"queue list", "", "what waits, since when, for what", "postern queue list", cmd_ask_daemon},
	{"queue show", "ID", "one message: recipients, attempts, replies", "postern queue show 6C3A0PA98WJ1M", cmd_ask_daemon},
	{"queue hold", "ID", "keep a message back until it is released", "postern queue hold 6C3A0PA98WJ1M --why 'asked by legal'",
         cmd_ask_daemon},
	{"queue release", "ID", "let a held message go", "postern queue release 6C3A0PA98WJ1M", cmd_ask_daemon},
	{"queue retry", "ID|all", "try again now", "postern queue retry all", cmd_ask_daemon},
	{"queue remove", "ID", "delete a message for good", "postern queue remove 6C3A0PA98WJ1M", cmd_ask_daemon},
	{"cache show", "ADDRESS|DOMAIN", "what verification remembers", "postern cache show example.org", cmd_ask_daemon},
	{"cache flush", "ADDRESS|DOMAIN", "forget it, so that the next mail asks again", "postern cache flush joe@example.org",
         cmd_ask_daemon},
	{"spool inspect", "[DIRECTORY]", "every record in the spool, offline", "postern spool inspect /var/lib/postern/spool",
         cmd_spool_inspect},
	{"spool check", "[DIRECTORY]", "whether every record is whole", "postern spool check", cmd_spool_check},
	{"spool export", "[ID] --to DIRECTORY", "write messages as .eml with their envelopes", "postern spool export --to /tmp/rescued",
         cmd_spool_export},
	{"address check", "ADDRESS", "whether an address is well formed, and what our server would say",
         "postern address check 'joe@bücher.example'", cmd_address_check},
	{"spf check", "IP SENDER [HELO]", "whether this address may send for this sender's domain, and by which term",
         "postern spf check 192.0.2.25 joe@example.org mail.example.org\n"
         "postern spf check --ip 2001:db8::25 --from '' --helo mail.example.org\n"
         "postern spf check --batch < questions.jsonl",
         cmd_spf_check},
	{"spf lint", "DOMAIN|--record TEXT", "what is wrong, risky or wasteful in an SPF record, and what each include costs",
         "postern spf lint example.org\n"
         "postern spf lint example.org --record 'v=spf1 mx include:_spf.example.net -all'   try it before you publish it\n"
         "postern spf lint --batch < records.jsonl",
         cmd_spf_lint},
	{"dkim verify", "FILE", "whether the signatures of a message hold, and why not",
         "postern dkim verify mail.eml\npostern dkim verify --allow-sha1 --min-rsa-bits 512 old.eml\npostern dkim verify - < mail.eml",
         cmd_dkim_verify},
	{"dkim sign", "OPTIONS FILE", "the DKIM-Signature field for a message",
         "postern dkim sign --domain example.org --selector s1 --key s1.pem mail.eml\n"
         "postern dkim sign … --headers from:to:subject --canonicalization relaxed/simple --timestamp 1764000000 mail.eml",
         cmd_dkim_sign},
	{"arc verify", "FILE", "whether the chain of those who passed a message on holds", "postern arc verify mail.eml",
         cmd_arc_verify},
	{"arc seal", "OPTIONS FILE", "the next ARC set for a message",
         "postern arc seal --domain example.org --selector s1 --key s1.pem --authserv-id mx.example.org mail.eml",
         cmd_arc_seal},
	{"dmarc eval", "FROM [--spf D] [--dkim D]", "what the author's domain asks for, given what passed",
         "postern dmarc eval joe@mail.example.org --dkim example.org --spf bounce.example.net\n"
         "postern dmarc eval joe@example.co.uk --psl system      by the public suffix list, as before RFC 9989",
         cmd_dmarc_eval},
	{"explain", "[TEXT | -f FILE | --list]", "what a reply, a log line or a bounce means, whose it is to mend, and whether to wait",
         "postern explain '451 4.7.1 Greylisting in action, please come back in 00:05:00'\n"
         "postern explain -f bounce.eml\n"
         "tail -1 /var/log/mail.log | postern explain -f -\n"
         "postern explain --letter '550 Sender verify failed'    a note to the other postmaster\n"
         "postern explain --check --from joe@example.org '451 Could not complete sender verify callout'   look at our side too\n"
         "postern explain --list                                the vocabulary of causes\n"
         "postern explain --batch < replies.jsonl",
         cmd_explain},
	{"auth", "FILE [--ip I --from F]", "SPF, DKIM, DMARC, ARC and reverse name of a message at once",
         "postern auth mail.eml\npostern auth mail.eml --ip 192.0.2.25 --helo mail.example.org --from joe@example.org\n"
         "postern auth --json --authserv-id mx.example.org - < mail.eml",
         cmd_auth},
	{"setup postfix", "[--apply] [--remove]",
         "let Postfix ask the policy door: the lines for main.cf, what they mean, and writing them with a way back",
         "postern setup postfix                       print them; nothing is written\n"
         "postern setup postfix --apply               with a backup, undone when `postfix check` objects\n"
         "postern setup postfix --apply --on-failure defer   hold mail back while Postern is down (default: accept)\n"
         "postern setup postfix --remove --apply\n"
         "postern setup postfix --config-dir /etc/postfix-in --to inet:127.0.0.1:10040",
         cmd_setup_postfix},
	{"completion", "bash", "what a shell needs to complete verbs and options", "postern completion bash > /etc/bash_completion.d/postern\n"
         "source <(postern completion bash)", cmd_completion},
	{"lab", "[--once]", "the small internet on loopback: see what the gate does", "postern lab --once", cmd_lab},
	{"version", "", "the version and what it was built with", "postern version", cmd_version},
	{0},
};
