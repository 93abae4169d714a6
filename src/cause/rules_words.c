/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aho-Corasick with dense rows over the bytes that occur in phrases. */
#include "cause/rules_words.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define LINE 32 /* numbers of 16 bits in a line of the cache */

/* A node's outputs and those of its suffixes: a list through `next`. */
struct output {
	uint16_t number, length;
	uint32_t next; /* 0: the end */
};
struct words {
	uint8_t column[256];      /* of a byte; 0: occurs in no phrase */
	unsigned columns;
	uint32_t *to;             /* [node * 256 + byte], while phrases are added */
	uint16_t *rows;           /* [node * stride], when built: first output, then the next node by column */
	size_t stride;            /* whole lines of the cache */
	uint32_t *fail, *first;   /* by node, while it is built; first output, 0: none */
	uint32_t n, room;
	struct output *outputs;
	uint32_t n_outputs, outputs_room;
};

static uint32_t node_new(struct words *w)
{
	assert(w->n < UINT16_MAX); /* rules_file.c bounds what a file may hold */
	if (w->n == w->room) {
		w->room = w->room ? w->room * 2 : 1024;
		w->to = mem_resize(w->to, (size_t)w->room * 256 * sizeof *w->to);
		w->fail = mem_resize(w->fail, w->room * sizeof *w->fail);
		w->first = mem_resize(w->first, w->room * sizeof *w->first);
	}
	memset(w->to + (size_t)w->n * 256, 0, 256 * sizeof *w->to);
	w->fail[w->n] = w->first[w->n] = 0;
	return w->n++;
}

static uint32_t output_new(struct words *w, uint16_t number, uint16_t length, uint32_t next)
{
	if (w->n_outputs == w->outputs_room) {
		w->outputs_room = w->outputs_room ? w->outputs_room * 2 : 1024;
		w->outputs = mem_resize(w->outputs, w->outputs_room * sizeof *w->outputs);
	}
	w->outputs[w->n_outputs] = (struct output){number, length, next};
	return w->n_outputs++;
}

struct words *words_new(void)
{
	/* A node's first line of the cache holds what nearly all texts are made of. */
	static const char common[] = " etaoinsrhldcumfpgwybvkxqjz";
	struct words *w = mem_alloc(sizeof *w);
	w->columns = 1;
	for (const char *c = common; *c; c++)
		w->column[(unsigned char)*c] = (uint8_t)w->columns++;
	node_new(w);
	output_new(w, 0, 0, 0);
	return w;
}

void words_free(struct words *w)
{
	if (!w)
		return;
	free(w->to);
	free(w->rows);
	free(w->fail);
	free(w->first);
	free(w->outputs);
	free(w);
}

bool words_has_room(const struct words *w, size_t bytes)
{
	return w->n + bytes < UINT16_MAX && w->n_outputs < UINT16_MAX;
}

void words_add(struct words *w, struct str phrase, uint16_t number)
{
	uint32_t node = 0;

	assert(phrase.n > 0 && phrase.n < 1024 && w->to);
	for (size_t i = 0; i < phrase.n; i++) {
		unsigned char c = (unsigned char)phrase.p[i];
		if (!w->column[c]) {
			assert(w->columns < 255);
			w->column[c] = (uint8_t)w->columns++;
		}
		uint32_t next = w->to[(size_t)node * 256 + c];
		if (!next) {
			next = node_new(w);
			w->to[(size_t)node * 256 + c] = next;
		}
		node = next;
	}
	uint32_t made = output_new(w, number, (uint16_t)phrase.n, w->first[node]);
	w->first[node] = made;
}

/* Nodes by depth: nearly all steps of a scan are among the first few hundred, which then share their cache lines. */
static void rows_renumber(struct words *w, const uint16_t *rows, const uint32_t *order)
{
	uint16_t *number = mem_alloc(w->n * sizeof *number);

	w->stride = (1 + w->columns + LINE - 1) / LINE * LINE;
	w->rows = aligned_alloc(LINE * sizeof *w->rows, w->n * w->stride * sizeof *w->rows);
	assert(w->rows && w->n_outputs <= UINT16_MAX);
	for (uint32_t i = 0; i < w->n; i++)
		number[order[i]] = (uint16_t)i;
	for (uint32_t i = 0; i < w->n; i++) {
		uint16_t *row = w->rows + i * w->stride;
		row[0] = (uint16_t)w->first[order[i]];
		for (unsigned c = 0; c < w->columns; c++)
			row[1 + c] = number[rows[(size_t)order[i] * w->columns + c]];
	}
	free(number);
}

/* Breadth first: a node's suffix is shallower, so its row is complete when the node's is filled. */
void words_build(struct words *w)
{
	uint16_t *rows = mem_alloc((size_t)w->n * w->columns * sizeof *rows);
	uint32_t *queue = mem_alloc(w->n * sizeof *queue);
	uint32_t head = 0, tail = 0;

	queue[tail++] = 0;
	while (head < tail) {
		uint32_t node = queue[head++], fail = w->fail[node];
		for (unsigned c = 0; c < 256; c++) {
			unsigned column = w->column[c];
			if (!column)
				continue;
			uint32_t next = w->to[(size_t)node * 256 + c];
			uint32_t around = node ? rows[(size_t)fail * w->columns + column] : 0;
			if (!next) {
				rows[(size_t)node * w->columns + column] = (uint16_t)around;
				continue;
			}
			rows[(size_t)node * w->columns + column] = (uint16_t)next;
			w->fail[next] = around;
			queue[tail++] = next;
			if (!w->first[next]) {
				w->first[next] = w->first[around];
				continue;
			}
			uint32_t last = w->first[next];
			while (w->outputs[last].next)
				last = w->outputs[last].next;
			w->outputs[last].next = w->first[around];
		}
	}
	free(w->to);
	w->to = NULL;
	rows_renumber(w, rows, queue);
	free(rows);
	free(queue);
}

size_t words_scan(const struct words *w, struct str text, struct words_hit *hits, size_t max)
{
	const uint16_t *row = w->rows;
	const struct output *outputs = w->outputs;
	size_t n = 0;

	assert(text.n <= UINT16_MAX);
	for (size_t i = 0; i < text.n; i++) {
		row = w->rows + row[1 + w->column[(unsigned char)text.p[i]]] * w->stride;
		for (uint32_t o = row[0]; o; o = outputs[o].next) {
			if (n == max)
				return n;
			hits[n++] = (struct words_hit){outputs[o].number, (uint16_t)(i + 1 - outputs[o].length), (uint16_t)(i + 1)};
		}
	}
	return n;
}
