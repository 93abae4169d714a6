/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long work on a file of SQLite's lets others have the processor. */
#pragma once

#include <sqlite3.h>

/* The name of the VFS whose writes give way. From any thread. */
const char *db_files(void);
/* The steps of this handle's statements give way. */
void db_gives_way(sqlite3 *handle);
