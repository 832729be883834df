/* SPDX-License-Identifier: BSD-2-Clause */
/* What the registry (split_registry.c), how it takes up configurations (split_registry_adopt.c),
 * its ramps (ramp.c) and what is kept of it over a restart (split_registry_kept.c) share. No other
 * file includes this. */
#ifndef SPLIT_SPLIT_REGISTRY_PRIVATE_H
#define SPLIT_SPLIT_REGISTRY_PRIVATE_H

#include "split/live_split.h"
#include "split/ramp_analysis.h"
#include "split/split_registry.h"

#include <pthread.h>

struct ramp {
    enum ramp_phase phase;
    struct ramp_settings settings; /* with steps of its own */
    uint64_t services_print;       /* of both arms' names: which move it is about */
    uint64_t steps_print;          /* and by which steps */
    uint32_t step;
    uint64_t since_ms; /* since 1970: of the step or phase; 0: it begins with the next tick */
    char reason[GUARD_REASON_MAX];
    bool ordered; /* by an operator, since this process has it */

    /* The guard's view; nothing of it outlives a restart. */
    struct group_counts seen[ARM_GROUP_COUNT]; /* of all workers, at the last tick */
    struct guard_window before;                /* the last whole window of this step */
    struct guard_window now;
    uint64_t window_ms; /* when `now` began */
    uint32_t windows;   /* whole ones in this step */
};

/* What an operator had set in the process before, and what its file said. */
struct split_kept {
    uint32_t count;
    char *services[SPLIT_ARMS_MAX];
    uint32_t file_weights[SPLIT_ARMS_MAX];
    uint32_t weights[SPLIT_ARMS_MAX];
};

struct split_entry {
    char *route;
    struct live_split *live; /* NULL: no route of this name now; kept for its memory's sake */
    struct ramp *ramp;       /* NULL: none */
    struct ramp *memory;     /* of a ramp that is not in the file now, or not yet */
    struct split_kept *kept; /* until the first configuration is taken up */
};
void split_entry_release(struct split_entry *entry);

struct split_registry {
    struct pin_table *pins; /* not under the lock */
    pthread_mutex_t lock;
    uint32_t workers;
    struct split_entry *entries; /* by route, no two alike */
    uint32_t count;
    bool forgoes_ramps;
};

/* --- split_registry.c --- */

/* The route's entry, with or without a live split; NULL: it has none. */
struct split_entry *split_registry_entry(const struct split_registry *registry, struct bytes route);
/* The index where it stands, or should. */
uint32_t split_registry_place(const struct split_registry *registry, struct bytes route);
int split_entry_compare(const void *a, const void *b); /* by route, for qsort and bsearch */
void split_kept_free(struct split_kept **kept);

/* --- ramp.c; all under the registry's lock --- */

/* The route's ramp, with what the entry's own remembers where it is about the same move. NULL in
 * *ramp: the route has none. false: no memory. */
bool ramp_prepare(const struct split_entry *entry, const struct route_settings *route,
                  struct ramp **ramp);
void ramp_free(struct ramp **ramp);
/* The analysis or an operator stopped it: to be remembered even while the file has no ramp. */
bool ramp_was_stopped(const struct ramp *ramp);
/* The same for an entry of a new configuration; `old`, its like in the one before, may be NULL. */
void ramp_carry_over(struct split_entry *entry, const struct split_entry *old);
/* true: it was elsewhere, and is now where `former` says. Nothing changes where that is about another
 * move, or where an operator gave an order since. */
bool ramp_follow(struct split_entry *entry, const struct ramp *former);
enum split_verdict ramp_order(struct split_entry *entry, enum ramp_order order);
void ramp_check(const struct split_entry *entry, struct ramp_reading *reading);

struct ramp_event;
/* True when it moved, and *event says how. */
bool ramp_tick(struct split_entry *entry, uint64_t now_ms, struct ramp_event *event);

#endif
