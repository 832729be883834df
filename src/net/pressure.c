/* SPDX-License-Identifier: BSD-2-Clause */
/* The ladder: from use and budget to a level. Up at once, as far as it is; down one step at a
 * time, each a second after the last change and clearly below where it began, so that the steps
 * can work and the level does not flutter. */
#include "net/pressure.h"

#include "base/log/log.h"

#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024)
#define STEP_DOWN_US 1000000
#define REFUSES_US 1000000
#define SLABS_SPARE (4 * MIB)
/* Descriptors: of what there is for connections a half is for those to origins, which each client
 * may need one of; and some are for what comes and goes, files, names and the control interface. */
#define ORIGINS_MOST 512
#define SPARE_MOST 16
#define SPARE_SHARE 8

/* In thousandths of the budget. Descriptors are counted exactly, and run up step by step. */
static const uint32_t rungs[PRESSURE_KINDS][PRESSURE_LEVELS] = {
    [PRESSURE_MEMORY] = {0, 750, 830, 900, 950},
    [PRESSURE_DESCRIPTORS] = {0, 880, 920, 960, 980},
};
static const uint32_t slack[PRESSURE_KINDS] = {50, 20};

static const char *const sentences[PRESSURE_LEVELS] = {
    "enough of everything",
    "idle connections close early",
    "large request bodies are read only a little",
    "new connections are refused",
    "the connections with the most memory x time per byte moved are closed",
};

struct pressure *pressure_new(uint32_t workers, uint64_t memory, uint64_t descriptors)
{
    size_t size = sizeof(struct pressure) + workers * sizeof(struct pressure_share);
    size_t whole = (size + 63) / 64 * 64;
    struct pressure *pressure = aligned_alloc(64, whole);

    if (pressure == NULL) {
        return NULL;
    }
    memset(pressure, 0, whole);
    pressure->workers = workers;
    pressure_set_budget(pressure, PRESSURE_MEMORY, memory);
    pressure_set_budget(pressure, PRESSURE_DESCRIPTORS, descriptors);
    return pressure;
}

void pressure_free(struct pressure **pressure)
{
    free(*pressure);
    *pressure = NULL;
}

/* --- what there is ----------------------------------------------------------------------- */

static uint64_t get(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void put(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

/* Slabs may have what the rest leaves; a quarter in any case, or no client could be served. */
static void set_ceiling(struct pressure *pressure)
{
    uint64_t budget = get(&pressure->budget[PRESSURE_MEMORY]);
    uint64_t rest = get(&pressure->elsewhere[PRESSURE_MEMORY]);

    put(&pressure->slabs.ceiling, rest < budget - budget / 4 ? budget - rest : budget / 4);
}

void pressure_set_budget(struct pressure *pressure, enum pressure_kind kind, uint64_t budget)
{
    put(&pressure->budget[kind], budget > 0 ? budget : UINT64_MAX);
    set_ceiling(pressure);
}

/* Slabs that were never touched are reserved and not resident: this errs towards too little. */
void pressure_note_resident(struct pressure *pressure, uint64_t resident)
{
    uint64_t slabs = get(&pressure->slabs.reserved);

    put(&pressure->elsewhere[PRESSURE_MEMORY], resident > slabs ? resident - slabs : 0);
    set_ceiling(pressure);
}

void pressure_note_descriptors(struct pressure *pressure, uint64_t others)
{
    put(&pressure->elsewhere[PRESSURE_DESCRIPTORS], others);
}

void pressure_note_origins(struct pressure *pressure, bool any)
{
    atomic_store_explicit(&pressure->dials, any, memory_order_relaxed);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Descriptors for connections, of all workers. */
static uint64_t room_of(const struct pressure *pressure)
{
    uint64_t budget = get(&pressure->budget[PRESSURE_DESCRIPTORS]);
    uint64_t others = get(&pressure->elsewhere[PRESSURE_DESCRIPTORS]);

    return budget > others ? budget - others : 0;
}

static uint32_t each_worker(const struct pressure *pressure, uint64_t places)
{
    uint64_t each = places / pressure->workers;

    return each == 0 ? 1 : (uint32_t)lesser(each, UINT32_MAX);
}

uint32_t pressure_origin_places(const struct pressure *pressure)
{
    return pressure == NULL ? UINT32_MAX : each_worker(pressure, room_of(pressure) / 2);
}

uint32_t pressure_client_places(const struct pressure *pressure)
{
    uint64_t room;
    uint64_t places;

    if (pressure == NULL) {
        return UINT32_MAX;
    }
    room = room_of(pressure);
    places = room - lesser(room / SPARE_SHARE, SPARE_MOST);
    if (atomic_load_explicit(&pressure->dials, memory_order_relaxed)) {
        places -= lesser(room / 2, ORIGINS_MOST);
    }
    return each_worker(pressure, places);
}

void pressure_did(struct pressure *pressure, enum pressure_step step, uint32_t count)
{
    if (pressure != NULL) {
        atomic_fetch_add_explicit(&pressure->done[step], count, memory_order_relaxed);
    }
}

/* --- judging ----------------------------------------------------------------------------- */

uint64_t pressure_used(const struct pressure *pressure, enum pressure_kind kind)
{
    uint64_t used = get(&pressure->elsewhere[kind]);

    for (uint32_t i = 0; i < pressure->workers; i++) {
        used += get(&pressure->shares[i].used[kind]);
    }
    return used;
}

uint64_t pressure_budget(const struct pressure *pressure, enum pressure_kind kind)
{
    return get(&pressure->budget[kind]);
}

/* The first step that is yet to be told, up to `level`, which is taken as told from then on: each
 * once until the end, since up and down on the same rungs is one story. */
static uint32_t take_untold(struct pressure *pressure, enum pressure_kind kind, uint32_t level)
{
    uint32_t reported = atomic_load_explicit(&pressure->reported[kind], memory_order_relaxed);

    while (reported < level &&
           !atomic_compare_exchange_weak_explicit(&pressure->reported[kind], &reported, level,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    return reported + 1;
}

static void report_step(const struct pressure *pressure, enum pressure_kind kind, uint32_t level,
                        uint64_t used)
{
    uint64_t budget = get(&pressure->budget[kind]);
    uint64_t unit = kind == PRESSURE_MEMORY ? MIB : 1;

    const char *sentence = kind == PRESSURE_DESCRIPTORS && level == PRESSURE_REFUSES
                               ? "new connections wait in the kernel"
                               : sentences[level];

    log_warning("short of %s: %llu of %llu%s in use: %s (step %u of %u)",
                kind == PRESSURE_MEMORY ? "memory" : "file descriptors",
                (unsigned long long)(used / unit), (unsigned long long)(budget / unit),
                kind == PRESSURE_MEMORY ? " MiB" : "", sentence, level, PRESSURE_LEVELS - 1);
}

static void report_rise(struct pressure *pressure, enum pressure_kind kind, uint32_t level,
                        uint64_t used)
{
    for (uint32_t step = take_untold(pressure, kind, level); step <= level; step++) {
        report_step(pressure, kind, step, used);
    }
}

static void report_end(struct pressure *pressure, enum pressure_kind kind)
{
    unsigned long long done[PRESSURE_STEPS];

    atomic_store_explicit(&pressure->reported[kind], PRESSURE_NONE, memory_order_relaxed);
    for (int i = 0; i < PRESSURE_STEPS; i++) {
        done[i] = atomic_exchange_explicit(&pressure->done[i], 0, memory_order_relaxed);
    }
    log_info("no longer short of %s; meanwhile %llu idle connections were closed early, %llu "
             "bodies held back, %llu connections refused, %llu costly ones closed",
             kind == PRESSURE_MEMORY ? "memory" : "file descriptors", done[PRESSURE_CLOSED_IDLE],
             done[PRESSURE_HELD_BODY], done[PRESSURE_REFUSED], done[PRESSURE_CUT]);
}

static uint32_t level_for(enum pressure_kind kind, uint64_t permille)
{
    uint32_t level = PRESSURE_LEVELS - 1;

    while (level > 0 && permille < rungs[kind][level]) {
        level--;
    }
    return level;
}

/* Pools whose free objects are of the wrong size do not help a pool that needs another slab: better
 * refused in words than dropped for want of memory. */
static bool slabs_run_out(const struct pressure *pressure)
{
    return get(&pressure->slabs.reserved) + SLABS_SPARE > get(&pressure->slabs.ceiling);
}

/* Who is refused keeps the use below the last rung, so that those who fill the rest would keep the
 * others out for as long as they like. */
static bool refuses_for_long(const struct pressure *pressure, enum pressure_kind kind,
                             uint64_t now_us)
{
    return now_us >= get(&pressure->changed_us[kind]) + REFUSES_US &&
           get(&pressure->done[PRESSURE_REFUSED]) != get(&pressure->refused_before[kind]);
}

/* Several workers may judge at once: the one that changes the level logs it. */
static void judge(struct pressure *pressure, enum pressure_kind kind, uint64_t now_us)
{
    uint64_t used = pressure_used(pressure, kind);
    uint64_t budget = get(&pressure->budget[kind]);
    uint64_t permille = used >= budget ? 1000 : (uint64_t)((double)used / (double)budget * 1000);
    uint32_t before = atomic_load_explicit(&pressure->level[kind], memory_order_relaxed);
    uint32_t after = level_for(kind, permille);

    if (kind == PRESSURE_MEMORY && after != PRESSURE_NONE && after < PRESSURE_REFUSES &&
        slabs_run_out(pressure)) {
        after = PRESSURE_REFUSES;
    }
    if (before == PRESSURE_REFUSES && after == before && refuses_for_long(pressure, kind, now_us)) {
        after = PRESSURE_CUTS;
    }
    if (after < before) {
        bool settled = now_us >= get(&pressure->changed_us[kind]) + STEP_DOWN_US &&
                       permille + slack[kind] <= rungs[kind][before];

        after = settled ? before - 1 : before;
    }
    if (after == before ||
        !atomic_compare_exchange_strong_explicit(&pressure->level[kind], &before, after,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return;
    }
    put(&pressure->changed_us[kind], now_us);
    put(&pressure->refused_before[kind], get(&pressure->done[PRESSURE_REFUSED]));
    if (after > before) {
        report_rise(pressure, kind, after, used);
    } else if (after == PRESSURE_NONE) {
        report_end(pressure, kind);
    }
}

void pressure_report(struct pressure *pressure, uint32_t worker, uint64_t memory,
                     uint64_t descriptors, uint64_t now_us)
{
    struct pressure_share *share = &pressure->shares[worker];

    put(&share->used[PRESSURE_MEMORY], memory);
    put(&share->used[PRESSURE_DESCRIPTORS], descriptors);
    judge(pressure, PRESSURE_MEMORY, now_us);
    judge(pressure, PRESSURE_DESCRIPTORS, now_us);
}
