/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics over HTTP: libmicrohttpd behind its epoll descriptor, run by a fiber. */
#include "control/metrics_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"

#define CONNECTIONS_MAX 16
#define REQUEST_BYTES   8192
#define SILENCE_S       10
#define AGE_MAX         (30 * USEC_S)
#define PAGE_MAX        (4 << 20)

#define AT(field) offsetof(struct metrics_conf, field)
static const struct conf_row metrics_rows[] = {
	{"listen", CONF_ADDR, AT(listen), "", 0, 0, NULL,
         "loopback address and port where GET /metrics is answered, such as 127.0.0.1:9125 (empty: none)"},
	CONF_ROWS_END,
};
const struct conf_section metrics_section = {"metrics", "Numbers for Prometheus over HTTP.", metrics_rows,
                                             sizeof(struct metrics_conf), false};

struct guest {
	int fd; /* -1: free */
	usec_t since;
};

struct metrics_http {
	struct MHD_Daemon *server;
	void (*print)(void *arg, struct buf *out);
	void *arg;
	bool must_end;
	struct guest guests[CONNECTIONS_MAX];
};

static bool is_loopback(struct ip ip)
{
	static const struct ip one = {.family = 6, .b = {[15] = 1}};

	return ip.family == 4 ? ip.b[0] == 127 : ip_eq(ip, one);
}

bool metrics_conf_check(const struct metrics_conf *conf, struct err *err)
{
	char text[IP_TEXT_MAX];

	if (conf->listen.path.n > 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "metrics: listen: an address and a port, not a path (the control socket has them too)");
	if (conf->listen.ip.family != 0 && !is_loopback(conf->listen.ip))
		return err_perm(err, CAUSE_LOCAL_ERROR,
		                "metrics: listen: %.*s is no loopback address; the port asks for no password, so let a proxy of yours publish it",
		                STR_ARG(ip_text(conf->listen.ip, text)));
	return true;
}

/* --- requests --- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, struct str body, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                               const char *version, const char *upload, size_t *upload_n, void **unused)
{
	struct metrics_http *m = arg;
	auto_buf struct buf page;
	static const char plain[] = "text/plain; charset=utf-8";

	buf_init(&page, PAGE_MAX);
	if (strcmp(url, "/metrics") != 0)
		return answer(c, MHD_HTTP_NOT_FOUND, STR("Here is /metrics and nothing else.\n"), plain);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, STR("GET it.\n"), plain);
	m->print(m->arg, &page);
	if (!buf_ok(&page))
		return answer(c, MHD_HTTP_INTERNAL_SERVER_ERROR, STR("The page is too long.\n"), plain);
	return answer(c, MHD_HTTP_OK, buf_view(&page), "text/plain; version=0.0.4; charset=utf-8");
}

static void guest_comes_or_goes(void *arg, struct MHD_Connection *c, void **unused, enum MHD_ConnectionNotificationCode what)
{
	struct metrics_http *m = arg;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	bool comes = what == MHD_CONNECTION_NOTIFY_STARTED;

	for (size_t i = 0; info && i < CONNECTIONS_MAX; i++) {
		struct guest *g = &m->guests[i];
		if (g->fd != (comes ? -1 : info->connect_fd))
			continue;
		*g = (struct guest){comes ? info->connect_fd : -1, rt_now()};
		return;
	}
}

/* The library counts silence; who sends a byte now and then would stay for hours. */
static bool guests_hurry(struct metrics_http *m)
{
	bool is_anybody_here = false;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct guest *g = &m->guests[i];
		if (g->fd < 0)
			continue;
		is_anybody_here = true;
		if (rt_now() - g->since > AGE_MAX)
			shutdown(g->fd, SHUT_RDWR);
	}
	return is_anybody_here;
}

/* --- the fiber --- */

WAITS static void serve_metrics(void *arg)
{
	struct metrics_http *m = arg;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->server, MHD_DAEMON_INFO_EPOLL_FD);
	bool was_anybody_here = false;
	struct err err;

	while (!fiber_is_cancelled() && !m->must_end) {
		struct deadline tick;
		bool is_anybody_here = guests_hurry(m);
		MHD_UNSIGNED_LONG_LONG left;
		/* One more turn when the last one has gone: with too many guests the library forgets its port until then. */
		usec_t wait = is_anybody_here || was_anybody_here ? USEC_S : USEC_HOUR;
		was_anybody_here = is_anybody_here;
		if (MHD_get_timeout(m->server, &left) == MHD_YES && (usec_t)left * USEC_MS < wait)
			wait = (usec_t)left * USEC_MS;
		deadline_push(&tick, wait, "metrics");
		if (wait > 0)
			rt_wait_fd(info->epoll_fd, 1, "a scrape", &err);
		deadline_pop(&tick);
		MHD_run(m->server);
	}
	MHD_stop_daemon(m->server);
	free(m);
}

static int port_open(const struct conf_addr *at)
{
	struct sockaddr_storage to;
	socklen_t n = ip_to_sockaddr(at->ip, at->port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* While one daemon takes over from another, both have the port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, n) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
		return fd;
	int number = errno;
	close(fd);
	errno = number;
	return -1;
}

static struct MHD_Daemon *server_start(struct metrics_http *m, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, request, m,
	                        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
	                        (unsigned)SILENCE_S, MHD_OPTION_NOTIFY_CONNECTION, guest_comes_or_goes, m, MHD_OPTION_END);
}

bool metrics_http_open(const struct metrics_conf *conf, void (*print)(void *arg, struct buf *out), void *arg,
                       struct group *root, struct metrics_http **out, struct err *err)
{
	char text[IP_TEXT_MAX];

	if (!metrics_conf_check(conf, err))
		return false;
	if (conf->listen.ip.family == 0) {
		*out = NULL;
		return true;
	}
	int fd = port_open(&conf->listen);
	if (fd < 0)
		return err_perm(err, CAUSE_LOCAL_ERROR, "metrics: listen %.*s port %u: %s", STR_ARG(ip_text(conf->listen.ip, text)),
		                conf->listen.port, strerror(errno));
	struct metrics_http *m = mem_new(struct metrics_http);
	m->print = print;
	m->arg = arg;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		m->guests[i].fd = -1;
	m->server = server_start(m, fd);
	if (m->server && group_go(root, "metrics", serve_metrics, m, err)) {
		*out = m;
		return true;
	}
	if (m->server)
		MHD_stop_daemon(m->server);
	else
		close(fd);
	free(m);
	return err_perm(err, CAUSE_LOCAL_ERROR, "metrics: the server could not be started");
}

/* The fiber may be inside epoll: it is woken by the port that closes. */
void metrics_http_close(struct metrics_http *m)
{
	if (!m)
		return;
	m->must_end = true;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->server, MHD_DAEMON_INFO_LISTEN_FD);
	shutdown(info->listen_fd, SHUT_RDWR);
}
