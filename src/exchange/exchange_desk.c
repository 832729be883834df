/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a worker's exchanges are run: what they share, the memory they come from, and the
 * generation that new ones begin with. Former generations go from here, a piece at a time. */
#include "exchange/deadline.h"
#include "exchange/exchange_private.h"
#include "exchange/tries.h"

#include "base/check.h"
#include "base/text.h"

#include <stdlib.h>

#define DISMANTLE_MS 10
#define DISMANTLE_A_TICK 128

/* --- letting go of generations ------------------------------------------------------------ */

/* A piece a tick: with a thousand services all at once would be a pause for everybody else. */
static void dismantle(void *owner)
{
    struct exchange_desk *desk = owner;
    unsigned most = DISMANTLE_A_TICK;
    struct link *link;

    while (most > 0 && (link = list_first(&desk->leaving)) != NULL) {
        list_remove(link);
        if (!generation_dismantle(generation_of_link(link), &most)) {
            list_add_first(&desk->leaving, link);
        }
    }
    if (!list_is_empty(&desk->leaving)) {
        alarm_set(desk->bench->loop, &desk->dismantle, DISMANTLE_MS, dismantle, desk);
    }
}

void exchange_desk_let_go(struct exchange_desk *desk, struct generation *generation)
{
    if (!generation_drop(generation)) {
        return;
    }
    list_add_last(&desk->leaving, generation_link(generation));
    if (!alarm_is_set(&desk->dismantle)) {
        alarm_set(desk->bench->loop, &desk->dismantle, DISMANTLE_MS, dismantle, desk);
    }
}

static void dismantle_all(struct exchange_desk *desk)
{
    struct link *link;

    alarm_clear(desk->bench->loop, &desk->dismantle);
    while ((link = list_first(&desk->leaving)) != NULL) {
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
    if (exchange->generation != NULL) {
        exchange_desk_let_go(exchange->desk, exchange->generation);
    }
    slab_give(exchange->desk->exchanges, exchange);
}

static void bury_dead(void *owner)
{
    struct exchange_desk *desk = owner;
    struct link *link;

    while ((link = list_first(&desk->graves)) != NULL) {
        list_remove(link);
        exchange_release(CONTAINER_OF(link, struct exchange, link));
    }
}

/* --- the desk ---------------------------------------------------------------------------- */

/* RFC 9110 section 7.6.3. */
static void note_via(struct exchange_desk *desk)
{
    static const char versions[VIA_VERSIONS][5] = {
        [HTTP_1_0] = "1.0 ", [HTTP_1_1] = "1.1 ", [HTTP_2] = "2.0 "};

    for (int i = 0; i < VIA_VERSIONS; i++) {
        struct text text = text_over(desk->via.text[i], VIA_TEXT_MAX);

        text_add_bytes(&text, bytes_of(versions[i]));
        text_add_bytes(&text, bytes_of(generation_settings(desk->generation)->via));
        CHECK(!text.overflowed);
        desk->via.value[i] = text_since(&text, desk->via.text[i]);
    }
}

static void on_patience_over(struct timer *timer)
{
    reply_continue(CONTAINER_OF(timer, struct attempt, patience)->exchange);
}

struct exchange_desk *exchange_desk_new(struct workbench *bench, struct metrics *metrics,
                                        struct access_log_ring *log, struct generation *generation)
{
    struct exchange_desk *desk = calloc(1, sizeof(*desk));
    struct random random;

    if (desk == NULL) {
        generation_unref(&generation);
        return NULL;
    }
    random_init(&random); /* the bench's makes request ids, which tell of it */
    desk->names_key = (struct siphash_key){random_next(&random), random_next(&random)};
    desk->bench = bench;
    desk->metrics = metrics;
    desk->log = log;
    desk->generation = generation;
    note_via(desk);
    list_init(&desk->graves);
    list_init(&desk->orphans);
    list_init(&desk->leaving);
    desk->exchanges = slab_pool_new(sizeof(struct exchange));
    desk->attempts = slab_pool_new(sizeof(struct attempt));
    desk->gathering = timer_group_new(bench->loop, gather_is_over);
    desk->patience = timer_group_new(bench->loop, on_patience_over);
    desk->backoffs = timer_group_new(bench->loop, tries_backoff_over);
    desk->deadlines = timer_group_new(bench->loop, deadline_is_over);
    if (desk->exchanges == NULL || desk->attempts == NULL || desk->gathering == NULL ||
        desk->patience == NULL || desk->backoffs == NULL || desk->deadlines == NULL) {
        exchange_desk_free(&desk);
        return NULL;
    }
    slab_pool_clear(desk->exchanges, offsetof(struct exchange, request_id));
    slab_pool_clear(desk->attempts, sizeof(struct attempt));
    slab_pool_account(desk->exchanges, pressure_slabs(bench->pressure));
    slab_pool_account(desk->attempts, pressure_slabs(bench->pressure));
    loop_at_turn_end(bench->loop, bury_dead, desk);
    return desk;
}

void exchange_desk_free(struct exchange_desk **desk)
{
    if (*desk == NULL) {
        return;
    }
    bury_dead(*desk);
    dismantle_all(*desk);
    generation_unref(&(*desk)->generation);
    slab_pool_free(&(*desk)->exchanges);
    slab_pool_free(&(*desk)->attempts);
    free(*desk);
    *desk = NULL;
}

void exchange_desk_adopt(struct exchange_desk *desk, struct generation *generation)
{
    struct generation *old = desk->generation;

    desk->generation = generation;
    note_via(desk);
    access_log_forget(desk->log);
    generation_settle(generation);
    exchange_desk_let_go(desk, old);
}

struct generation *exchange_desk_generation(const struct exchange_desk *desk)
{
    return desk->generation;
}

const struct settings *exchange_desk_settings(const struct exchange_desk *desk)
{
    return generation_settings(desk->generation);
}

const struct tls_store *exchange_desk_tls(const struct exchange_desk *desk)
{
    return generation_tls(desk->generation);
}

struct workbench *exchange_desk_bench(const struct exchange_desk *desk)
{
    return desk->bench;
}

struct metrics *exchange_desk_metrics(const struct exchange_desk *desk)
{
    return desk->metrics;
}

void exchange_desk_know_clients(struct exchange_desk *desk, struct client_book *book)
{
    desk->clients = book;
}

void exchange_desk_dismiss(struct exchange_desk *desk, client_place *place)
{
    if (*place != 0) {
        client_book_leave(desk->clients, place);
    }
}

void exchange_desk_drain(struct exchange_desk *desk)
{
    desk->draining = true;
}

bool exchange_desk_is_draining(const struct exchange_desk *desk)
{
    return desk->draining;
}

size_t exchange_desk_count(const struct exchange_desk *desk)
{
    return desk->count;
}

bool exchange_desk_has_orphans(const struct exchange_desk *desk)
{
    return desk->orphan_count > 0;
}

void exchange_desk_trim(struct exchange_desk *desk)
{
    slab_pool_trim(desk->exchanges);
    slab_pool_trim(desk->attempts);
    access_log_rest(desk->log);
}

size_t exchange_desk_memory(const struct exchange_desk *desk)
{
    return slab_pool_used(desk->exchanges) * sizeof(struct exchange) +
           slab_pool_used(desk->attempts) * sizeof(struct attempt);
}
