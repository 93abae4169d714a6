/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libConfuse reads the scanned text; each value goes through its row the moment it is read, so that the line is known. */
#include "conf/conf.h"

#include "base/auto.h"
#include "base/mem.h"
#include "conf/nearest.h"
#include "conf/scan.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>

#define FILE_MAX_BYTES (1 << 20)
#define NAMES_MAX      256 /* keys of one section, sections of the file */

struct instance {
	const struct conf_section *section;
	struct str title;
	void *data;
	unsigned *n_items; /* for each row: items of its list read so far */
	int end_line;      /* 0: not read to its end yet */
};

struct conf {
	_Atomic unsigned references;
	char *path;
	const struct conf_section *const *sections;
	struct instance **instances; /* the untitled in the order of sections, then the titled of the file */
	size_t n;
};

/* libConfuse hands its call-backs no pointer of ours; one thread loads at a time. */
static struct {
	struct conf *conf;
	struct err *err;
	bool has_failed; /* err is filled: the first failure is the one that is told */
} load;

static struct instance *instance_add(struct conf *c, const struct conf_section *section,
                                     struct str title)
{
	struct instance *instance = mem_new(struct instance);
	size_t n_rows = 0;
	while (section->rows[n_rows].key)
		n_rows++;
	instance->section = section;
	instance->data = mem_alloc(section->size);
	instance->n_items = mem_alloc(n_rows * sizeof *instance->n_items);
	conf_rows_default(section->rows, instance->data, section->size);
	if (section->is_titled) {
		instance->title = (struct str){mem_cstr(title), title.n};
		bool is_front_free = section->size >= sizeof(struct str);
		for (const struct conf_row *row = section->rows; row->key; row++)
			is_front_free &= row->offset >= sizeof(struct str);
		if (is_front_free)
			memcpy(instance->data, &instance->title, sizeof instance->title);
	}
	c->instances = mem_resize(c->instances, (c->n + 1) * sizeof *c->instances);
	c->instances[c->n++] = instance;
	return instance;
}

static void instance_free(struct instance *instance)
{
	conf_rows_done(instance->section->rows, instance->data);
	free((void *)instance->title.p);
	free(instance->data);
	free(instance->n_items);
	free(instance);
}

static struct conf *conf_new(const char *path, const struct conf_section *const *sections)
{
	struct conf *c = mem_new(struct conf);
	c->references = 1;
	c->path = path ? mem_cstr(str_from(path)) : NULL;
	c->sections = sections;
	for (; *sections; sections++)
		if (!(*sections)->is_titled)
			instance_add(c, *sections, STR_NONE);
	return c;
}

struct conf *conf_ref(struct conf *c)
{
	atomic_fetch_add(&c->references, 1);
	return c;
}

void conf_unref(struct conf *c)
{
	if (!c || atomic_fetch_sub(&c->references, 1) > 1)
		return;
	for (size_t i = 0; i < c->n; i++)
		instance_free(c->instances[i]);
	free(c->instances);
	free(c->path);
	free(c);
}

const void *conf_get(const struct conf *c, const struct conf_section *section)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->instances[i]->section == section)
			return c->instances[i]->data;
	assert(!"a section that was given to conf_load");
	return NULL;
}

const void *conf_get_titled(const struct conf *c, const struct conf_section *section, size_t i)
{
	for (size_t k = 0; k < c->n; k++)
		if (c->instances[k]->section == section && i-- == 0)
			return c->instances[k]->data;
	return NULL;
}

const char *conf_path(const struct conf *c)
{
	return c->path;
}

/* "file:line: section: " before what err says already. */
static int fail_at(const cfg_t *cfg, const struct instance *instance)
{
	if (instance && instance->title.n)
		err_context(load.err, "%s \"%.*s\"", instance->section->name, STR_ARG(instance->title));
	else if (instance)
		err_context(load.err, "%s", instance->section->name);
	err_context(load.err, "%s:%d", load.conf->path, cfg->line);
	load.has_failed = true;
	return -1;
}

static const struct conf_section *section_of(const char *name)
{
	for (const struct conf_section *const *s = load.conf->sections; *s; s++)
		if (strcmp((*s)->name, name) == 0)
			return *s;
	return NULL;
}

/* The instance that this section of the file fills; a titled one begins with its first key or its end. */
static struct instance *instance_of(const cfg_t *cfg)
{
	struct conf *c = load.conf;
	const struct conf_section *section = section_of(cfg->name);
	struct str title = str_from(cfg->title);
	if (!section)
		return NULL;
	for (size_t i = c->n; i-- > 0;)
		if (c->instances[i]->section == section && str_eq(c->instances[i]->title, title))
			return c->instances[i];
	return instance_add(c, section, title);
}

static const struct conf_row *row_of(const struct conf_section *section, const char *key)
{
	const struct conf_row *row = section->rows;
	while (row->key && strcmp(row->key, key) != 0)
		row++;
	return row->key ? row : NULL;
}

/* Called for each item of a list and once more at its closing brace. */
static bool add_items(struct instance *instance, const struct conf_row *row, const cfg_opt_t *opt)
{
	unsigned *n = &instance->n_items[row - instance->section->rows];
	if (*n == 0 && !conf_row_set(row, instance->data, STR(""), load.err))
		return false;
	for (; *n < opt->nvalues; ++*n)
		if (!conf_row_add(row, instance->data, str_from(opt->values[*n]->string), load.err))
			return false;
	return true;
}

static bool check_once(const struct instance *instance)
{
	if (!instance->end_line)
		return true;
	return err_perm(load.err, CAUSE_LOCAL_ERROR, "this section stood in the file before, up to line %d",
	                instance->end_line);
}

static int value_read(cfg_t *cfg, cfg_opt_t *opt)
{
	struct instance *instance = instance_of(cfg);
	const struct conf_row *row = instance ? row_of(instance->section, opt->name) : NULL;
	if (!row) {
		err_perm(load.err, CAUSE_LOCAL_ERROR, "%s stands outside of its section", opt->name);
		return fail_at(cfg, instance);
	}
	bool is_good = check_once(instance);
	if (is_good && conf_row_is_list(row))
		is_good = add_items(instance, row, opt);
	else if (is_good)
		is_good = conf_row_set(row, instance->data, str_from(opt->values[0]->string), load.err);
	return is_good ? 0 : fail_at(cfg, instance);
}

/* libConfuse tells nobody about `key = {}`, only a flag does. */
static bool empty_lists(struct instance *instance, const cfg_t *section)
{
	for (const cfg_opt_t *opt = section->opts; opt->name; opt++) {
		const struct conf_row *row = row_of(instance->section, opt->name);
		bool is_empty = (opt->flags & CFGF_MODIFIED) && opt->nvalues == 0;
		if (is_empty && conf_row_is_list(row) &&
		    !conf_row_set(row, instance->data, STR(""), load.err))
			return false;
	}
	return true;
}

static int section_read(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *section = opt->values[opt->nvalues - 1]->section;
	struct instance *instance = instance_of(section);
	if (instance->section->is_titled && instance->title.n == 0) {
		err_perm(load.err, CAUSE_LOCAL_ERROR, "the title is empty");
		return fail_at(cfg, instance);
	}
	if (!check_once(instance) || !empty_lists(instance, section))
		return fail_at(cfg, instance);
	instance->end_line = cfg->line;
	return 0;
}

static size_t list_keys(const struct conf_section *section, const char *names[NAMES_MAX])
{
	size_t n = 0;
	for (const struct conf_row *row = section->rows; row->key && n < NAMES_MAX; row++)
		names[n++] = row->key;
	return n;
}

static size_t list_sections(const char *names[NAMES_MAX])
{
	size_t n = 0;
	for (const struct conf_section *const *s = load.conf->sections; *s && n < NAMES_MAX; s++)
		names[n++] = (*s)->name;
	return n;
}

/* A key that is right, in a section that is not: the commonest slip after a misspelling. */
static const char *section_with(const char *key)
{
	for (const struct conf_section *const *s = load.conf->sections; *s; s++)
		if (row_of(*s, key))
			return (*s)->name;
	return NULL;
}

static void explain_unknown(const cfg_t *cfg, const char *name)
{
	const char *names[NAMES_MAX];
	const struct conf_section *section = section_of(cfg->name);
	size_t n = section ? list_keys(section, names) : list_sections(names);
	const char *nearest = conf_nearest(str_from(name), names, n), *other = section_with(name);
	struct str shown = str_slice(str_from(name), 0, 60);
	const char *what = section ? "key" : "section";
	if (nearest)
		err_perm(load.err, CAUSE_LOCAL_ERROR, "there is no %s \"%.*s\"; did you mean \"%s\"?", what,
		         STR_ARG(shown), nearest);
	else if (other)
		err_perm(load.err, CAUSE_LOCAL_ERROR, "there is no %s \"%.*s\" here; section %s has such a key",
		         what, STR_ARG(shown), other);
	else
		err_perm(load.err, CAUSE_LOCAL_ERROR, "there is no %s \"%.*s\"", what, STR_ARG(shown));
}

__attribute__((format(printf, 2, 0))) static void syntax_error(cfg_t *cfg, const char *format,
                                                               va_list args)
{
	char text[200];
	if (load.has_failed)
		return;
	const struct conf_section *section = section_of(cfg->name);
	if (strcmp(format, "no such option '%s'") == 0) {
		explain_unknown(cfg, va_arg(args, const char *));
	} else {
		vsnprintf(text, sizeof text, format, args);
		err_perm(load.err, CAUSE_LOCAL_ERROR, "%s", text);
	}
	fail_at(cfg, section ? instance_of(cfg) : NULL);
}

static cfg_opt_t *section_options(const struct conf_section *section)
{
	size_t n = 0;
	while (section->rows[n].key)
		n++;
	cfg_opt_t *opts = mem_alloc((n + 1) * sizeof *opts);
	for (size_t i = 0; i < n; i++) {
		int flags = CFGF_NODEFAULT | (conf_row_is_list(&section->rows[i]) ? CFGF_LIST : 0);
		opts[i] = (cfg_opt_t){.name = section->rows[i].key, .type = CFGT_STR, .flags = flags,
		                      .validcb = value_read};
	}
	return opts;
}

static cfg_t *reader_new(const struct conf_section *const *sections)
{
	size_t n = 0;
	while (sections[n])
		n++;
	cfg_opt_t *opts = mem_alloc((n + 1) * sizeof *opts);
	for (size_t i = 0; i < n; i++) {
		int titled = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
		opts[i] = (cfg_opt_t){.name = sections[i]->name, .type = CFGT_SEC,
		                      .flags = sections[i]->is_titled ? titled : CFGF_NONE,
		                      .subopts = section_options(sections[i]), .validcb = section_read};
	}
	cfg_t *reader = cfg_init(opts, CFGF_NONE); /* copies them */
	for (size_t i = 0; i < n; i++)
		free(opts[i].subopts);
	free(opts);
	assert(reader);
	cfg_set_error_function(reader, syntax_error);
	return reader;
}

/* `text` is not empty: fmemopen would refuse that. */
static bool read_scanned(struct conf *c, struct str text, struct err *err)
{
	FILE *file = fmemopen((void *)text.p, text.n, "r");
	if (!file)
		return err_temp(err, CAUSE_LOCAL_ERROR, "%s: %s", c->path, strerror(errno));
	cfg_t *reader = reader_new(c->sections);
	load.conf = c;
	load.err = err;
	load.has_failed = false;
	int result = cfg_parse_fp(reader, file);
	if (result != CFG_SUCCESS && !load.has_failed)
		err_perm(err, CAUSE_LOCAL_ERROR, "%s:%d: not understood", c->path, reader->line);
	load.conf = NULL;
	load.err = NULL;
	cfg_free(reader);
	fclose(file);
	return result == CFG_SUCCESS;
}

struct conf *conf_parse(const char *name, struct str text, const struct conf_section *const *sections,
                        struct err *err)
{
	auto_buf struct buf scanned = {.max = text.n + 1};
	if (!conf_scan(name, text, &scanned, err))
		return NULL;
	buf_char(&scanned, ' ');
	assert(buf_ok(&scanned)); /* a scan never makes it longer */
	struct conf *c = conf_new(name, sections);
	if (read_scanned(c, buf_view(&scanned), err))
		return c;
	conf_unref(c);
	return NULL;
}

static bool read_file(const char *path, struct buf *out, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && buf_ok(out)) {
		char *room = buf_reserve(out, 16384);
		n = room ? read(fd, room, 16384) : 0;
		if (n > 0)
			buf_added(out, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: %s", path, strerror(errno));
	if (!buf_ok(out))
		return err_perm(err, CAUSE_LOCAL_ERROR, "%s: larger than a configuration can be (1 MiB)", path);
	return true;
}

struct conf *conf_load(const char *path, const struct conf_section *const *sections, struct err *err)
{
	auto_buf struct buf text = {.max = FILE_MAX_BYTES};
	if (!path)
		return conf_new(NULL, sections);
	if (!read_file(path, &text, err))
		return NULL;
	return conf_parse(path, buf_view(&text), sections, err);
}
