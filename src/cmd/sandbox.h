/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon gives up before its first thread: root, system calls that no mail needs (seccomp, a deny list
 * answering EPERM), and every directory but its own (Landlock). A kernel that lacks a part is reported once, by name.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct sandbox_path {
	struct str path;
	bool may_write;
};
/* Becomes `user` for good (no way back); nothing to do when we are not root. Refuses to go on as root unless
 * user = root is written in the configuration. */
bool sandbox_drop_root(struct str user, struct err *err);
/* Paths that do not exist are skipped: Landlock can only name what is there. */
bool sandbox_enter(const struct sandbox_path *paths, size_t n, struct err *err);
