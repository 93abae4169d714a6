/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody hands to `postern explain`: a reply, a log line of a mail server around one, or a whole mail.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "cause/rules.h"

enum explain_speaker {
	SPEAKER_UNKNOWN,      /* a bare reply */
	SPEAKER_REMOTE,       /* another server said it to the one that wrote the log or report */
	SPEAKER_HERE,         /* the server that wrote the log said it to a client */
	SPEAKER_OWN,          /* the sending server's own finding: no connection, no DNS, expired */
};
struct explain_input {
	struct str reply;     /* what is to be classified */
	enum explain_speaker speaker;
	struct str logger;    /* "Postfix", … ; empty: no log line */
	struct str host;      /* the other server's name or address, where the line has it */
	struct str sender;    /* empty: the line does not have it */
	struct str recipient;
	struct str helo;      /* what the client of a refusing server said */
	struct str when;      /* as the line writes it */
	enum cause_stage stage;
	bool is_temporary, is_permanent; /* the line says so where the reply has no code */
};
/* A folded line may come with its line ends. */
void explain_input_read(struct str text, struct explain_input *out);
/* Whether it is a whole mail and not a line: header fields, and an empty line or several fields. */
bool explain_is_mail(struct str text);
/* A file or "-"; at most 1 MiB is kept, the rest is left unread. */
bool explain_file_read(struct arena *arena, const char *path, struct str *out, struct err *err);
