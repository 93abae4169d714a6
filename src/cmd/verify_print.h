/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer of verification for people, or as the JSON of CLI.md. */
#pragma once

#include "verify/verify.h"

/* Returns the exit status: exists 0; catch_all, unverifiable, skipped 1; absent 2; temporary, blocked 3. */
int verify_answer_print(struct str address, const struct verify_answer *a, bool as_json, struct buf *out);
/* {verdict, cause, code, evidence, cached, took_ms} without braces, for batch lines that begin with an id. */
void verify_answer_members(const struct verify_answer *a, struct buf *out);
