/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `postern run`: from the configuration to a daemon that answers, and to its orderly end. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/daemon.h"
#include "cmd/handover.h"
#include "cmd/log_sink.h"
#include "cmd/notify.h"
#include "cmd/sandbox.h"

#define SOCKETS_MAX 64
#define PATHS_MAX   512

struct start {
	const struct cmd *cmd;
	struct conf *conf;
	const struct daemon_conf *daemon;
	const struct gate_conf *gate;
	const struct policy_door_conf *policy;
	int fds[SOCKETS_MAX];
	size_t n_fds;
	int status;
};

static bool directory_make(struct str path, struct str user, mode_t mode, struct err *err)
{
	char name[PATH_MAX], account[64];
	struct passwd *who = NULL;

	snprintf(name, sizeof(name), "%.*s", STR_ARG(path));
	snprintf(account, sizeof(account), "%.*s", STR_ARG(user));
	if (mkdir(name, mode) != 0) {
		if (errno == EEXIST)
			return true;
		return err_perm(err, CAUSE_STORAGE, "directory %s: %s", name, strerror(errno));
	}
	if (geteuid() == 0 && (who = getpwnam(account)) != NULL && chown(name, who->pw_uid, who->pw_gid) != 0)
		return err_perm(err, CAUSE_STORAGE, "directory %s: %s", name, strerror(errno));
	return true;
}

static bool directories_make(const struct start *s, struct err *err)
{
	const struct spool_conf *spool = conf_get(s->conf, &spool_section);

	return directory_make(s->daemon->state_directory, s->daemon->user, 0750, err) &&
	       directory_make(s->daemon->run_directory, s->daemon->user, 0750, err) &&
	       directory_make(spool->directory, s->daemon->user, 0700, err);
}

/* Ports below 1024 are bound while we still may; the gate finds its listeners among the descriptors. */
static bool sockets_bind(struct start *s, const struct conf_texts *doors, struct err *err)
{
	for (size_t i = 0; i < doors->n && s->n_fds < SOCKETS_MAX; i++) {
		struct conf_addr at;
		struct sockaddr_storage address;
		if (!conf_parse_addr(doors->items[i], 25, &at, err))
			return false;
		if (at.ip.family == 0)
			continue;
		socklen_t n = ip_to_sockaddr(at.ip, at.port, &address);
		int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
		if (fd < 0)
			return err_perm(err, CAUSE_LOCAL_ERROR, "listen: %s", strerror(errno));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (address.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&address, n) != 0 || listen(fd, SOMAXCONN) != 0) {
			close(fd);
			return err_perm(err, CAUSE_LOCAL_ERROR, "listen %.*s: %s", STR_ARG(doors->items[i]),
			                strerror(errno));
		}
		s->fds[s->n_fds++] = fd;
	}
	return true;
}

static bool sockets_get(struct start *s, struct err *err)
{
	s->n_fds = notify_listen_fds(s->fds, SOCKETS_MAX);
	if (s->n_fds == 0 && s->cmd->take_over &&
	    !handover_take(s->daemon, s->gate->drain + 30 * USEC_S, s->fds, SOCKETS_MAX, &s->n_fds, err))
		return false;
	if (s->n_fds == 0 && geteuid() == 0)
		return sockets_bind(s, &s->gate->listen, err) && sockets_bind(s, &s->policy->listen, err);
	return true;
}

static struct str directory_of(struct arena *arena, struct str file)
{
	return arena_str(arena, str_slice(file, 0, str_rfind_char(file, '/')));
}

/* Unix sockets are made and removed in their directories by the daemon itself. */
static size_t sandbox_sockets(struct arena *arena, const struct conf_texts *listen, struct sandbox_path *paths, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < listen->n && n < max; i++)
		if (str_starts(listen->items[i], STR("unix:")))
			paths[n++] = (struct sandbox_path){directory_of(arena, str_skip(listen->items[i], 5)), true};
	return n;
}

static bool sandbox_start(const struct start *s, struct err *err)
{
	struct arena *arena = s->cmd->arena;
	const struct spool_conf *spool = conf_get(s->conf, &spool_section);
	const struct dns_conf *dns = conf_get(s->conf, &dns_section);
	const struct route_conf *route;
	struct sandbox_path *paths = arena_alloc(arena, PATHS_MAX * sizeof(*paths));
	size_t n = 0;

	const struct sandbox_path always[] = {
		{STR("/etc"), false}, {STR("/usr"), false}, {STR("/lib"), false}, {STR("/lib64"), false},
		{STR("/dev/urandom"), false}, {STR("/dev/null"), true}, {STR("/proc"), false},
		{STR("/run/systemd"), true},
		{s->daemon->state_directory, true}, {s->daemon->run_directory, true}, {spool->directory, true},
		{directory_of(arena, s->daemon->exceptions), false},
		{directory_of(arena, s->gate->tls_certificate), false}, {directory_of(arena, s->gate->tls_key), false},
		{directory_of(arena, dns->trust_anchor), false}, {directory_of(arena, dns->root_hints), false},
		{directory_of(arena, s->daemon->log), true},
		{directory_of(arena, str_from(conf_path(s->conf))), false},
	};
	memcpy(paths, always, sizeof(always));
	n = sizeof(always) / sizeof(*always);
	n += sandbox_sockets(arena, &s->gate->listen, paths + n, SOCKETS_MAX);
	n += sandbox_sockets(arena, &s->policy->listen, paths + n, SOCKETS_MAX);
	for (size_t i = 0; (route = conf_get_titled(s->conf, &route_section, i)) != NULL && n + 2 < PATHS_MAX; i++) {
		paths[n++] = (struct sandbox_path){route->maildir, true};
		paths[n++] = (struct sandbox_path){directory_of(arena, route->recipients_file), false};
	}
	return sandbox_enter(paths, n, err);
}

WAITS static void signal_loop(void *arg)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGHUP};
	struct daemon *d = arg;
	struct err err;
	int got;

	while (rt_wait_signal(wanted, 3, &got, &err)) {
		if (got != SIGHUP) {
			log_event(LOG_INFO_, "stopping", LOG_C("signal", strsignal(got)));
			daemon_stop(d, false);
			continue;
		}
		notify_manager("RELOADING=1");
		if (!daemon_reload(d, &err))
			log_event(LOG_ERROR_, "reload_refused", LOG_C("why", err.text),
			          LOG_C("means", "the old configuration stays in force"));
		notify_manager("READY=1");
	}
}

/* All sessions live on this loop: while it turns, none of them is stuck because of us. */
WAITS static void watchdog_loop(void *arg)
{
	struct err err;

	do
		notify_manager("WATCHDOG=1");
	while (rt_sleep(notify_watchdog(), "watchdog", &err));
}

/* The manager keeps listening on what it gave us: callers there would wait for an answer that never comes. */
static void unused_sockets_tell(const struct start *s, const struct daemon *d)
{
	int used[SOCKETS_MAX];
	size_t n = gate_listener_fds(d->gate, used, SOCKETS_MAX);

	for (size_t i = 0; i < s->n_fds; i++) {
		struct sockaddr_storage at = {0};
		socklen_t length = sizeof(at);
		char text[IP_TEXT_MAX];
		struct ip ip;
		uint16_t port = 0;
		size_t k = 0;
		while (k < n && used[k] != s->fds[i])
			k++;
		if (k < n)
			continue;
		bool is_inet = getsockname(s->fds[i], (struct sockaddr *)&at, &length) == 0 &&
		               ip_from_sockaddr((struct sockaddr *)&at, &ip, &port);
		log_event(LOG_WARN_, "socket_unused", LOG_S("address", is_inet ? ip_text(ip, text) : STR("unix")),
		          LOG_I("port", port),
		          LOG_C("means", "callers wait there in vain: name it in a `listen`, or take it out of the socket unit"));
		close(s->fds[i]);
	}
}

WAITS static void daemon_main(void *arg)
{
	struct start *s = arg;
	struct daemon d = {.handover_fd = -1};
	struct err err;

	s->status = EXIT_INTERNAL;
	if (daemon_open(&d, s->cmd->config, s->conf, s->fds, s->n_fds, &err) && handover_open(&d, &err) &&
	    group_go(&d.root, "signals", signal_loop, &d, &err) &&
	    (notify_watchdog() == 0 || group_go(&d.root, "watchdog", watchdog_loop, &d, &err)) &&
	    rt_yield(&err)) { /* the signals are caught before anybody hears that we are there and may send one */
		unused_sockets_tell(s, &d);
		log_event(LOG_INFO_, "started", LOG_S("host", d.host), LOG_I("pid", getpid()));
		notify_manager("READY=1\nMAINPID=%d", (int)getpid());
		while (!d.must_stop && cond_wait(&d.wake, "work", &err))
			;
		notify_manager("STOPPING=1");
		s->status = EXIT_FINE;
	} else {
		log_event(LOG_ERROR_, "start_failed", LOG_C("why", err.text));
	}
	daemon_close(&d);
	handover_close(&d);
	log_event(LOG_INFO_, "stopped");
}

/* Sessions are descriptors: as many as the system lets us have. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int cmd_run(struct cmd *c)
{
	struct start s = {.cmd = c};
	struct rt_options options = {0};
	struct err err;

	s.conf = daemon_conf_load(c->config, &err);
	if (!s.conf)
		return cmd_fail_err(EXIT_USAGE, &err);
	s.daemon = conf_get(s.conf, &daemon_section);
	s.gate = conf_get(s.conf, &gate_section);
	s.policy = conf_get(s.conf, &policy_door_section);
	descriptors_raise();
	if (!log_sink_open(s.daemon->log, (enum log_format)s.daemon->log_format, (enum log_level)s.daemon->log_level, &err) ||
	    !sockets_get(&s, &err) || !directories_make(&s, &err) || !sandbox_drop_root(s.daemon->user, &err) ||
	    (s.daemon->sandbox && !sandbox_start(&s, &err)))
		return cmd_fail_err(EXIT_FAULT, &err);
	if (!rt_run(&options, daemon_main, &s, &err))
		return cmd_fail_err(EXIT_INTERNAL, &err);
	return s.status;
}
