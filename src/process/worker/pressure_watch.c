/* SPDX-License-Identifier: BSD-2-Clause */
/* At the end of a turn, where a second look costs two loads and compares. */
#include "process/worker/pressure_watch.h"

#include "base/system/machine.h"
#include "process/system/descriptors.h"
#include "process/system/own_process.h"

#include <stdlib.h>

#define CHECK_US 100000
#define CHECK_MS (CHECK_US / 1000)
#define RESIDENT_US 300000
#define GROWTH_SHARE 64 /* of the budget, after which a look is due at once */

static uint64_t memory_of(const struct pressure_watch *watch)
{
    return buffer_pool_lent(watch->worker_context->buffers) +
           client_context_memory(watch->clients) + exchange_context_memory(watch->exchanges) +
           origin_directory_memory(watch->origins);
}

static uint64_t descriptors_of(const struct pressure_watch *watch)
{
    return client_context_count(watch->clients) + origin_directory_connections(watch->origins);
}

static uint64_t growth_worth_a_check(const struct pressure *pressure)
{
    return atomic_load_explicit(&pressure->budget[PRESSURE_MEMORY], memory_order_relaxed) /
           GROWTH_SHARE;
}

static void on_again(void *owner);

static void check(struct pressure_watch *watch)
{
    struct pressure *pressure = watch->worker_context->pressure;
    uint64_t now_us = loop_now(watch->worker_context->loop);
    struct process_sizes sizes;

    watch->check_us = now_us + CHECK_US;
    watch->check_reserved = atomic_load_explicit(&pressure->slabs.reserved, memory_order_relaxed) +
                            growth_worth_a_check(pressure);
    if (watch->worker_context->worker == 0 && now_us >= watch->resident_us) {
        watch->resident_us = now_us + RESIDENT_US;
        machine_process_sizes(&sizes);
        pressure_note_resident(pressure, sizes.resident_bytes);
    }
    pressure_report(pressure, watch->worker_context->worker, memory_of(watch),
                    descriptors_of(watch), now_us);
    client_context_relieve(watch->clients);
    if (pressure_of(pressure, PRESSURE_DESCRIPTORS) != PRESSURE_NONE) {
        origin_directory_relieve(watch->origins);
    }
    if (pressure_now(pressure) != PRESSURE_NONE) {
        alarm_set(watch->worker_context->loop, &watch->again, CHECK_MS, on_again, watch);
    }
}

static void on_again(void *owner)
{
    check(owner);
}

static void at_turn_end(void *owner)
{
    struct pressure_watch *watch = owner;
    const struct slab_account *slabs = &watch->worker_context->pressure->slabs;

    if (loop_now(watch->worker_context->loop) >= watch->check_us ||
        atomic_load_explicit(&slabs->reserved, memory_order_relaxed) > watch->check_reserved) {
        check(watch);
    }
}

void pressure_watch_start(struct pressure_watch *watch, struct worker_context *worker_context,
                          struct client_context *clients, struct exchange_context *exchanges,
                          struct origin_directory *origins)
{
    *watch = (struct pressure_watch){.worker_context = worker_context,
                                     .clients = clients,
                                     .exchanges = exchanges,
                                     .origins = origins};
    if (worker_context->pressure != NULL) {
        loop_at_turn_end(worker_context->loop, at_turn_end, watch);
    }
}

void pressure_watch_stop(struct pressure_watch *watch)
{
    if (watch->worker_context != NULL) {
        alarm_clear(watch->worker_context->loop, &watch->again);
    }
}

/* --- for the process ----------------------------------------------------------------------- */

static uint64_t memory_budget(const struct settings *settings)
{
    return settings->limits.memory != 0 ? settings->limits.memory : memory_given() / 4 * 3;
}

static uint64_t descriptor_budget(const struct settings *settings)
{
    return settings->limits.descriptors != 0 ? settings->limits.descriptors
                                             : descriptors_raise_limit();
}

static bool has_origins(const struct settings *settings)
{
    return settings->service_count > 0;
}

struct pressure *pressure_watch_plan(const struct settings *settings)
{
    struct pressure *pressure =
        pressure_new(settings->workers, memory_budget(settings), descriptor_budget(settings));

    if (pressure != NULL) {
        pressure_note_origins(pressure, has_origins(settings));
    }
    return pressure;
}

void pressure_watch_follow(struct pressure *pressure, const struct settings *settings)
{
    pressure_set_budget(pressure, PRESSURE_MEMORY, memory_budget(settings));
    pressure_set_budget(pressure, PRESSURE_DESCRIPTORS, descriptor_budget(settings));
    pressure_note_origins(pressure, has_origins(settings));
}

void pressure_watch_count_others(struct pressure *pressure)
{
    uint64_t count = own_process_descriptors();

    if (count > 0) {
        pressure_note_descriptors(pressure, count);
    }
}
