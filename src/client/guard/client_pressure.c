/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker does for its clients while the process is short of memory or descriptors, step by
 * step (net/pressure.h): it closes idle connections early, the longest idle first; leaves large
 * bodies unread; has new connections refused (client_admit.c); and closes those that cost most
 * for what they achieve. Called every 100 ms while there is pressure, a bounded slice each time.
 * The same makes room where clients wait because limits.max_connections is reached (client_accept.c). */
#include "client/client_private.h"

#include "base/check.h"

#define IDLE_SHARE 64 /* of all connections, closed in each slice; twice that on each step up */
#define IDLE_LEAST_MS 1000
#define IDLE_LEAST_REFUSING_MS 300
#define HEARD_MOST 16 /* that have something to say are passed over in a slice */
#define GO_ON_MOST 256
#define HELD_LONGEST_MS 1000
#define CHECK_AT_MOST 4096
#define CUT_MOST 32
#define CUT_SHARE 64
/* A younger client has not shown yet what it achieves, and a faster one is honest. */
#define CUT_AGE_MS 2000
#define CUT_RATE 16384

/* --- idle connections ---------------------------------------------------------------------- */

static uint32_t close_longest_idle(struct client_context *context, enum pressure_level level)
{
    uint32_t least_ms = level < PRESSURE_REFUSES ? IDLE_LEAST_MS : IDLE_LEAST_REFUSING_MS;
    uint32_t most = (client_context_count(context) / IDLE_SHARE + 1) << (level - 1);
    uint32_t now_ms = client_clock_ms(context);
    uint32_t closed = 0;
    struct link *link = context->idle.next;

    for (uint32_t i = 0; i < most + HEARD_MOST && closed < most && link != &context->idle; i++) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        link = link->next;
        if (now_ms - connection->since_ms < least_ms) {
            break; /* its next request may be on its way */
        }
        if (!transport_has_input(&connection->transport)) { /* else the loop comes to it */
            client_cut(connection, CUT_IDLE_PRESSURE);
            closed++;
        }
    }
    pressure_did(context->worker_context->pressure, PRESSURE_CLOSED_IDLE, closed);
    return closed;
}

/* --- large bodies -------------------------------------------------------------------------- */

/* Small ones are read: they are over soon, and what they hold is free again. Large ones are read
 * a little once a second: so they go on, and one whose client has gone is noticed. */
bool client_h1_is_held_back(struct client_h1 *h1)
{
    struct client_context *context = client_context_of(h1->connection);

    if (h1->held_back || h1->state != CLIENT_H1_READS_BODY ||
        pressure_of(context->worker_context->pressure, PRESSURE_MEMORY) < PRESSURE_BODIES ||
        !client_h1_expects_much(h1)) {
        return h1->held_back;
    }
    if (h1->reads_once) {
        h1->reads_once = false;
        return false;
    }
    h1->held_back = true;
    h1->held_ms = client_clock_ms(context);
    list_add_last(&context->held_back, &h1->link);
    metrics_note(context->metrics, METRICS_PRESSURE_HELD);
    pressure_did(context->worker_context->pressure, PRESSURE_HELD_BODY, 1);
    client_h1_holds_body(h1); /* it is not the client who is slow */
    client_h1_want(h1);
    return true;
}

static void let_go_on(struct client_h1 *h1)
{
    list_remove(&h1->link);
    h1->held_back = false;
    h1->reads_once = true;
    if (h1->state == CLIENT_H1_READS_BODY && !h1->body_paused) {
        client_h1_takes_body(h1);
    }
    client_h1_want(h1);
}

static void let_bodies_go_on(struct client_context *context, uint32_t held_least_ms)
{
    uint32_t now_ms = client_clock_ms(context);
    struct link *link;

    for (int i = 0; i < GO_ON_MOST && (link = list_first(&context->held_back)) != NULL; i++) {
        struct client_h1 *h1 = CONTAINER_OF(link, struct client_h1, link);

        if (now_ms - h1->held_ms < held_least_ms) {
            break;
        }
        let_go_on(h1);
    }
}

/* --- the costliest ------------------------------------------------------------------------- */

struct candidate {
    struct client_connection *connection;
    uint64_t cost;
};

static bool may_be_cut(const struct client_cost *cost)
{
    return cost->waits_for_client && cost->ms >= CUT_AGE_MS &&
           cost->moved * 1000 / cost->ms < CUT_RATE;
}

/* Into a list that is sorted, the costliest first. */
static uint32_t insert(struct candidate *list, uint32_t count, uint32_t most,
                       struct candidate candidate)
{
    uint32_t at = count < most ? count : most - 1;

    if (count == most && list[at].cost >= candidate.cost) {
        return count;
    }
    while (at > 0 && list[at - 1].cost < candidate.cost) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = candidate;
    return count < most ? count + 1 : count;
}

/* Of those looked at in this slice; they go behind the others, so that all are looked at. */
static void cut_costliest(struct client_context *context)
{
    struct candidate list[CUT_MOST];
    uint32_t count = client_context_count(context);
    uint32_t checks = count < CHECK_AT_MOST ? count : CHECK_AT_MOST;
    uint32_t most = checks / CUT_SHARE + 1 < CUT_MOST ? checks / CUT_SHARE + 1 : CUT_MOST;
    uint64_t now_us = loop_now(context->worker_context->loop);
    uint32_t found = 0;
    struct link *first = NULL;

    for (uint32_t i = 0; i < checks; i++) {
        struct link *link = list_first(&context->busy);
        struct client_connection *connection;
        struct client_cost cost;

        if (link == NULL || link == first) {
            break;
        }
        first = first != NULL ? first : link;
        list_remove(link);
        list_add_last(&context->busy, link);
        connection = CONTAINER_OF(link, struct client_connection, link);
        cost = client_cost_of(connection, now_us);
        if (may_be_cut(&cost)) {
            found = insert(list, found, most, (struct candidate){connection, cost.cost});
        }
    }
    for (uint32_t i = 0; i < found; i++) {
        client_cut(list[i].connection, CUT_PRESSURE);
    }
    pressure_did(context->worker_context->pressure, PRESSURE_CUT, found);
}

void client_context_relieve(struct client_context *context)
{
    const struct pressure *pressure = context->worker_context->pressure;
    enum pressure_level level = pressure_now(pressure);

    let_bodies_go_on(
        context, pressure_of(pressure, PRESSURE_MEMORY) < PRESSURE_BODIES ? 0 : HELD_LONGEST_MS);
    if (level >= PRESSURE_IDLE) {
        close_longest_idle(context, level);
    }
    if (level >= PRESSURE_CUTS) {
        cut_costliest(context);
    }
}

void client_context_make_room(struct client_context *context)
{
    if (close_longest_idle(context, PRESSURE_REFUSES) == 0) {
        cut_costliest(context);
    }
}
