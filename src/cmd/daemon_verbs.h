/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that answer on the control socket. */
#pragma once

#include "cmd/daemon.h"

/* The value of a word "--name=value", or STR_NONE. */
struct str request_option(const struct control_request *request, const char *name);
int answer_usage(struct buf *out, const char *what);
int answer_err(struct buf *out, int status, const struct err *err);

/* cmd/queue_verbs.c */
WAITS int answer_queue_list(void *arg, const struct control_request *request, struct buf *out);
WAITS int answer_queue_show(void *arg, const struct control_request *request, struct buf *out);
WAITS int answer_queue_hold(void *arg, const struct control_request *request, struct buf *out);
WAITS int answer_queue_release(void *arg, const struct control_request *request, struct buf *out);
WAITS int answer_queue_retry(void *arg, const struct control_request *request, struct buf *out);
WAITS int answer_queue_remove(void *arg, const struct control_request *request, struct buf *out);

/* cmd/observe_verb.c */
WAITS int answer_report_observe(void *arg, const struct control_request *request, struct buf *out);
