/* SPDX-License-Identifier: BSD-2-Clause */
/* A doubly linked ring with its links inside the members. The head is a link too.
 * A link that is in no list points to itself, so removing twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next;
    struct link *previous;
};

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct link *link)
{
    link->next = link;
    link->previous = link;
}

static inline bool list_is_empty(const struct link *head)
{
    return head->next == head;
}

static inline void list_add_first(struct link *head, struct link *link)
{
    link->next = head->next;
    link->previous = head;
    head->next->previous = link;
    head->next = link;
}

static inline void list_add_last(struct link *head, struct link *link)
{
    list_add_first(head->previous, link);
}

static inline void list_remove(struct link *link)
{
    link->next->previous = link->previous;
    link->previous->next = link->next;
    list_init(link);
}

/* `to` becomes the head of whatever is in `from`, which is empty then. */
static inline void list_take_all(struct link *to, struct link *from)
{
    list_add_first(from, to);
    list_remove(from);
}

static inline struct link *list_first(struct link *head)
{
    return head->next == head ? NULL : head->next;
}

static inline struct link *list_last(struct link *head)
{
    return head->previous == head ? NULL : head->previous;
}

/* What a link of the list stands in; NULL: it is the head. */
#define LIST_ITEM(at, head, type, member) ((at) == (head) ? NULL : CONTAINER_OF(at, type, member))
#define LIST_FIRST(head, type, member) LIST_ITEM((head)->next, head, type, member)

/* From the first to the last. The present one stays in the list meanwhile. */
#define LIST_EACH(type, name, head, member) \
    for (type *name = LIST_FIRST(head, type, member); name != NULL; \
         name = LIST_ITEM(name->member.next, head, type, member))

/* The present one may leave the list, and none but it. */
#define LIST_EACH_LEAVING(type, name, head, member) \
    for (type *name = LIST_FIRST(head, type, member), *name##_next = name; \
         name != NULL && ((name##_next = LIST_ITEM(name->member.next, head, type, member)), true); \
         name = name##_next)

#endif
