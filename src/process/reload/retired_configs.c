/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at the plans on it once a second, and frees those that are not used any more. */
#include "process/reload/retired_configs.h"

#include "base/system/machine.h"

#include <stdlib.h>

#define CHECK_MS 1000

struct shelved {
    struct link link;
    struct plan *plan;
};

static void on_check(void *owner);

static void check_later(struct retired_configs *retired_configs)
{
    if (!alarm_is_set(&retired_configs->check)) {
        alarm_set(retired_configs->loop, &retired_configs->check, CHECK_MS, on_check,
                  retired_configs);
    }
}

static void take_off(struct shelved *shelved)
{
    list_remove(&shelved->link);
    plan_unref(&shelved->plan);
    free(shelved);
}

static void on_check(void *owner)
{
    struct retired_configs *retired_configs = owner;
    struct link *next;

    for (struct link *link = retired_configs->plans.next; link != &retired_configs->plans;
         link = next) {
        struct shelved *shelved = CONTAINER_OF(link, struct shelved, link);

        next = link->next;
        if (plan_is_unused(shelved->plan)) {
            take_off(shelved);
            retired_configs->has_holes = true;
        }
    }
    if (retired_configs->has_holes) {
        retired_configs->has_holes = false;
        machine_return_holes();
    }
    if (!list_is_empty(&retired_configs->plans)) {
        check_later(retired_configs);
    }
}

void retired_configs_init(struct retired_configs *retired_configs, struct loop *loop)
{
    *retired_configs = (struct retired_configs){.loop = loop};
    list_init(&retired_configs->plans);
}

void retired_configs_add(struct retired_configs *retired_configs, struct plan *plan)
{
    struct shelved *shelved = malloc(sizeof(*shelved));

    if (shelved == NULL) {
        plan_unref(&plan); /* its last user frees it */
        return;
    }
    list_init(&shelved->link);
    shelved->plan = plan;
    list_add_last(&retired_configs->plans, &shelved->link);
    check_later(retired_configs);
}

void retired_configs_note_holes(struct retired_configs *retired_configs)
{
    retired_configs->has_holes = true;
    check_later(retired_configs);
}

void retired_configs_stop(struct retired_configs *retired_configs)
{
    alarm_clear(retired_configs->loop, &retired_configs->check);
}

void retired_configs_release(struct retired_configs *retired_configs)
{
    struct link *link;

    while ((link = list_first(&retired_configs->plans)) != NULL) {
        take_off(CONTAINER_OF(link, struct shelved, link));
    }
}
