/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of the origin registry as origin/ itself sees them. Their fields are
 * written by many threads but seldom: on failures, verdicts and the operator's word. What every
 * request counts is in each worker's own tally, which the registry only knows the address of. */
#ifndef ORIGIN_ORIGIN_ENTRY_H
#define ORIGIN_ORIGIN_ENTRY_H

#include "base/list.h"
#include "base/name_table.h"
#include "net/loop.h"
#include "origin/origin_registry.h"
#include "origin/pool/adaptive.h"
#include "origin/pool/quota.h"
#include "origin/pool/recovery.h"

#include <stdatomic.h>

#define ORIGIN_CACHE_LINE 64

/* One worker's numbers of one origin: written by that worker alone, without locked instructions,
 * read by all that want the sum. */
struct origin_tally {
    _Atomic uint32_t connections;       /* open or being opened */
    _Atomic uint32_t http2_connections; /* of these, those that carry streams */
    _Atomic uint32_t http2_streams;
    _Atomic uint32_t busy;
    _Atomic uint32_t waiting;
    _Atomic uint64_t requests;
    _Atomic uint64_t failures;
    struct link link; /* in entry->tallies */
};

#define TALLY_READ(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define TALLY_ADD(field, count) \
    atomic_store_explicit(&(field), TALLY_READ(field) + (count), memory_order_relaxed)

/* What every entry begins with. */
struct registry_entry {
    struct named named;
    struct origin_registry *registry;
    char *name;
    uint32_t references; /* under the registry's lock */
};

struct origin_entry {
    struct registry_entry common;
    struct origin_entry *of; /* the name that it is an address of; NULL: none. Held */
    uint32_t addresses;      /* of a name: entries that are `of` it; under the registry's lock */
    struct link tallies;    /* under the registry's lock; of one worker two, where one speaks TLS */
    uint64_t past_requests; /* of tallies that are gone */
    uint64_t past_failures;

    /* Looked at for each answer: something was noted against it and is not forgotten yet. */
    _Alignas(ORIGIN_CACHE_LINE) _Atomic bool troubled;
    _Atomic bool drained;
    _Atomic uint8_t phase; /* enum origin_phase; changed by origin_entry_set_phase only */
    _Atomic uint32_t
        probes_up; /* probes of the one opinion and of the other: services that share */
    _Atomic uint32_t probes_down; /* an origin each probe it in their own way; one down is down */
    _Atomic uint32_t failures_in_row;
    _Atomic uint32_t window_answers; /* in the window that the first failure opened */
    _Atomic uint32_t window_failures;
    _Atomic uint32_t window_seen;     /* of these, that clients heard of: there was no other try */
    _Atomic uint64_t window_until_us; /* 0: none is open */
    _Atomic uint64_t
        risky_until_us;         /* it broke an attempt lately: for what may not be repeated others
                                         come first */
    _Atomic uint32_t ejections; /* in a row */
    _Atomic uint64_t ejected_until_us;
    _Atomic uint64_t returned_us;        /* when it last came back; 0: it was never away */
    _Atomic bool connect_probing;        /* some worker looks whether it accepts connections */
    _Atomic bool half_open_taken;        /* a request is out to try it */
    _Atomic uint64_t half_open_since_us; /* when it may be tried */
    _Atomic uint32_t half_open_passed;
    _Atomic bool half_open_was_slow; /* the last one; once is forgiven */
    _Atomic uint64_t ejected;        /* times, ever */
    _Atomic uint64_t probes;
    _Atomic uint64_t probes_failed;
    struct recovery recovery; /* of services with a limit at their origins */

    _Alignas(ORIGIN_CACHE_LINE) struct quota connections; /* always counted */
    struct quota requests;                                /* of services with such a limit */
    struct quota unfinished; /* requests whose body is not whole: where there is any limit */
    _Atomic uint32_t waiting;
    struct adaptive adaptive;     /* of services with concurrency: auto */
    _Atomic uint64_t gave_way_us; /* when an upload last gave way: give_way.c */
    _Atomic uint32_t slow;        /* connections with slow clients, while some wait: reserve.c */
};

/* What all workers have of one service; by its name. */
struct service_entry {
    struct registry_entry common;
    _Alignas(ORIGIN_CACHE_LINE) struct quota connections; /* these two where it has such a limit */
    struct quota requests;
    struct quota unfinished;
    _Atomic uint32_t waiting;
};

/* The entry of that name, made if it is new; counted. An address of a name (observe/origin_label.h)
 * has the entry of that name made with it. NULL: out of memory. */
struct origin_entry *origin_entry_get(struct origin_registry *registry, const char *name);
struct origin_entry *origin_entry_hold(struct origin_entry *entry);
void origin_entry_put(struct origin_entry **entry);
struct service_entry *service_entry_get(struct origin_registry *registry, const char *name);
struct service_entry *service_entry_hold(struct service_entry *entry);
void service_entry_put(struct service_entry **entry);
/* Makes a worker's numbers part of the sum, and takes them out again. */
void origin_entry_join(struct origin_entry *entry, struct origin_tally *tally);
void origin_entry_leave(struct origin_entry *entry, struct origin_tally *tally);

/* Where each worker can be reached by the others: limits.c. */
struct origin_directory;
uint32_t origin_registry_workers(const struct origin_registry *registry);
void origin_registry_open_context(struct origin_registry *registry, uint32_t worker,
                                  struct origin_directory *directory, struct loop *loop,
                                  loop_posted *wakes);
void origin_registry_close_context(struct origin_registry *registry, uint32_t worker);
/* NULL: closed. */
struct origin_directory *origin_registry_context(const struct origin_registry *registry,
                                                 uint32_t worker);
/* Calls what the context was opened with, on that worker's loop; once for any number of wakes before
 * it gets there. */
void origin_registry_wake(struct origin_registry *registry, uint32_t worker);

/* Grows with each change that may matter to who is chosen: services look again then. */
const _Atomic uint64_t *origin_registry_serial(const struct origin_registry *registry);
void origin_registry_changed(struct origin_registry *registry);
/* Who changes a phase holds this: for some stores, never longer. false: another thread is at it;
 * what was seen will be seen again. */
bool origin_registry_begin_change(struct origin_registry *registry);
void origin_registry_end_change(struct origin_registry *registry);

/* By the operator's word about it, or about all addresses of its name. */
static inline bool origin_entry_is_drained(const struct origin_entry *entry)
{
    return TALLY_READ(entry->drained) || (entry->of != NULL && TALLY_READ(entry->of->drained));
}

static inline enum origin_phase origin_entry_phase(const struct origin_entry *entry)
{
    return (enum origin_phase)atomic_load_explicit(&entry->phase, memory_order_acquire);
}

/* Within a change. */
void origin_entry_set_phase(struct origin_entry *entry, enum origin_phase phase);

#endif
