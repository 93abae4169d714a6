/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stories of the tour: which mail, from whom, and how it must end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lab_story {
	const char *title;
	const char *from, *to;
	const char *file;        /* in samples/mail; NULL: a text of `megabytes` is made */
	int megabytes;
	bool smtputf8;
	int code;                /* the deciding reply */
	const char *enhanced;    /* its enhanced code; NULL: any */
	int again_after_s;       /* send it again after so long, as a mail server does; 0: no */
	int code_again;
	bool is_asked;           /* B asks A: a probe must have gone out; false: not one packet may have */
	const char *moral;
};
extern const struct lab_story lab_stories[];
extern const size_t lab_story_count;
