/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of metrics: gauges set at the moment of the question. */
#include "cmd/daemon_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/metric.h"
#include "cmd/certificate.h"

static const char *const mode_values[] = {"off", "observe", "tag", "enforce"};

static void gauge(const char *name, const char *help, double value)
{
	metric_set(metric_gauge(name, NULL, NULL, help), value);
}

static void state_gauge(const char *state, uint64_t n)
{
	metric_set(metric_gauge("postern_queue_state_messages", "state", state, "Messages in the queue by state"), (double)n);
}

static void queue_read(const struct daemon *d)
{
	struct queue_stats q;

	queue_stats(d->queue, &q);
	state_gauge("active", q.active);
	state_gauge("deferred", q.deferred);
	state_gauge("on_hold", q.on_hold);
	state_gauge("kept", q.kept);
	gauge("postern_queue_oldest_age_seconds", "Age of the oldest message in the queue", (double)q.oldest / (double)USEC_S);
}

static void mode_read(const struct daemon *d)
{
	int now = (int)verify_mode(d->verify);

	for (int i = 0; i < 4; i++)
		metric_set(metric_gauge("postern_verify_mode", "mode", mode_values[i], "1 for the mode of sender verification in force"),
		           i == now);
}

void daemon_metrics_configured(struct daemon *d)
{
	char path[4096];
	struct wall end = {0};

	snprintf(path, sizeof(path), "%.*s", STR_ARG(d->now->gate->tls_certificate));
	if (path[0])
		certificate_end(path, &end);
	gauge("postern_tls_certificate_expiry_timestamp_seconds", "When the server's certificate ends; 0: there is none, or it cannot be read",
	      (double)end.us / (double)USEC_S);
}

static double resident_bytes(void)
{
	unsigned long long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double descriptors_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

/* The names that every Prometheus client library gives these numbers. */
static void process_read(void)
{
	struct rusage usage;
	struct rlimit limit = {0};

	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &limit);
	double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	struct metric *spent = metric_counter("process_cpu_seconds_total", NULL, NULL, "Processor time, of user and system");
	if (cpu > metric_value(spent))
		metric_add(spent, cpu - metric_value(spent));
	gauge("process_resident_memory_bytes", "Resident memory", resident_bytes());
	gauge("process_open_fds", "Open file descriptors", descriptors_open());
	gauge("process_max_fds", "File descriptors that the process may have", (double)limit.rlim_cur);
}

void daemon_metrics_read(const struct daemon *d)
{
	queue_read(d);
	mode_read(d);
	process_read();
}

void daemon_metrics_open(struct daemon *d)
{
	metric_set(metric_gauge("postern_build_info", "version", POSTERN_VERSION, "1, with the version of this daemon"), 1);
	gauge("process_start_time_seconds", "When the process started, in seconds since 1970", (double)rt_wall().us / (double)USEC_S);
	daemon_metrics_configured(d);
	daemon_metrics_read(d);
}

void daemon_metrics_print(void *arg, struct buf *out)
{
	daemon_metrics_read(arg);
	metrics_print(out);
}
