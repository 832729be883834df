/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at the plans on it once a second, and frees those that are not used any more. */
#include "process/reload/shelf.h"

#include "process/system/memory.h"

#include <stdlib.h>

#define LOOK_MS 1000

struct shelved {
    struct link link;
    struct plan *plan;
};

static void on_look(void *owner);

static void look_later(struct shelf *shelf)
{
    if (!alarm_is_set(&shelf->look)) {
        alarm_set(shelf->loop, &shelf->look, LOOK_MS, on_look, shelf);
    }
}

static void take_off(struct shelved *shelved)
{
    list_remove(&shelved->link);
    plan_unref(&shelved->plan);
    free(shelved);
}

static void on_look(void *owner)
{
    struct shelf *shelf = owner;
    struct link *next;

    for (struct link *link = shelf->plans.next; link != &shelf->plans; link = next) {
        struct shelved *shelved = CONTAINER_OF(link, struct shelved, link);

        next = link->next;
        if (plan_is_unused(shelved->plan)) {
            take_off(shelved);
            shelf->has_holes = true;
        }
    }
    if (shelf->has_holes) {
        shelf->has_holes = false;
        memory_return_holes();
    }
    if (!list_is_empty(&shelf->plans)) {
        look_later(shelf);
    }
}

void shelf_init(struct shelf *shelf, struct loop *loop)
{
    *shelf = (struct shelf){.loop = loop};
    list_init(&shelf->plans);
}

void shelf_add(struct shelf *shelf, struct plan *plan)
{
    struct shelved *shelved = malloc(sizeof(*shelved));

    if (shelved == NULL) {
        plan_unref(&plan); /* whoever uses it last frees it */
        return;
    }
    list_init(&shelved->link);
    shelved->plan = plan;
    list_add_last(&shelf->plans, &shelved->link);
    look_later(shelf);
}

void shelf_note_holes(struct shelf *shelf)
{
    shelf->has_holes = true;
    look_later(shelf);
}

void shelf_stop(struct shelf *shelf)
{
    alarm_clear(shelf->loop, &shelf->look);
}

void shelf_release(struct shelf *shelf)
{
    struct link *link;

    while ((link = list_first(&shelf->plans)) != NULL) {
        take_off(CONTAINER_OF(link, struct shelved, link));
    }
}
