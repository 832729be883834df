/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a worker's exchanges are run: what they share, the memory they come from, and the
 * generation that new ones begin with: one worker's part of a plan (plan.c). Former generations go from
 * here, a piece at a time. */
#include "cache/cache_store.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"
#include "exchange/repeats.h"
#include "tls/tls_mac.h"

#include "base/check.h"
#include "base/text.h"

#include <stdlib.h>

#define DISMANTLE_MS 10
#define DISMANTLE_A_TICK 128

/* A service and a split outlive the generation they were made for where a reload keeps them. All
 * generations that share one are of one worker: no atomics. */
struct shared_service {
    uint32_t references;
    struct service *service;
    struct plan *plan; /* whose settings the service points to */
};

struct generation {
    uint32_t references;
    struct plan *plan;
    const struct settings *settings; /* of the plan, as is: */
    const struct router *router;
    struct shared_service **services; /* by service index */
    struct split_turn **splits;       /* by route index; NULL: one arm, or none */
    uint32_t services_made;
    uint32_t splits_made;
    struct link link; /* in context->leaving, while it is taken apart */

    /* While it grows; borrowed. */
    struct origin_directory *directory;
    struct generation *former;
    const struct settings_changes *changes;
};

/* --- generations: their services ---------------------------------------------------------- */

static struct shared_service *shared_service_new(struct plan *plan,
                                                 struct origin_directory *directory,
                                                 const struct service_settings *settings)
{
    struct shared_service *shared = calloc(1, sizeof(*shared));

    if (shared == NULL) {
        return NULL;
    }
    shared->service = service_new(directory, settings, plan_tls(plan));
    if (shared->service == NULL) {
        free(shared);
        return NULL;
    }
    shared->references = 1;
    shared->plan = plan_ref(plan);
    return shared;
}

static void shared_service_unref(struct shared_service *shared)
{
    if (--shared->references == 0) {
        service_free(&shared->service);
        plan_unref(&shared->plan);
        free(shared);
    }
}

/* The settings it was made with may go with their plan, long before the service does. */
static void shared_service_move(struct shared_service *shared, struct plan *plan,
                                const struct service_settings *settings)
{
    if (shared->plan != plan) {
        service_adopt(shared->service, settings, plan_tls(plan));
        plan_unref(&shared->plan);
        shared->plan = plan_ref(plan);
    }
}

static bool is_kept(const struct generation *generation, enum change_kind kind, uint32_t index)
{
    return generation->former != NULL && generation->changes != NULL &&
           settings_changes_is_kept(generation->changes, kind, index);
}

static bool make_service(struct generation *generation, uint32_t index)
{
    struct shared_service *shared;

    if (is_kept(generation, CHANGE_OF_SERVICES, index)) {
        shared =
            generation->former
                ->services[settings_changes_former(generation->changes, CHANGE_OF_SERVICES, index)];
        shared->references++;
    } else {
        shared = shared_service_new(generation->plan, generation->directory,
                                    &generation_settings(generation)->services[index]);
    }
    generation->services[index] = shared;
    return shared != NULL;
}

/* --- their splits ------------------------------------------------------------------------- */

/* One that is kept may still have been dealt anew: by a ramp's, say, that came and went. */
static struct split_turn *former_split(const struct generation *generation, uint32_t index)
{
    struct split_turn *turn;

    if (!is_kept(generation, CHANGE_OF_ROUTES, index)) {
        return NULL;
    }
    turn = generation->former
               ->splits[settings_changes_former(generation->changes, CHANGE_OF_ROUTES, index)];
    return split_turn_is_of(turn, plan_split(generation->plan, index)) ? turn : NULL;
}

static bool make_split(struct generation *generation, uint32_t index)
{
    const struct route_settings *route = &generation_settings(generation)->routes[index];
    struct split_turn *former;

    if (route->arm_count < 2) {
        return true;
    }
    former = former_split(generation, index);
    generation->splits[index] =
        former != NULL ? split_turn_ref(former)
                       : split_turn_new(plan_split(generation->plan, index), route->split.salt);
    return generation->splits[index] != NULL;
}

/* --- their life --------------------------------------------------------------------------- */

struct generation *generation_begin(struct plan *plan, struct origin_directory *directory,
                                    struct generation *former,
                                    const struct settings_changes *changes)
{
    const struct settings *settings = plan_settings(plan);
    struct generation *generation = calloc(1, sizeof(*generation));

    if (generation == NULL) {
        return NULL;
    }
    generation->references = 1;
    list_init(&generation->link);
    generation->plan = plan_ref(plan);
    generation->settings = settings;
    generation->router = plan_router(plan);
    generation->directory = directory;
    generation->former = former;
    generation->changes = changes;
    generation->services = calloc(settings->service_count + 1, sizeof(*generation->services));
    generation->splits = calloc(settings->route_count + 1, sizeof(*generation->splits));
    if (generation->services == NULL || generation->splits == NULL) {
        generation_unref(&generation);
    }
    return generation;
}

enum generation_progress generation_grow(struct generation *generation, unsigned most)
{
    const struct settings *settings = generation_settings(generation);

    for (; most > 0; most--) {
        if (generation->services_made < settings->service_count) {
            if (!make_service(generation, generation->services_made++)) {
                return GENERATION_FAILED;
            }
        } else if (generation->splits_made < settings->route_count) {
            if (!make_split(generation, generation->splits_made++)) {
                return GENERATION_FAILED;
            }
        } else {
            return GENERATION_IS_WHOLE;
        }
    }
    return GENERATION_GROWS;
}

/* Now it is the one that runs: what it shares goes by its settings from here on. */
static void generation_settle(struct generation *generation)
{
    const struct settings *settings = generation_settings(generation);

    CHECK(generation->splits_made == settings->route_count);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        shared_service_move(generation->services[i], generation->plan, &settings->services[i]);
    }
    origin_directory_follow(generation->directory, settings);
    generation->former = NULL;
    generation->changes = NULL;
}

struct generation *generation_new(struct plan *plan, struct origin_directory *directory)
{
    struct generation *generation = generation_begin(plan, directory, NULL, NULL);

    if (generation == NULL) {
        return NULL;
    }
    if (generation_grow(generation, UINT32_MAX) != GENERATION_IS_WHOLE) {
        generation_unref(&generation);
        return NULL;
    }
    generation_settle(generation);
    return generation;
}

struct generation *generation_ref(struct generation *generation)
{
    generation->references++;
    return generation;
}

/* Letting go has two steps for those who must not pause: true when that was the last reference; then
 * generation_dismantle is called until it says that nothing is left. It takes what it did off `most`. */
static bool generation_drop(struct generation *generation)
{
    CHECK(generation->references > 0);
    return --generation->references == 0;
}

static bool generation_dismantle(struct generation *generation, unsigned *most)
{
    for (; *most > 0; (*most)--) {
        if (generation->services != NULL && generation->services_made > 0) {
            struct shared_service *shared = generation->services[--generation->services_made];

            if (shared != NULL) {
                shared_service_unref(shared);
            }
        } else if (generation->splits != NULL && generation->splits_made > 0) {
            if (generation->splits[generation->splits_made - 1] == NULL) {
                (*most)++; /* one arm: nothing to do, and nothing spent */
            }
            split_turn_unref(&generation->splits[--generation->splits_made]);
        } else {
            free(generation->services);
            free(generation->splits);
            plan_unref(&generation->plan);
            free(generation);
            (*most)--;
            return true;
        }
    }
    return false;
}

void generation_unref(struct generation **held)
{
    struct generation *generation = *held;

    *held = NULL;
    if (generation != NULL && generation_drop(generation)) {
        generation_dismantle(generation, &(unsigned){UINT32_MAX});
    }
}

const struct settings *generation_settings(const struct generation *generation)
{
    return generation->settings;
}

const struct tls_store *generation_tls(const struct generation *generation)
{
    return plan_tls(generation->plan);
}

const struct router *generation_router(const struct generation *generation)
{
    return generation->router;
}

struct service *generation_service(struct generation *generation,
                                   const struct service_settings *settings)
{
    return generation->services[settings->index]->service;
}

struct pin_table *generation_pins(const struct generation *generation)
{
    struct split_registry *registry = plan_registry(generation->plan);

    return registry != NULL ? split_registry_pins(registry) : NULL;
}

struct split_turn *generation_split(struct generation *generation,
                                    const struct route_settings *route)
{
    return generation->splits[route->index];
}

struct cache_space *generation_cache_space(const struct generation *generation,
                                           const struct route_settings *route)
{
    return plan_space(generation->plan, route->index);
}

/* --- letting go of generations ------------------------------------------------------------ */

static void dismantle_some(struct exchange_context *context, unsigned most)
{
    struct generation *generation;

    while (most > 0 &&
           (generation = LIST_FIRST(&context->leaving, struct generation, link)) != NULL) {
        list_remove(&generation->link);
        if (!generation_dismantle(generation, &most)) {
            list_add_first(&context->leaving, &generation->link);
        }
    }
}

/* A piece a tick: with a thousand services all at once would be a pause for everybody else. */
static void dismantle(void *owner)
{
    struct exchange_context *context = owner;

    dismantle_some(context, DISMANTLE_A_TICK);
    if (!list_is_empty(&context->leaving)) {
        alarm_set(context->worker_context->loop, &context->dismantle, DISMANTLE_MS, dismantle,
                  context);
    }
}

void exchange_context_let_go(struct exchange_context *context, struct generation *generation)
{
    if (!generation_drop(generation)) {
        return;
    }
    list_add_last(&context->leaving, &generation->link);
    if (!alarm_is_set(&context->dismantle)) {
        alarm_set(context->worker_context->loop, &context->dismantle, DISMANTLE_MS, dismantle,
                  context);
    }
}

/* At the end of the turn: callers up the stack still look at the origin and its settings. */
void exchange_release(struct exchange *exchange)
{
    struct attempt *attempt;

    while ((attempt = exchange->attempt) != NULL) {
        exchange->attempt = attempt->former;
        attempt_release(attempt);
    }
    if (exchange->caching != NULL) {
        caching_release(exchange);
    }
    region_release(&exchange->memory, exchange->context->worker_context->buffers);
    if (exchange->generation != NULL) {
        exchange_context_let_go(exchange->context, exchange->generation);
    }
    slab_give(exchange->is_bare ? exchange->context->bare_exchanges : exchange->context->exchanges,
              exchange);
}

static void free_deferred(void *owner)
{
    struct exchange_context *context = owner;
    struct link *link;

    while ((link = list_first(&context->deferred_frees)) != NULL) {
        list_remove(link);
        exchange_release(CONTAINER_OF(link, struct exchange, link));
    }
}

/* --- the context ---------------------------------------------------------------------------- */

/* RFC 9110 section 7.6.3. */
static void note_via(struct exchange_context *context)
{
    static const char versions[VIA_VERSIONS][5] = {
        [HTTP_1_0] = "1.0 ", [HTTP_1_1] = "1.1 ", [HTTP_2] = "2.0 "};

    memset(context->problems, 0, sizeof(context->problems)); /* they name it */
    for (int i = 0; i < VIA_VERSIONS; i++) {
        struct text text = text_over(context->via.text[i], VIA_TEXT_MAX);

        text_add_bytes(&text, bytes_of(versions[i]));
        text_add_bytes(&text, bytes_of(generation_settings(context->generation)->via));
        CHECK(!text.overflowed);
        context->via.value[i] = text_since(&text, context->via.text[i]);
    }
}

/* Asked for each exchange. */
static void note_observed(struct exchange_context *context)
{
    const struct settings *settings = generation_settings(context->generation);

    context->is_tracing = settings->tracing.to != NULL;
    context->logs_extras = context->log != NULL && settings->access_log.field_count > 0;
    context->log_sample = settings->access_log.sample;
}

static void on_patience_over(struct timer *timer)
{
    reply_continue(CONTAINER_OF(timer, struct attempt, request.timer)->exchange);
}

struct exchange_context *exchange_context_new(const struct exchange_lent *lent,
                                              struct generation *generation)
{
    struct worker_context *worker_context = lent->worker_context;
    struct exchange_context *context = calloc(1, sizeof(*context));
    struct random random;

    if (context == NULL) {
        generation_unref(&generation);
        return NULL;
    }
    random_init(&random); /* the worker context's makes request ids, which tell of it */
    context->names_key = (struct siphash_key){random_next(&random), random_next(&random)};
    context->worker_context = worker_context;
    context->metrics = lent->metrics;
    context->log = lent->log;
    context->clients = lent->clients;
    context->spans = lent->spans;
    context->generation = generation;
    note_via(context);
    note_observed(context);
    list_init(&context->deferred_frees);
    list_init(&context->orphans);
    list_init(&context->leaving);
    context->exchanges = slab_pool_new(sizeof(struct exchange));
    context->bare_exchanges = slab_pool_new(offsetof(struct exchange, rows));
    context->attempts = slab_pool_new(sizeof(struct attempt));
    context->gather_timers = timer_group_new(worker_context->loop, gather_is_over);
    context->continue_timers = timer_group_new(worker_context->loop, on_patience_over);
    context->backoff_timers = timer_group_new(worker_context->loop, attempts_backoff_over);
    context->deadline_timers = timer_group_new(worker_context->loop, deadline_is_over);
    context->shared_wait_timers = timer_group_new(worker_context->loop, caching_wait_is_over);
    if (context->shared_wait_timers == NULL || context->exchanges == NULL ||
        context->bare_exchanges == NULL || context->attempts == NULL ||
        context->gather_timers == NULL || context->continue_timers == NULL ||
        context->backoff_timers == NULL || context->deadline_timers == NULL) {
        exchange_context_free(&context);
        return NULL;
    }
    slab_pool_clear(context->exchanges, offsetof(struct exchange, request_id));
    slab_pool_clear(context->bare_exchanges, offsetof(struct exchange, request_id));
    slab_pool_clear(context->attempts, sizeof(struct attempt));
    slab_pool_account(context->exchanges, pressure_slabs(worker_context->pressure));
    slab_pool_account(context->bare_exchanges, pressure_slabs(worker_context->pressure));
    slab_pool_account(context->attempts, pressure_slabs(worker_context->pressure));
    loop_at_turn_end(worker_context->loop, free_deferred, context);
    return context;
}

void exchange_context_free(struct exchange_context **context)
{
    if (*context == NULL) {
        return;
    }
    free_deferred(*context);
    alarm_clear((*context)->worker_context->loop, &(*context)->dismantle);
    dismantle_some(*context, UINT32_MAX);
    generation_unref(&(*context)->generation);
    slab_pool_free(&(*context)->exchanges);
    slab_pool_free(&(*context)->bare_exchanges);
    slab_pool_free(&(*context)->attempts);
    repeats_free(&(*context)->repeats);
    tls_mac_maker_free(&(*context)->macs);
    free(*context);
    *context = NULL;
}

void exchange_context_adopt(struct exchange_context *context, struct generation *generation)
{
    struct generation *old = context->generation;

    context->generation = generation;
    note_via(context);
    note_observed(context);
    access_log_forget(context->log);
    generation_settle(generation);
    exchange_context_let_go(context, old);
}

struct generation *exchange_context_generation(const struct exchange_context *context)
{
    return context->generation;
}

const struct settings *exchange_context_settings(const struct exchange_context *context)
{
    return generation_settings(context->generation);
}

void exchange_context_dismiss(struct exchange_context *context, client_slot *slot)
{
    if (*slot != 0) {
        client_registry_leave(context->clients, slot);
    }
}

void exchange_context_drain(struct exchange_context *context)
{
    context->draining = true;
}

size_t exchange_context_count(const struct exchange_context *context)
{
    return context->count;
}

bool exchange_context_has_orphans(const struct exchange_context *context)
{
    return context->orphan_count > 0;
}

void exchange_context_trim(struct exchange_context *context)
{
    slab_pool_trim(context->exchanges);
    slab_pool_trim(context->bare_exchanges);
    slab_pool_trim(context->attempts);
    if (cache_store_is_used()) {
        cache_store_sweep(loop_now(context->worker_context->loop),
                          pressure_of(context->worker_context->pressure, PRESSURE_MEMORY) >=
                              PRESSURE_BODIES);
    }
    access_log_rest(context->log);
    span_exporter_rest(context->spans);
}

size_t exchange_context_memory(const struct exchange_context *context)
{
    return slab_pool_used(context->exchanges) * sizeof(struct exchange) +
           slab_pool_used(context->bare_exchanges) * offsetof(struct exchange, rows) +
           slab_pool_used(context->attempts) * sizeof(struct attempt);
}
