/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a worker's exchanges are run: what they share, the memory they come from, and the
 * generation that new ones begin with. Former generations go from here, a piece at a time. */
#include "cache/cache_store.h"
#include "exchange/caching.h"
#include "exchange/deadline.h"
#include "exchange/exchange_private.h"
#include "exchange/repeats.h"
#include "exchange/spans.h"
#include "tls/tls_mac.h"

#include "base/check.h"
#include "base/text.h"

#include <stdlib.h>

#define DISMANTLE_MS 10
#define DISMANTLE_A_TICK 128

/* --- letting go of generations ------------------------------------------------------------ */

/* A piece a tick: with a thousand services all at once would be a pause for everybody else. */
static void dismantle(void *owner)
{
    struct exchange_context *context = owner;
    unsigned most = DISMANTLE_A_TICK;
    struct link *link;

    while (most > 0 && (link = list_first(&context->leaving)) != NULL) {
        list_remove(link);
        if (!generation_dismantle(generation_of_link(link), &most)) {
            list_add_first(&context->leaving, link);
        }
    }
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
    list_add_last(&context->leaving, generation_link(generation));
    if (!alarm_is_set(&context->dismantle)) {
        alarm_set(context->worker_context->loop, &context->dismantle, DISMANTLE_MS, dismantle,
                  context);
    }
}

static void dismantle_all(struct exchange_context *context)
{
    struct link *link;

    alarm_clear(context->worker_context->loop, &context->dismantle);
    while ((link = list_first(&context->leaving)) != NULL) {
        list_remove(link);
        generation_dismantle(generation_of_link(link), &(unsigned){UINT32_MAX});
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
    slab_give(exchange->context->exchanges, exchange);
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
    reply_continue(CONTAINER_OF(timer, struct attempt, patience)->exchange);
}

struct exchange_context *exchange_context_new(struct worker_context *worker_context,
                                              struct metrics *metrics, struct access_log_ring *log,
                                              struct generation *generation)
{
    struct exchange_context *context = calloc(1, sizeof(*context));
    struct random random;

    if (context == NULL) {
        generation_unref(&generation);
        return NULL;
    }
    random_init(&random); /* the worker context's makes request ids, which tell of it */
    context->names_key = (struct siphash_key){random_next(&random), random_next(&random)};
    context->worker_context = worker_context;
    context->metrics = metrics;
    context->log = log;
    context->generation = generation;
    note_via(context);
    note_observed(context);
    list_init(&context->deferred_frees);
    list_init(&context->orphans);
    list_init(&context->leaving);
    context->exchanges = slab_pool_new(sizeof(struct exchange));
    context->attempts = slab_pool_new(sizeof(struct attempt));
    context->gathering = timer_group_new(worker_context->loop, gather_is_over);
    context->patience = timer_group_new(worker_context->loop, on_patience_over);
    context->backoffs = timer_group_new(worker_context->loop, attempts_backoff_over);
    context->deadlines = timer_group_new(worker_context->loop, deadline_is_over);
    context->patiences = timer_group_new(worker_context->loop, caching_wait_is_over);
    if (context->patiences == NULL || context->exchanges == NULL || context->attempts == NULL ||
        context->gathering == NULL || context->patience == NULL || context->backoffs == NULL ||
        context->deadlines == NULL) {
        exchange_context_free(&context);
        return NULL;
    }
    slab_pool_clear(context->exchanges, offsetof(struct exchange, request_id));
    slab_pool_clear(context->attempts, sizeof(struct attempt));
    slab_pool_account(context->exchanges, pressure_slabs(worker_context->pressure));
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
    dismantle_all(*context);
    generation_unref(&(*context)->generation);
    slab_pool_free(&(*context)->exchanges);
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

const struct tls_store *exchange_context_tls(const struct exchange_context *context)
{
    return generation_tls(context->generation);
}

struct worker_context *exchange_context_worker_context(const struct exchange_context *context)
{
    return context->worker_context;
}

struct metrics *exchange_context_metrics(const struct exchange_context *context)
{
    return context->metrics;
}

void exchange_context_know_clients(struct exchange_context *context,
                                   struct client_registry *registry)
{
    context->clients = registry;
}

void exchange_context_know_spans(struct exchange_context *context, struct span_ring *ring)
{
    context->spans = ring;
}

void exchange_context_dismiss(struct exchange_context *context, client_slot *place)
{
    if (*place != 0) {
        client_registry_leave(context->clients, place);
    }
}

void exchange_context_drain(struct exchange_context *context)
{
    context->draining = true;
}

bool exchange_context_is_draining(const struct exchange_context *context)
{
    return context->draining;
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
           slab_pool_used(context->attempts) * sizeof(struct attempt);
}
