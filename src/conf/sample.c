/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sample file: every key stands there as a comment with its default, and reading it changes nothing. */
#include "conf/conf.h"

#include "base/auto.h"
#include "base/mem.h"

#include <stdio.h>

#define LINE_WIDTH 100

/* Words of `text` in comment lines of at most LINE_WIDTH. */
static void print_comment(struct buf *out, const char *indent, struct str text)
{
	size_t column = LINE_WIDTH;
	struct str word;
	bool is_first = true;
	while (str_next_word(&text, &word)) {
		if (column + 1 + word.n > LINE_WIDTH) {
			buf_printf(out, "%s%s#", is_first ? "" : "\n", indent);
			column = 8 * strlen(indent) + 1;
		}
		buf_printf(out, " %.*s", STR_ARG(word));
		column += 1 + word.n;
		is_first = false;
	}
	buf_char(out, '\n');
}

static void print_quoted(struct buf *out, struct str s)
{
	buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, s.p[i]);
	}
	buf_char(out, '"');
}

static void print_limit(struct buf *out, enum conf_type type, int64_t n)
{
	static const char *const units[] = {"", "k", "M", "G"};
	char text[32];
	int unit = 0;
	if (type == CONF_DURATION) {
		buf_str(out, duration_text(n, text));
		return;
	}
	for (; type == CONF_SIZE && unit < 3 && n && n % 1024 == 0; unit++)
		n /= 1024;
	buf_printf(out, "%lld%s", (long long)n, units[unit]);
}

/* Tables may write the help without capital and full stop, as the manual page does. */
static void add_sentence(struct buf *out, struct str help)
{
	if (help.n == 0)
		return;
	buf_char(out, help.p[0] >= 'a' && help.p[0] <= 'z' ? (char)(help.p[0] - 32) : help.p[0]);
	buf_str(out, str_skip(help, 1));
	if (!str_ends(help, STR(".")))
		buf_char(out, '.');
}

/* The help sentence and what is allowed. */
static void print_help(struct buf *out, const struct conf_row *row)
{
	auto_buf struct buf text = {.max = 4096};
	add_sentence(&text, str_from(row->help));
	if (row->type == CONF_CHOICE) {
		struct str rest = str_from(row->choices), word;
		const char *before = " One of ";
		for (; str_cut(&rest, '|', &word); before = ", ")
			buf_printf(&text, "%s%.*s", before, STR_ARG(word));
		buf_char(&text, '.');
	} else if (row->type == CONF_BOOL) {
		buf_str(&text, STR(" Yes or no."));
	} else if ((row->min || row->max) && row->type != CONF_ADDR) {
		buf_str(&text, STR(" From "));
		print_limit(&text, row->type, row->min);
		buf_str(&text, STR(" to "));
		print_limit(&text, row->type, row->max);
		buf_char(&text, '.');
	}
	print_comment(out, "\t", buf_view(&text));
}

static void print_list(struct buf *out, const struct conf_row *row, const void *field)
{
	const struct conf_texts *texts = field;
	const struct ip_set *nets = field;
	bool is_texts = row->type == CONF_TEXTS;
	size_t n = is_texts ? texts->n : nets->n;
	buf_char(out, '{');
	for (size_t i = 0; i < n; i++) {
		char text[IP_TEXT_MAX + 4];
		buf_str(out, i ? STR(", ") : STR(""));
		print_quoted(out, is_texts ? texts->items[i] : ip_net_text(nets->nets[i], text));
	}
	buf_char(out, '}');
}

static void print_default(struct buf *out, const struct conf_row *row, const void *data)
{
	const char *fallback = row->fallback ? row->fallback : "";
	if (row->type == CONF_TEXTS || row->type == CONF_NETS)
		print_list(out, row, (const char *)data + row->offset);
	else if (row->type == CONF_TEXT || row->type == CONF_ADDR || !*fallback)
		print_quoted(out, str_from(fallback));
	else
		buf_str(out, str_from(fallback));
}

static void print_section(struct buf *out, const struct conf_section *section)
{
	void *data = mem_alloc(section->size);
	conf_rows_default(section->rows, data, section->size);
	buf_char(out, '\n');
	print_comment(out, "", str_from(section->help));
	buf_printf(out, section->is_titled ? "#%s \"example.org\" {\n" : "%s {\n", section->name);
	for (const struct conf_row *row = section->rows; row->key; row++) {
		buf_str(out, row == section->rows ? STR("") : STR("\n"));
		print_help(out, row);
		buf_printf(out, "\t#%s = ", row->key);
		print_default(out, row, data);
		buf_char(out, '\n');
	}
	buf_str(out, section->is_titled ? STR("#}\n") : STR("}\n"));
	conf_rows_done(section->rows, data);
	free(data);
}

void conf_print_sample(const struct conf_section *const *sections, struct buf *out)
{
	buf_str(out, STR("# Configuration of Postern. Every section and every key stands here with its default;\n"
	                 "# take the # away in front of a key to change it. `postern check-config` tells what is\n"
	                 "# wrong with a file, `postern reload` puts it to use.\n"
	                 "#\n"
	                 "# Durations: 500ms, 25s, 10m, 4h, 7d, 1h30m. Sizes: bytes, 64k, 25M, 1G. Lists: {\"a\", \"b\"}.\n"
	                 "# Addresses: \"127.0.0.1:25\", \"[::1]:25\", \"unix:/path\". Nothing is expanded in values.\n"));
	for (; *sections; sections++)
		print_section(out, *sections);
}
