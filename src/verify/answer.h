/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers as results of tickets: one heap block with the dialogue behind. */
#pragma once

#include "verify/record.h"
#include "verify/verify.h"

/* A copy of *a whose dialogue is `head` and `tail` joined; freed with answer_free. */
struct verify_answer *answer_new(const struct verify_answer *a, struct str head, struct str tail);
void answer_free(void *answer);
/* A ticket that is complete already. */
struct ticket *answer_ticket(const struct verify_answer *a);
void answer_set_host(struct verify_answer *a, struct str host);
void answer_set_said(struct verify_answer *a, struct str said);
/* What a record of the address layer says now. */
void answer_of_record(const struct address_record *r, struct wall now, struct verify_answer *out);
/* What a record of the domain layer says about any address there; false: nothing. */
bool answer_of_domain(const struct domain_record *r, struct wall now, struct verify_answer *out);
