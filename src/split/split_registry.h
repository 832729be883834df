/* SPDX-License-Identifier: BSD-2-Clause */
/* The weights that splits have right now, whichever file or hand they come from, by the name of
 * the route. Made once by process/process.c, outlives every snapshot and worker: what was set at
 * run time holds until the file's own split changes.
 *
 * Any thread may call anything here; a lock guards the registry, which workers do not take on a
 * request's way: they hold the splits themselves (split/live_split.h) and read atomics.
 *
 * What a new configuration says comes in two steps: plan_new (exchange/generation.h) finds or
 * makes its splits beside the ones that run, and split_registry_adopt makes them the registry's. */
#ifndef SPLIT_SPLIT_REGISTRY_H
#define SPLIT_SPLIT_REGISTRY_H

#include "base/page.h"
#include "config/settings.h"

struct split_registry;
struct live_split;
struct pin_table;

struct split_registry *split_registry_new(uint32_t workers); /* NULL: out of memory */
/* All plans must be gone. */
void split_registry_free(struct split_registry **registry);

/* Which arms saw which idempotency keys; lives as long as the registry. */
struct pin_table *split_registry_pins(struct split_registry *registry);

/* Why a split's weights are what they are. */
enum split_cause { SPLIT_AS_IN_FILE, SPLIT_BY_OPERATOR, SPLIT_BY_RAMP };
const char *split_cause_name(enum split_cause cause); /* "file", "operator", "ramp" */

/* --- an operator's orders ---------------------------------------------------------------- */

enum split_verdict {
    SPLIT_DONE,
    SPLIT_NO_ROUTE,   /* no route of this name has a split */
    SPLIT_NO_ARM,     /* a service is not in it */
    SPLIT_TWICE,      /* a service is named twice */
    SPLIT_BAD_SUM,    /* not 100 % */
    SPLIT_RAMP_MOVES, /* its ramp has the say; pause it first */
    SPLIT_NO_RAMP,    /* the route has none */
    SPLIT_NOT_NOW,    /* the ramp is not in a state for this */
    SPLIT_NO_MEMORY,
};
const char *split_verdict_sentence(enum split_verdict verdict);

struct split_weight {
    struct bytes service;
    uint32_t weight; /* of SPLIT_WHOLE */
};

/* All arms or all but one, which gets the rest. From the next request on, on every worker. */
enum split_verdict split_registry_set(struct split_registry *registry, struct bytes route,
                                      const struct split_weight *weights, uint32_t count);
/* Back to what the file says. */
enum split_verdict split_registry_reset(struct split_registry *registry, struct bytes route);

enum ramp_order { RAMP_PAUSE, RAMP_RESUME, RAMP_ABORT };
/* Resumed after a pause a ramp goes on where it was; after a breach or an abort, from its first
 * step. */
enum split_verdict split_registry_order_ramp(struct split_registry *registry, struct bytes route,
                                             enum ramp_order order);

/* --- reading ----------------------------------------------------------------------------- */

enum ramp_phase {
    RAMP_NONE,     /* the route has no ramp */
    RAMP_MOVES,    /* from step to step */
    RAMP_PAUSED,   /* an operator stopped it where it is */
    RAMP_BREACHED, /* the new arm did worse: all traffic is back at the old one */
    RAMP_ABORTED,  /* an operator sent all traffic back */
    RAMP_DONE,     /* its last step's hold is over */
};
const char *ramp_phase_name(enum ramp_phase phase);

struct ramp_group_reading { /* of the window that is being looked at */
    uint64_t requests;
    uint64_t failures;
    uint64_t p99_us;
};

struct ramp_reading {
    enum ramp_phase phase;
    uint32_t step; /* from 0 */
    uint32_t step_count;
    uint32_t weight;    /* of the new arm, now */
    uint32_t next;      /* of the next step; 0: there is none */
    uint64_t since_ms;  /* since 1970: when step or phase began */
    uint64_t hold_ms;   /* of this step, at least */
    const char *to;     /* service */
    const char *reason; /* of the breach, in words; "" */
    struct ramp_group_reading new_arm;
    struct ramp_group_reading control; /* equally many requests of the old arm */
};

struct split_arm_reading {
    const char *service;
    uint32_t file_weight;
    uint32_t weight;
};

/* A copy of one split; names are valid during the call. */
struct split_reading {
    const char *route;
    const struct split_arm_reading *arms;
    uint32_t arm_count;
    enum split_cause cause;
    bool differs; /* from the file */
    struct ramp_reading ramp;
};

/* Calls once for each route with a split of the configuration that runs. The lock is held:
 * `seen` copies or formats, and calls nothing here. */
typedef void split_seen(void *owner, const struct split_reading *reading);
void split_registry_read(struct split_registry *registry, split_seen *seen, void *owner);

/* --- over a restart ------------------------------------------------------------------------ */

#define SPLIT_KEPT_WORD "weights" /* what such a line begins with */

/* What operators set, a line a route; with what the file said, for in another file it ends. */
void split_registry_save_weights(struct split_registry *registry, struct page *page);
/* Such lines among others. Before the first configuration is adopted; what is not understood is
 * told and left out. false: no memory. */
bool split_registry_restore_weights(struct split_registry *registry, char *text);

/* --- taking up a configuration ------------------------------------------------------------ */

/* The split that stands for this route: the registry's own where name, services and weights are as
 * in the file before, else a new one beside it. A reference for the caller; NULL: no memory.
 * The route forwards to two arms or more. */
struct live_split *split_registry_find(struct split_registry *registry,
                                       const struct route_settings *route);
/* These are the splits from now on, in the order of the settings' routes, NULL where a route has
 * none. Logs whose run-time weights end with it. false: no memory, and nothing changed. */
bool split_registry_adopt(struct split_registry *registry, const struct settings *settings,
                          struct live_split *const *splits);

#endif
