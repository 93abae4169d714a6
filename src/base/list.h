/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intrusive doubly linked list: the links live in the member, a member is in at most one list
 * per link field. A removed or initialised link points at itself, so removing twice is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};
struct list {
	struct link head;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}
static inline void list_init(struct list *l)
{
	link_init(&l->head);
}
static inline bool list_is_empty(const struct list *l)
{
	return l->head.next == &l->head;
}
static inline bool link_is_in_list(const struct link *l)
{
	return l->next != l;
}
static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}
static inline void list_push_back(struct list *l, struct link *item)
{
	item->prev = l->head.prev;
	item->next = &l->head;
	l->head.prev->next = item;
	l->head.prev = item;
}
static inline void list_push_front(struct list *l, struct link *item)
{
	item->next = l->head.next;
	item->prev = &l->head;
	l->head.next->prev = item;
	l->head.next = item;
}
static inline void link_insert_before(struct link *at, struct link *item)
{
	item->next = at;
	item->prev = at->prev;
	at->prev->next = item;
	at->prev = item;
}
static inline struct link *list_first(struct list *l)
{
	return list_is_empty(l) ? NULL : l->head.next;
}
static inline struct link *list_pop_front(struct list *l)
{
	struct link *item = list_first(l);
	if (item)
		link_remove(item);
	return item;
}
/* The body may remove the current item, no other. */
#define list_each(it, list)                                                                        \
	for (struct link *it = (list)->head.next, *it##_next = it->next; it != &(list)->head;      \
	     it = it##_next, it##_next = it->next)
