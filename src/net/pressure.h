/* SPDX-License-Identifier: BSD-2-Clause */
/* How short the process is of memory and of file descriptors: a ladder of levels, one for each,
 * that all workers read. One object for the process, lent to each worker's worker context. Workers
 * report what they hold (process/worker/pressure_watch.c); the worker that reports also judges, so
 * that no thread of its own is needed. What a level means for clients is done in
 * client/guard/client_pressure.c. */
#ifndef NET_PRESSURE_H
#define NET_PRESSURE_H

#include "base/memory/slab.h"

#include <stdatomic.h>
#include <stdbool.h>

enum pressure_level {
    PRESSURE_NONE,
    PRESSURE_IDLE,    /* idle connections close early */
    PRESSURE_BODIES,  /* large request bodies are not read on */
    PRESSURE_REFUSES, /* new connections are refused; for want of descriptors, they wait */
    PRESSURE_CUTS,    /* those connections close that cost most for what they achieve */
    PRESSURE_LEVELS,
};

enum pressure_kind { PRESSURE_MEMORY, PRESSURE_DESCRIPTORS, PRESSURE_KINDS };

/* What was done about it; for the log. */
enum pressure_step {
    PRESSURE_CLOSED_IDLE,
    PRESSURE_HELD_BODY,
    PRESSURE_REFUSED,
    PRESSURE_CUT,
    PRESSURE_STEPS,
};

struct pressure_share { /* written by one worker */
    _Alignas(64) _Atomic uint64_t used[PRESSURE_KINDS];
};

struct pressure {
    _Atomic uint32_t level[PRESSURE_KINDS]; /* enum pressure_level */
    struct slab_account slabs;              /* of all pools */
    _Atomic uint64_t budget[PRESSURE_KINDS];
    _Atomic uint64_t elsewhere[PRESSURE_KINDS]; /* used by what no worker reports */
    _Atomic uint64_t changed_us[PRESSURE_KINDS];
    _Atomic uint32_t reported[PRESSURE_KINDS];       /* highest level the log knows of since none */
    _Atomic uint64_t done[PRESSURE_STEPS];           /* since the log was told */
    _Atomic uint64_t refused_before[PRESSURE_KINDS]; /* when the level changed */
    _Atomic bool dials; /* there are origins, whose connections need descriptors too */
    uint32_t workers;
    struct pressure_share shares[];
};

/* Budgets in bytes and in descriptors. NULL: out of memory. */
struct pressure *pressure_new(uint32_t workers, uint64_t memory, uint64_t descriptors);
void pressure_free(struct pressure **pressure);
/* Any thread, at any time. */
void pressure_set_budget(struct pressure *pressure, enum pressure_kind kind, uint64_t budget);
/* What the process holds beside what workers report; of memory, when `resident` is all of it. */
void pressure_note_resident(struct pressure *pressure, uint64_t resident);
void pressure_note_descriptors(struct pressure *pressure, uint64_t others);
/* On the worker's thread: what it holds now; judges both kinds. */
void pressure_report(struct pressure *pressure, uint32_t worker, uint64_t memory,
                     uint64_t descriptors, uint64_t now_us);
/* Of the whole process, in bytes or descriptors; any thread. No budget: UINT64_MAX. */
uint64_t pressure_used(const struct pressure *pressure, enum pressure_kind kind);
uint64_t pressure_budget(const struct pressure *pressure, enum pressure_kind kind);
void pressure_did(struct pressure *pressure, enum pressure_step step, uint32_t count);

static inline struct slab_account *pressure_slabs(struct pressure *pressure)
{
    return pressure != NULL ? &pressure->slabs : NULL;
}

void pressure_note_origins(struct pressure *pressure, bool any);
/* So many clients a worker may have at once, that what else needs descriptors finds some; at least
 * one. NULL: any number. */
uint32_t pressure_client_places(const struct pressure *pressure);
/* The same for connections to origins: with more than so many, idle ones had better close. */
uint32_t pressure_origin_places(const struct pressure *pressure);

/* Of one kind, or the higher of both; NULL has none. */
static inline enum pressure_level pressure_of(const struct pressure *pressure,
                                              enum pressure_kind kind)
{
    return pressure == NULL ? PRESSURE_NONE
                            : (enum pressure_level)atomic_load_explicit(&pressure->level[kind],
                                                                        memory_order_relaxed);
}

static inline enum pressure_level pressure_now(const struct pressure *pressure)
{
    enum pressure_level memory = pressure_of(pressure, PRESSURE_MEMORY);
    enum pressure_level descriptors = pressure_of(pressure, PRESSURE_DESCRIPTORS);

    return memory > descriptors ? memory : descriptors;
}

#endif
