/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry of metrics and its print in the text format of Prometheus. */
#include "base/metric.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct metric {
	struct metric *next;
	enum kind kind;
	const char *name, *label, *value, *help;
	double number;          /* loop thread */
	_Atomic int64_t shared; /* other threads; the metric is the sum of both */
	/* histograms: */
	const double *bounds;
	size_t n_bounds;
	uint64_t *counts; /* one for each bound and one for what is above all */
	uint64_t count;
	double sum;
};

static const double default_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                        0.25,  0.5,    1,     2.5,  5,     10,   25,
                                        60,    120,    300,   600,  0};

static struct metric *first, **last = &first;

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct metric *find_or_add(enum kind kind, const char *name, const char *label,
                                  const char *value, const char *help)
{
	assert(!label == !value);
	for (struct metric *m = first; m; m = m->next) {
		if (!same(m->name, name))
			continue;
		/* one name has one type and one label key, or a scraper refuses the whole page */
		assert(m->kind == kind && same(m->label, label));
		if (same(m->value, value))
			return m;
	}
	struct metric *m = mem_new(struct metric);
	*m = (struct metric){.kind = kind, .name = name, .label = label, .value = value, .help = help};
	*last = m;
	last = &m->next;
	return m;
}

struct metric *metric_counter(const char *name, const char *label, const char *value,
                              const char *help)
{
	return find_or_add(COUNTER, name, label, value, help);
}

struct metric *metric_gauge(const char *name, const char *label, const char *value, const char *help)
{
	return find_or_add(GAUGE, name, label, value, help);
}

struct metric *metric_histogram(const char *name, const char *help, const double *bounds)
{
	struct metric *m = find_or_add(HISTOGRAM, name, NULL, NULL, help);
	if (m->counts)
		return m;
	m->bounds = bounds ? bounds : default_bounds;
	while (m->bounds[m->n_bounds] > 0) {
		assert(m->n_bounds == 0 || m->bounds[m->n_bounds] > m->bounds[m->n_bounds - 1]);
		m->n_bounds++;
	}
	m->counts = mem_alloc((m->n_bounds + 1) * sizeof *m->counts);
	return m;
}

void metric_add(struct metric *m, double by)
{
	assert(m->kind != HISTOGRAM && (m->kind == GAUGE || by >= 0));
	m->number += by;
}

void metric_inc(struct metric *m)
{
	metric_add(m, 1);
}

void metric_add_atomic(struct metric *m, int64_t by)
{
	assert(m->kind != HISTOGRAM && (m->kind == GAUGE || by >= 0));
	atomic_fetch_add_explicit(&m->shared, by, memory_order_relaxed);
}

void metric_set(struct metric *m, double to)
{
	assert(m->kind == GAUGE);
	m->number = to;
	atomic_store_explicit(&m->shared, 0, memory_order_relaxed);
}

void metric_observe(struct metric *m, usec_t duration)
{
	assert(m->kind == HISTOGRAM);
	double seconds = duration > 0 ? (double)duration / (double)USEC_S : 0;
	size_t i = 0;
	while (i < m->n_bounds && seconds > m->bounds[i])
		i++;
	m->counts[i]++;
	m->count++;
	m->sum += seconds;
}

double metric_value(const struct metric *m)
{
	if (m->kind == HISTOGRAM)
		return (double)m->count;
	return m->number + (double)atomic_load_explicit(&m->shared, memory_order_relaxed);
}

double metric_quantile(const struct metric *m, double q)
{
	assert(m->kind == HISTOGRAM && q >= 0 && q <= 1);
	double rank = q * (double)m->count, below = 0;
	if (m->count == 0)
		return 0;
	for (size_t i = 0; i < m->n_bounds; i++) {
		double here = (double)m->counts[i], from = i ? m->bounds[i - 1] : 0;
		if (here > 0 && below + here >= rank)
			return from + (m->bounds[i] - from) * (rank - below) / here;
		below += here;
	}
	/* above the ladder nothing is known but that */
	return m->n_bounds ? m->bounds[m->n_bounds - 1] : 0;
}

/* `\` and newline are escaped everywhere, the quote in label values only. */
static void print_escaped(struct buf *out, const char *text, bool is_label)
{
	for (; *text; text++) {
		if (*text == '\\' || (is_label && *text == '"'))
			buf_printf(out, "\\%c", *text);
		else if (*text == '\n')
			buf_str(out, STR("\\n"));
		else
			buf_char(out, *text);
	}
}

static void print_histogram(struct buf *out, const struct metric *m)
{
	uint64_t up_to = 0;
	for (size_t i = 0; i < m->n_bounds; i++) {
		up_to += m->counts[i];
		buf_printf(out, "%s_bucket{le=\"%.15g\"} %llu\n", m->name, m->bounds[i],
		           (unsigned long long)up_to);
	}
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.15g\n%s_count %llu\n", m->name,
	           (unsigned long long)m->count, m->name, m->sum, m->name,
	           (unsigned long long)m->count);
}

static void print_one(struct buf *out, const struct metric *m)
{
	if (m->kind == HISTOGRAM) {
		print_histogram(out, m);
		return;
	}
	buf_str(out, str_from(m->name));
	if (m->label) {
		buf_printf(out, "{%s=\"", m->label);
		print_escaped(out, m->value, true);
		buf_str(out, STR("\"}"));
	}
	buf_printf(out, " %.15g\n", metric_value(m));
}

static bool is_first_of_name(const struct metric *m)
{
	const struct metric *other = first;
	while (!same(other->name, m->name))
		other = other->next;
	return other == m;
}

/* All lines of one name stand together below its head, whatever the order of registration. */
void metrics_print(struct buf *out)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	for (const struct metric *m = first; m; m = m->next) {
		if (!is_first_of_name(m))
			continue;
		buf_printf(out, "# HELP %s ", m->name);
		print_escaped(out, m->help ? m->help : "", false);
		buf_printf(out, "\n# TYPE %s %s\n", m->name, types[m->kind]);
		for (const struct metric *each = m; each; each = each->next)
			if (same(each->name, m->name))
				print_one(out, each);
	}
}

void metrics_each(void (*fn)(void *arg, const char *name, const char *label, const char *value,
                             const struct metric *m),
                  void *arg)
{
	for (const struct metric *m = first; m; m = m->next)
		fn(arg, m->name, m->label, m->value, m);
}

/* Modules hold pointers to their metrics, so the metrics stay and only their numbers go. */
void metrics_reset(void)
{
	for (struct metric *m = first; m; m = m->next) {
		m->number = m->sum = 0;
		m->count = 0;
		atomic_store(&m->shared, 0);
		if (m->counts)
			memset(m->counts, 0, (m->n_bounds + 1) * sizeof *m->counts);
	}
}
