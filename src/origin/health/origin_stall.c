/* SPDX-License-Identifier: BSD-2-Clause */
/* An origin that sends heads of answers and then stops: its answers count as well, as far as
 * heads are looked at, and each client waits for `response_idle`. Looked at a few times a second
 * while bodies of known length are awaited; of others it is not known whether more is due. Several
 * that wait for bytes, found so twice while another origin of the service goes on, send it away;
 * those that still wait some seconds later are broken off, so that their clients need not find out
 * by waiting. Called by origin_h1.c. */
#include "origin/service/service_private.h"

#include <stdio.h>

#define CHECK_MS 250
#define STALLED_LEAST 2 /* answers that have stopped; one alone may be the fault of its request */
#define STALLED_MS 1000 /* without a byte, or the time that counts as slow, if that is longer */
#define BREAK_MS 5000   /* and then without a byte, at an origin that was sent away for it */
#define TICK_MS (TIMER_TICK_US / 1000)

static struct loop *loop_of(const struct origin *origin)
{
    return origin->directory->worker_context->loop;
}

static bool awaits_body(const struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_READS_BODY &&
           connection->answer.framing == HTTP_LENGTH_KNOWN && connection->answer.left > 0 &&
           !connection->answer_paused;
}

/* Its clock was set to response_idle when the last byte came. */
static uint64_t waited_ms(const struct origin_connection *connection, uint64_t now_us)
{
    int64_t left_ms = (int64_t)(int32_t)(connection->timer.due - timer_tick_of(now_us)) * TICK_MS;
    int64_t waited = (int64_t)connection->request->timeouts->response_idle - left_ms;

    return waited > 0 ? (uint64_t)waited : 0;
}

static uint64_t limit_ms(const struct service *service)
{
    uint32_t slow = 2 * health_of(service)->slow_min_time;

    return slow > STALLED_MS ? slow : STALLED_MS;
}

struct stall {
    struct service *service; /* of the last one that was found */
    uint32_t stalled;
    uint32_t awaited; /* bodies, these included */
};

static struct stall check_at_busy(const struct origin *origin)
{
    struct stall stall = {0};

    LIST_EACH (const struct origin_connection, connection, &origin->busy, link) {
        struct service *service = connection->request->service;

        if (service == NULL || !awaits_body(connection)) {
            continue;
        }
        stall.awaited++;
        if (waited_ms(connection, origin_now(origin)) > limit_ms(service)) {
            stall.stalled++;
            stall.service = service;
        }
    }
    return stall;
}

static void on_check(void *owner);

static struct origin_connection *hopeless_one(const struct origin *origin)
{
    LIST_EACH (struct origin_connection, connection, &origin->busy, link) {
        if (awaits_body(connection) && waited_ms(connection, origin_now(origin)) > BREAK_MS) {
            return connection;
        }
    }
    return NULL;
}

/* A client that is told may end other requests. */
static void break_off_hopeless(struct origin *origin)
{
    struct origin_connection *connection;

    while ((connection = hopeless_one(origin)) != NULL) {
        origin_connection_fail(connection, ORIGIN_FAILURE_ANSWER_TIMEOUT);
    }
}

static void check_at(struct origin *origin)
{
    const struct stall stall = check_at_busy(origin);
    char why[96];

    if (stall.awaited == 0) {
        origin->stalled_us = 0;
        return; /* the next body sets it going again */
    }
    origin->stalls = origin->stalls && origin_entry_phase(origin->entry) != ORIGIN_SERVES;
    if (origin->stalls) {
        break_off_hopeless(origin); /* those of before, and the one that tries it */
    } else if (stall.stalled < STALLED_LEAST || stall.stalled * 2 < stall.awaited ||
               health_of(stall.service)->slow_factor == 0) {
        origin->stalled_us = 0;
    } else if (origin->stalled_us == 0) {
        origin->stalled_us = origin_now(origin);
    } else if (service_another_answers(stall.service, origin, 0,
                                       origin_now(origin) - limit_ms(stall.service) * 1000)) {
        snprintf(why, sizeof(why), "%u answers have stopped after their heads", stall.stalled);
        origin_eject(stall.service, origin, SLOW_ONCE_IS_FORGIVEN, why);
        origin->stalls = true;
    }
    alarm_set(loop_of(origin), &origin->stall, CHECK_MS, on_check, origin);
}

static void on_check(void *owner)
{
    struct origin *origin = owner;

    origin->references++; /* whose request ends may let go of it */
    check_at(origin);
    origin_put(&origin);
}

void origin_stall_watch(struct origin *origin)
{
    if (!alarm_is_set(&origin->stall)) {
        alarm_set(loop_of(origin), &origin->stall, CHECK_MS, on_check, origin);
    }
}
