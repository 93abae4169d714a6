/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a configuration: refused with a sentence, or loaded and freed. */
#include "conf/conf.h"
struct all { struct str title; int64_t n, s; usec_t d; int c; struct conf_addr a; struct conf_texts t; struct ip_set i; };
#define ROW(key, type, field, ...) {key, type, offsetof(struct all, field), .help = "", __VA_ARGS__}
static const struct conf_row rows[] = {
	ROW("n", CONF_INT, n, .max = 9), ROW("s", CONF_SIZE, s), ROW("d", CONF_DURATION, d), ROW("a", CONF_ADDR, a),
	ROW("c", CONF_CHOICE, c, .choices = "x|y"), ROW("t", CONF_TEXTS, t), ROW("i", CONF_NETS, i), CONF_ROWS_END};
static const struct conf_section v = {"v", "", rows, sizeof(struct all)}, r = {"r", "", rows, sizeof(struct all), true};
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct conf_section *const sections[] = {&v, &r, NULL};
	struct err err = {0};
	struct conf *c = conf_parse("f", (struct str){(const char *)data, n}, sections, &err);
	if (!c && !err.text[0])
		__builtin_trap();
	conf_unref(c);
	return 0;
}
