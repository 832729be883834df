/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections cost, and the list of those that cost most. */
#include "client/guard/client_list.h"

#include "client/client_private.h"

#include <stdlib.h>

#define SLICE 2048
#define SLICE_PAUSE_MS 1
#define MOST 1000
#define HANDSHAKE_BYTES 32768 /* about what OpenSSL takes; it does not tell */
#define FREE_BYTES 256        /* each client moves as much: a request line, say */

/* --- cost ---------------------------------------------------------------------------------- */

struct client_cost client_cost_of(const struct client_connection *connection, uint64_t now_us)
{
    const struct client_codec *codec = client_codec_of(connection);
    struct client_cost cost = {.held = client_held(connection)};

    if (codec != NULL) {
        codec->cost(connection, now_us, &cost);
    } else if (connection->state != CLIENT_LINGERS) {
        cost.ms = (uint32_t)((uint32_t)(now_us / 1000) - connection->since_ms);
        cost.waits_for_client = connection->state != CLIENT_IDLE;
        cost.held += connection->has_handshake_slot ? HANDSHAKE_BYTES : 0;
    }
    /* What every connection has is free: one that merely is old costs nothing. */
    cost.cost = (cost.held - sizeof(*connection)) * cost.ms / (cost.moved + FREE_BYTES);
    return cost;
}

/* --- rows ---------------------------------------------------------------------------------- */

static const char *state_of(const struct client_connection *connection)
{
    static const char *const states[] = {
        [CLIENT_AWAITS_PROXY_HEADER] = "awaits-proxy-header",
        [CLIENT_AWAITS_HANDSHAKE] = "awaits-handshake",
        [CLIENT_IDLE] = "idle",
        [CLIENT_SERVES] = "serves",
        [CLIENT_LINGERS] = "lingers",
        [CLIENT_CLOSED] = "closed",
    };
    const struct client_codec *codec = client_codec_of(connection);

    return codec != NULL && connection->state == CLIENT_SERVES ? codec->state(connection)
                                                               : states[connection->state];
}

static void copy_name(char to[CLIENT_ROW_NAME_MAX], const char *name)
{
    size_t length = name != NULL ? strnlen(name, CLIENT_ROW_NAME_MAX - 1) : 0;

    if (length > 0) {
        memcpy(to, name, length);
    }
    to[length] = '\0';
}

static void fill_row(const struct client_connection *connection, const struct client_cost *cost,
                     struct client_row *row)
{
    const struct client_codec *codec = client_codec_of(connection);

    *row = (struct client_row){
        .ip = connection->ip,
        .port = connection->port,
        .worker = client_context_of(connection)->worker_context->worker,
        .state = state_of(connection),
        .memory_bytes = cost->held,
        .bytes_moved = cost->moved,
        .held_ms = cost->ms,
        .rate = cost->ms > 0 ? cost->moved * 1000 / cost->ms : 0,
        .requests = connection->served,
        .streams = codec != NULL ? codec->streams(connection) : 0,
        .protocol = connection->speaks_h2 ? "2" : "1.1",
        .cost = cost->cost,
    };
    copy_name(row->listener, connection->listener->name);
    copy_name(row->route, codec != NULL ? codec->route(connection) : NULL);
}

/* --- a survey: one list under way ------------------------------------------------------------------------------ */

struct client_survey {
    struct client_context *context;
    client_listed *listed;
    void *owner;
    struct alarm again;
    uint8_t mark; /* on connections that were looked at */
    size_t most;
    size_t count;
    struct client_row rows[]; /* a heap, the cheapest on top */
};

static void swap(struct client_row *a, struct client_row *b)
{
    struct client_row row = *a;

    *a = *b;
    *b = row;
}

static void sift_up(struct client_row *rows, size_t at)
{
    while (at > 0 && rows[at].cost < rows[(at - 1) / 2].cost) {
        swap(&rows[at], &rows[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct client_row *rows, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t least = 2 * at + 1;

        if (least >= count) {
            return;
        }
        if (least + 1 < count && rows[least + 1].cost < rows[least].cost) {
            least++;
        }
        if (rows[at].cost <= rows[least].cost) {
            return;
        }
        swap(&rows[at], &rows[least]);
        at = least;
    }
}

static void consider(struct client_survey *survey, const struct client_connection *connection)
{
    struct client_cost cost =
        client_cost_of(connection, loop_now(survey->context->worker_context->loop));

    if (survey->count < survey->most) {
        fill_row(connection, &cost, &survey->rows[survey->count]);
        sift_up(survey->rows, survey->count++);
    } else if (survey->most > 0 && cost.cost > survey->rows[0].cost) {
        fill_row(connection, &cost, &survey->rows[0]);
        sift_down(survey->rows, survey->count);
    }
}

static int by_cost(const void *a, const void *b)
{
    const struct client_row *first = a;
    const struct client_row *second = b;

    return (first->cost < second->cost) - (first->cost > second->cost);
}

/* Idle connections cost next to nothing, the longest idle ones most: the first few are enough. */
static void add_idle(struct client_survey *survey)
{
    struct client_context *context = survey->context;
    size_t checks = 0;

    for (struct link *link = context->idle.next; link != &context->idle && checks < survey->most;
         link = link->next) {
        consider(survey, CONTAINER_OF(link, struct client_connection, link));
        checks++;
    }
}

static void finish(struct client_survey *survey)
{
    add_idle(survey);
    qsort(survey->rows, survey->count, sizeof(survey->rows[0]), by_cost);
    survey->context->survey = NULL;
    survey->listed(survey->owner, survey->rows, survey->count);
    free(survey);
}

/* A connection that was looked at goes behind the others: the first one with the mark ends the
 * survey. Connections that come meanwhile may be missed. */
static void check_on(void *owner)
{
    struct client_survey *survey = owner;
    struct client_context *context = survey->context;

    for (int i = 0; i < SLICE; i++) {
        struct link *link = list_first(&context->busy);
        struct client_connection *connection =
            link != NULL ? CONTAINER_OF(link, struct client_connection, link) : NULL;

        if (connection == NULL || connection->seen == survey->mark) {
            finish(survey);
            return;
        }
        connection->seen = survey->mark;
        list_remove(link);
        list_add_last(&context->busy, link);
        consider(survey, connection);
    }
    alarm_set(context->worker_context->loop, &survey->again, SLICE_PAUSE_MS, check_on, survey);
}

bool client_list_start(struct client_context *context, size_t most, client_listed *listed,
                       void *owner)
{
    struct client_survey *survey;

    most = most < MOST ? most : MOST;
    if (context->survey != NULL) {
        return false;
    }
    survey = calloc(1, sizeof(*survey) + most * sizeof(survey->rows[0]));
    if (survey == NULL) {
        return false;
    }
    survey->context = context;
    survey->listed = listed;
    survey->owner = owner;
    survey->most = most;
    survey->mark = context->survey_mark = context->survey_mark % UINT8_MAX + 1;
    context->survey = survey;
    check_on(survey);
    return true;
}

void client_list_drop(struct client_context *context)
{
    if (context->survey != NULL) {
        struct client_survey *survey = context->survey;

        alarm_clear(context->worker_context->loop, &survey->again);
        context->survey = NULL;
        survey->listed(survey->owner, NULL, 0);
        free(survey);
    }
}
