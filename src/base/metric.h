/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry of metrics: counters, gauges and histograms with fixed buckets, named by the
 * conventions of Prometheus (`postern_…_total`, base units). Counting costs one add and happens on
 * the loop thread; other threads use `metric_add_atomic`. Registered once at start, never removed.
 *
 *	static struct metric *probes;
 *	probes = metric_counter("postern_probes_total", "verdict", "absent", "Probes by verdict");
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"

struct metric;

/* label may be NULL. The same name and label value gives the same metric. Strings are literals. */
struct metric *metric_counter(const char *name, const char *label, const char *value,
                              const char *help);
struct metric *metric_gauge(const char *name, const char *label, const char *value,
                            const char *help);
/* bounds: ascending seconds, ended by 0; NULL for the default 1 ms … 600 s ladder. */
struct metric *metric_histogram(const char *name, const char *help, const double *bounds);

void metric_add(struct metric *m, double by);
void metric_inc(struct metric *m);
void metric_add_atomic(struct metric *m, int64_t by); /* counters and gauges only */
void metric_set(struct metric *m, double to);
void metric_observe(struct metric *m, usec_t duration);
double metric_value(const struct metric *m); /* counter, gauge; count of a histogram */
double metric_quantile(const struct metric *m, double q); /* histogram: seconds, interpolated */

void metrics_print(struct buf *out); /* Prometheus text 0.0.4 */
/* Calls fn for each metric in order of registration. */
void metrics_each(void (*fn)(void *arg, const char *name, const char *label, const char *value,
                             const struct metric *m),
                  void *arg);
void metrics_reset(void); /* tests */
