/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file, read by libConfuse through the modules' own tables of rows.
 *
 * A whole file is loaded and checked before anything of it is used; a reload swaps whole configurations. `$` in
 * values is refused with its line (no secrets by expansion), unknown keys are refused with the nearest known one.
 * What conf_get returns lives until the last reference to the configuration has gone.
 *
 * The notation: sections with keys, `verify { wait = 25s }`, some with a title, `route "example.org" { … }`; lists in
 * braces; comments by #, // and C's; texts in double quotes where they hold anything but letters, digits and . : / - _ @ [ ].
 * One thread at a time may load (libConfuse keeps its scanner in globals).
 */
#pragma once

#include "base/buf.h"
#include "base/conf_row.h"

struct conf;
/* sections: ended by NULL. path NULL: defaults alone. Errors name file:line, key, value and what is allowed. */
struct conf *conf_load(const char *path, const struct conf_section *const *sections, struct err *err);
/* The same from text in memory; `name` stands where the path would. */
struct conf *conf_parse(const char *name, struct str text, const struct conf_section *const *sections,
                        struct err *err);
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* accepts NULL */

/* The filled struct of an untitled section (defaults when the file does not have it); never NULL for a section given. */
const void *conf_get(const struct conf *c, const struct conf_section *section);
/* The i-th filled struct of a titled section in the order of the file; NULL behind the last. A section whose struct
 * begins with a `struct str` that no row fills gets its title there. */
const void *conf_get_titled(const struct conf *c, const struct conf_section *section, size_t i);
const char *conf_path(const struct conf *c); /* NULL: defaults */

/* The complete, commented sample: every section, every key with its help, limits and default. */
void conf_print_sample(const struct conf_section *const *sections, struct buf *out);
