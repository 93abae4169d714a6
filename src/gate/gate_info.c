/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sessions, for people: what each is doing and what it waits for. */
#include "base/map.h"
#include "base/mem.h"
#include "gate/policy_door.h"
#include "gate/session.h"

#include <stdio.h>
#include <stdlib.h>

/* Fibers of sessions are known by the address of their name. */
static struct str key_of(const char *const *name)
{
	return (struct str){(const char *)name, sizeof *name};
}

static void keep_fiber(void *arg, const struct fiber_info *info)
{
	struct map *fibers = arg;
	struct str name = str_from(info->name);
	if (!str_starts(name, STR("smtp")) && !str_starts(name, STR("policy")))
		return;
	struct fiber_info *copy = mem_new(struct fiber_info);
	*copy = *info;
	free(map_put(fibers, key_of(&info->name), copy));
}

static struct str wait_text(const struct fiber_info *f, char *out, size_t size)
{
	char since[32];
	if (!f)
		return STR("");
	const char *what = f->label ? f->label : f->wait ? f->wait : "running";
	struct str took = duration_text(rt_now() - f->since, since);
	int n = snprintf(out, size, "%s, %.*s", what, STR_ARG(took));
	return (struct str){out, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1};
}

static void show(const struct session *s, const struct fiber_info *fiber,
                 void (*fn)(void *arg, const struct gate_session_info *info), void *arg)
{
	char wait[256];
	const struct gate_session_info info = {
		.number = s->number,
		.client = s->client,
		.helo = str_from(s->helo),
		.sender = s->tx ? s->tx->sender : STR_NONE,
		.state = session_state_name(s->state),
		.wait = wait_text(fiber, wait, sizeof wait),
		.age = rt_now() - s->begun,
		.memory = session_memory(s),
	};
	fn(arg, &info);
}

struct showing {
	struct map *fibers;
	void (*fn)(void *arg, const struct gate_session_info *info);
	void *arg;
};

static void show_policy(void *arg, const char *name, const struct gate_session_info *info)
{
	const struct showing *to = arg;
	struct gate_session_info with_wait = *info;
	char wait[256];
	with_wait.wait = wait_text(map_get(to->fibers, key_of(&name)), wait, sizeof wait);
	to->fn(to->arg, &with_wait);
}

void gate_sessions(struct gate *g, void (*fn)(void *arg, const struct gate_session_info *info), void *arg)
{
	struct map fibers;
	size_t at = 0;
	struct str key;
	void *fiber;
	map_init(&fibers);
	fibers_each(keep_fiber, &fibers);
	list_each(it, &g->sessions) {
		const struct session *s = container_of(it, struct session, link);
		const char *name = s->name;
		show(s, map_get(&fibers, key_of(&name)), fn, arg);
	}
	policy_door_each(g, show_policy, &(struct showing){&fibers, fn, arg});
	while (map_next(&fibers, &at, &key, &fiber))
		free(fiber);
	map_done(&fibers);
}

size_t gate_session_count(const struct gate *g)
{
	return g->n_sessions;
}
