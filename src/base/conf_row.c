/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of settings: one value into its field, all defaults, and everything freed again. */
#include "base/conf_row.h"

#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>

#define SHOWN_MAX 60 /* of a refused value, so that the rest of the sentence fits */

union field {
	bool yes;
	int64_t number; /* and usec_t */
	int choice;
	struct str text;
	struct conf_addr addr;
	struct conf_texts texts;
	struct ip_set nets;
};

static size_t field_size(enum conf_type type)
{
	static const size_t sizes[] = {
		[CONF_BOOL] = sizeof(bool),
		[CONF_INT] = sizeof(int64_t),
		[CONF_SIZE] = sizeof(int64_t),
		[CONF_DURATION] = sizeof(usec_t),
		[CONF_TEXT] = sizeof(struct str),
		[CONF_CHOICE] = sizeof(int),
		[CONF_ADDR] = sizeof(struct conf_addr),
		[CONF_TEXTS] = sizeof(struct conf_texts),
		[CONF_NETS] = sizeof(struct ip_set),
	};
	assert((size_t)type < sizeof sizes / sizeof *sizes);
	return sizes[type];
}

__attribute__((format(printf, 4, 5))) static bool
refuse(const struct conf_row *row, struct str value, struct err *err, const char *format, ...)
{
	char why[160];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	return err_perm(err, CAUSE_LOCAL_ERROR, "%s: \"%.*s%s\" %s", row->key,
	                STR_ARG(str_slice(value, 0, SHOWN_MAX)), value.n > SHOWN_MAX ? "..." : "", why);
}

static bool parse_bool(const struct conf_row *row, struct str value, bool *out, struct err *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (str_ieq(value, str_from(words[i]))) {
			*out = i % 2;
			return true;
		}
	}
	return refuse(row, value, err, "is neither yes nor no");
}

/* A limit in the notation of its row. */
static struct str limit_text(enum conf_type type, int64_t n, char out[32])
{
	static const char *const units[] = {"", "k", "M", "G"};
	if (type == CONF_DURATION)
		return duration_text(n, out);
	int unit = 0;
	for (; type == CONF_SIZE && unit < 3 && n && n % 1024 == 0; unit++)
		n /= 1024;
	return (struct str){out, (size_t)snprintf(out, 32, "%lld%s", (long long)n, units[unit])};
}

static bool parse_int(struct str value, int64_t *out)
{
	uint64_t n;
	bool is_negative = str_starts(value, STR("-"));
	if (!str_to_u64(str_skip(value, is_negative), INT64_MAX, &n))
		return false;
	*out = is_negative ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool parse_number(const struct conf_row *row, struct str value, int64_t *out, struct err *err)
{
	char low[32], high[32];
	int64_t n;
	if (row->type == CONF_INT && !parse_int(value, &n))
		return refuse(row, value, err, "is not a whole number");
	if (row->type == CONF_SIZE && !conf_parse_size(value, &n))
		return refuse(row, value, err, "is not a size; write bytes, 64k, 25M or 1G");
	if (row->type == CONF_DURATION && !conf_parse_duration(value, &n))
		return refuse(row, value, err,
		              "is not a duration; write 500ms, 25s, 10m, 4h, 7d or 1h30m");
	if ((row->min || row->max) && (n < row->min || n > row->max))
		return refuse(row, value, err, "is outside the limits; allowed is %.*s to %.*s",
		              STR_ARG(limit_text(row->type, row->min, low)),
		              STR_ARG(limit_text(row->type, row->max, high)));
	*out = n;
	return true;
}

static bool parse_choice(const struct conf_row *row, struct str value, int *out, struct err *err)
{
	struct str rest = str_from(row->choices), word;
	for (int i = 0; str_cut(&rest, '|', &word); i++) {
		if (str_ieq(word, value)) {
			*out = i;
			return true;
		}
	}
	return refuse(row, value, err, "is not one of %s", row->choices);
}

static bool parse_addr(const struct conf_row *row, struct str value, struct conf_addr *out,
                       struct err *err)
{
	struct conf_addr addr = {0};
	if (value.n && !conf_parse_addr(value, (uint16_t)row->min, &addr, err))
		return err_context(err, "%s", row->key);
	if (addr.path.n)
		addr.path.p = mem_cstr(addr.path);
	*out = addr;
	return true;
}

/* One item off the front, without its quotes, into `item`; `\` keeps the next byte as it is. */
static bool take_item(struct str *rest, struct buf *item)
{
	bool is_quoted = str_starts(*rest, STR("\""));
	size_t i = is_quoted;
	buf_clear(item);
	for (; i < rest->n && rest->p[i] != (is_quoted ? '"' : ','); i++) {
		if (is_quoted && rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		buf_char(item, rest->p[i]);
	}
	if (is_quoted && i++ == rest->n)
		return false;
	if (!is_quoted)
		buf_truncate(item, str_trim(buf_view(item)).n); /* nothing to trim in front */
	*rest = str_trim(str_skip(*rest, i));
	return is_quoted || item->n > 0;
}

typedef bool add_fn(union field *field, struct str item, struct err *err);

static bool add_text(union field *field, struct str item, struct err *err)
{
	struct conf_texts *texts = &field->texts;
	texts->items = mem_resize(texts->items, (texts->n + 1) * sizeof *texts->items);
	texts->items[texts->n++] = (struct str){mem_cstr(item), item.n};
	return true;
}

static bool add_net(union field *field, struct str item, struct err *err)
{
	return ip_set_add(&field->nets, item, err);
}

static bool parse_list(const struct conf_row *row, struct str value, union field *out, add_fn *add,
                       struct err *err)
{
	struct str rest = str_trim(value);
	if (rest.n >= 2 && str_starts(rest, STR("{")) && str_ends(rest, STR("}")))
		rest = str_trim(str_slice(rest, 1, rest.n - 1));
	auto_buf struct buf item = {.max = rest.n};
	while (rest.n) {
		if (!take_item(&rest, &item))
			return refuse(row, value, err, "has an empty or unended item");
		if (!add(out, buf_view(&item), err))
			return err_context(err, "%s", row->key);
		if (rest.n == 0)
			break;
		if (rest.p[0] != ',')
			return refuse(row, value, err, "lacks a comma between two items");
		rest = str_trim(str_skip(rest, 1));
		if (rest.n == 0)
			return refuse(row, value, err, "ends in a comma");
	}
	return true;
}

static bool parse(const struct conf_row *row, struct str value, union field *out, struct err *err)
{
	switch (row->type) {
	case CONF_BOOL:
		return parse_bool(row, value, &out->yes, err);
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		return parse_number(row, value, &out->number, err);
	case CONF_TEXT:
		out->text = (struct str){mem_cstr(value), value.n};
		return true;
	case CONF_CHOICE:
		return parse_choice(row, value, &out->choice, err);
	case CONF_ADDR:
		return parse_addr(row, value, &out->addr, err);
	case CONF_TEXTS:
		return parse_list(row, value, out, add_text, err);
	case CONF_NETS:
		return parse_list(row, value, out, add_net, err);
	}
	assert(!"a type of the table");
	return false;
}

static void field_done(enum conf_type type, union field *field)
{
	if (type == CONF_TEXT)
		free((void *)field->text.p);
	else if (type == CONF_ADDR)
		free((void *)field->addr.path.p);
	else if (type == CONF_NETS)
		ip_set_done(&field->nets);
	else if (type == CONF_TEXTS) {
		for (size_t i = 0; i < field->texts.n; i++)
			free((void *)field->texts.items[i].p);
		free(field->texts.items);
	}
}

bool conf_row_set(const struct conf_row *row, void *out, struct str value, struct err *err)
{
	void *at = (char *)out + row->offset;
	size_t size = field_size(row->type);
	union field fresh, former;
	memset(&fresh, 0, sizeof fresh);
	memset(&former, 0, sizeof former);
	if (!parse(row, value, &fresh, err)) {
		field_done(row->type, &fresh);
		return false;
	}
	memcpy(&former, at, size);
	memcpy(at, &fresh, size);
	field_done(row->type, &former);
	return true;
}

bool conf_row_is_list(const struct conf_row *row)
{
	return row->type == CONF_TEXTS || row->type == CONF_NETS;
}

bool conf_row_add(const struct conf_row *row, void *out, struct str item, struct err *err)
{
	void *at = (char *)out + row->offset;
	union field list;
	assert(conf_row_is_list(row));
	memcpy(&list, at, field_size(row->type));
	bool ok = row->type == CONF_TEXTS ? add_text(&list, item, err) : add_net(&list, item, err);
	memcpy(at, &list, field_size(row->type));
	return ok || err_context(err, "%s", row->key);
}

static void assert_sane(const struct conf_row *rows, const struct conf_row *row, size_t size)
{
	assert(row->help && row->offset + field_size(row->type) <= size);
	assert(row->min <= row->max || row->type == CONF_ADDR);
	assert((row->type == CONF_CHOICE) == (row->choices != NULL));
	for (const struct conf_row *other = rows; other != row; other++)
		assert(strcmp(other->key, row->key) != 0 && other->offset != row->offset);
}

void conf_rows_default(const struct conf_row *rows, void *out, size_t size)
{
	memset(out, 0, size);
	for (const struct conf_row *row = rows; row->key; row++) {
		struct err err;
		assert_sane(rows, row, size);
		if (row->fallback && !conf_row_set(row, out, str_from(row->fallback), &err)) {
			fprintf(stderr, "postern: a default is wrong: %s\n", err.text);
			abort();
		}
	}
}

void conf_rows_done(const struct conf_row *rows, void *out)
{
	for (const struct conf_row *row = rows; row->key; row++) {
		union field former;
		void *at = (char *)out + row->offset;
		memcpy(&former, at, field_size(row->type));
		field_done(row->type, &former);
		memset(at, 0, field_size(row->type));
	}
}
