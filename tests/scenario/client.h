/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of the gate.
 *
 *	client 198.51.100.7 [as NAME]      a session from this address; with a name it stays open
 *	client NAME                        goes on with it
 *		> EHLO c.example           sends a line
 *		! \x00 bytes\r\n           sends bytes: \r \n \0 \\ \xNN, nothing is added
 *		< 250 HELP                 the next reply's last line ("closed": the end), with `*`
 *		& 250-SIZE *               some line of that reply
 *		bdat \xNN bytes            a chunk of these bytes; bdat-last: the last one
 *		message                    sends a small message with its final dot
 *		lines 300 TEXT             sends this line so often
 *		tls                        begins TLS
 *		~ 30s                      waits
 *	close NAME
 *	send FROM TO[,TO] [from IP] [helo NAME] => STAGE GLOB
 *		Subject: …                 the message; without a body a small one
 * sends one message in a session of its own and compares where and how it ended: "dot 250*", "mail 550 5.1.8*".
 * `repeat N send …` does it N times, {n} being 1 … N; `at once N send …` all at the same time.
 */
#pragma once

#include "rt/stream.h"
#include "script.h"

void clients_open(struct arena *arena);
WAITS void clients_close(void);
WAITS void client_statement(const struct statement *st, struct str rest);
WAITS void close_statement(const struct statement *st, struct str rest);
WAITS void send_statement(const struct statement *st, struct str rest);
WAITS void repeat_statement(const struct statement *st, struct str rest);
WAITS void at_once_statement(const struct statement *st, struct str rest);
/* From the final dot (or the last command) to its reply, of the last message sent. */
usec_t clients_last_took(void);
/* How it ended, for other statements: reads a whole reply. False: the connection ended, *last says how. */
WAITS bool client_reply(struct arena *arena, struct stream *s, struct str *last, struct str *all);
WAITS struct stream *client_dial(unsigned line, struct str ip);
