/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of one connection to an origin: opened, bound to a request, idle, closed.
 * Every change of state and every end goes through the functions here. What happens to it from
 * outside comes in at origin_connection_events.c. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "net/dial.h"
#include "origin/pool/limits.h"

#include <errno.h>

static struct origin_directory *directory_of(struct origin_connection *connection)
{
    return connection->origin->directory;
}

static bool may_follow(enum origin_connection_state from, enum origin_connection_state to)
{
    switch (to) {
    case ORIGIN_CONNECTION_CONNECTING:
        return false;
    case ORIGIN_CONNECTION_HANDSHAKES:
        return from == ORIGIN_CONNECTION_CONNECTING;
    case ORIGIN_CONNECTION_IDLE:
        return from == ORIGIN_CONNECTION_CONNECTING || from == ORIGIN_CONNECTION_HANDSHAKES ||
               from == ORIGIN_CONNECTION_AWAITS_HEAD || from == ORIGIN_CONNECTION_READS_BODY;
    case ORIGIN_CONNECTION_AWAITS_HEAD:
        return from == ORIGIN_CONNECTION_IDLE;
    case ORIGIN_CONNECTION_READS_BODY:
    case ORIGIN_CONNECTION_TUNNELS:
        return from == ORIGIN_CONNECTION_AWAITS_HEAD;
    case ORIGIN_CONNECTION_CLOSED:
        return from != ORIGIN_CONNECTION_CLOSED;
    }
    return false;
}

void origin_connection_set_state(struct origin_connection *connection,
                                 enum origin_connection_state state)
{
    CHECK(may_follow(connection->state, state));
    connection->state = state;
}

void origin_connection_want(struct origin_connection *connection)
{
    short wanted = 0;

    if (connection->state == ORIGIN_CONNECTION_CONNECTING) {
        wanted = WATCH_WRITABLE;
    } else if (!connection->answer_paused) {
        wanted = WATCH_READABLE;
    }
    if (connection->out.blocked) {
        wanted |= WATCH_WRITABLE;
    }
    if (connection->awaits_verdict) {
        wanted = 0; /* its end would be told again and again */
    }
    transport_want(&connection->transport, wanted);
}

enum origin_failure origin_failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* a Unix socket that is not there */
        return ORIGIN_FAILURE_REFUSED;
    case ETIMEDOUT:
        return ORIGIN_FAILURE_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return ORIGIN_FAILURE_NO_DESCRIPTOR;
    default:
        return ORIGIN_FAILURE_UNREACHABLE;
    }
}

static bool begin_dial(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    int fd = dial(&origin->address);

    return fd >= 0 &&
           transport_start_tcp(&connection->transport, origin->directory->bench->loop, fd,
                               WATCH_WRITABLE, origin->directory->events->ready, connection);
}

bool origin_connection_open(struct origin *origin, struct origin_request *request,
                            enum origin_failure *failure)
{
    struct origin_directory *directory = origin->directory;
    struct origin_connection *connection = slab_take(directory->connections);

    if (connection == NULL) {
        *failure = ORIGIN_FAILURE_NO_DESCRIPTOR;
        return false;
    }
    memset(connection, 0, sizeof(*connection));
    connection->transport.fd = -1;
    connection->origin = origin;
    connection->state = ORIGIN_CONNECTION_CONNECTING;
    connection->reusable = true;
    if (!begin_dial(connection)) {
        *failure = origin_failure_of(errno);
        slab_give(directory->connections, connection);
        return false;
    }
    list_add_last(&origin->dials, &connection->link);
    origin->dialing++;
    TALLY_ADD(origin->tally.connections, 1);
    connection->opened_us = loop_now(directory->bench->loop);
    timer_set(directory->connection_timers, &connection->timer, request->timeouts->connect);
    limits_bind_connection(connection, request);
    metrics_note(directory->metrics, METRICS_ORIGIN_DIALED);
    return true;
}

bool origin_connection_is_opening(const struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_CONNECTING ||
           connection->state == ORIGIN_CONNECTION_HANDSHAKES;
}

static void leave_lists(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    list_remove(&connection->link);
    if (origin_connection_is_opening(connection)) {
        origin->dialing--;
    } else if (connection->request != NULL) {
        reserve_end(connection);
        TALLY_ADD(origin->tally.busy, -1u);
    } else if (connection->state == ORIGIN_CONNECTION_IDLE) {
        origin->idle_count--;
    }
}

void origin_connection_close(struct origin_connection *connection)
{
    struct origin_directory *directory = directory_of(connection);

    if (connection->state == ORIGIN_CONNECTION_CLOSED) {
        return;
    }
    leave_lists(connection);
    if (connection->request != NULL) {
        connection->request->connection = NULL;
        limits_give_request(connection->request);
        connection->request = NULL;
    }
    TALLY_ADD(connection->origin->tally.connections, -1u);
    timer_clear(directory->connection_timers, &connection->timer);
    buffer_return(directory->bench->buffers, &connection->in);
    outbox_clear(&connection->out, directory->bench->buffers);
    later_cancel(&connection->flush);
    transport_close(&connection->transport);
    limits_give_connection(connection);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_CLOSED);
    list_add_last(&directory->graves, &connection->link);
}

void origin_connection_note_closed_idle(struct origin_connection *connection)
{
    uint64_t now_us = loop_now(directory_of(connection)->bench->loop);

    if (connection->carried > 0) {
        keeping_note_closed(&connection->origin->keeping, now_us,
                            now_us - connection->last_used_us);
    }
}

static void begin_request(struct origin_connection *connection)
{
    connection->request_framing = HTTP_NO_BODY;
    connection->answer_framing = HTTP_NO_BODY;
    connection->body_left = 0;
    connection->undelivered = (struct bytes){0};
    connection->request_whole = false;
    connection->request_upgrades = false;
    connection->answer_paused = false;
    connection->much_came = false;
    connection->heard = false;
    connection->looked = 0;
    connection->interims = 0;
}

void origin_connection_bind(struct origin_connection *connection, struct origin_request *request)
{
    struct origin *origin = connection->origin;

    CHECK(connection->state == ORIGIN_CONNECTION_IDLE && connection->request == NULL);
    list_remove(&connection->link);
    origin->idle_count--;
    TALLY_ADD(origin->tally.busy, 1);
    TALLY_ADD(origin->tally.requests, 1);
    origin_health_asked(origin, request);
    connection->request = request;
    request->connection = connection;
    request->bound_us = loop_now(origin->directory->bench->loop);
    request->reused = connection->carried > 0;
    connection->carried++;
    connection->written_before = connection->out.written;
    if (request->reused) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_REUSED);
    }
    list_add_last(&origin->busy, &connection->link);
    reserve_begin(connection);
    timer_rest(origin->directory->connection_timers, &connection->timer);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_AWAITS_HEAD);
    begin_request(connection);
    request->events->connected(request->owner);
}

void origin_connection_unbind(struct origin_connection *connection)
{
    reserve_end(connection);
    list_remove(&connection->link);
    connection->request->connection = NULL;
    limits_give_request(connection->request);
    connection->request = NULL;
    TALLY_ADD(connection->origin->tally.busy, -1u);
}
