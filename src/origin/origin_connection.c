/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of one connection to an origin: opened, bound to a request, idle, failed, closed; and what
 * happens to it from outside: it is established, or agrees on TLS first; its socket is ready; its
 * clock has run out. Every change of state and every end goes through the functions here. Called by
 * pool.c, by the loop and by what speaks on it. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "base/log/log.h"
#include "net/dial.h"
#include "origin/pool/limits.h"

#include <errno.h>

#define FROM(state) (1u << ORIGIN_CONNECTION_##state)

/* What each may follow. */
static const uint16_t formers[] = {
    [ORIGIN_CONNECTION_CONNECTING] = 0,
    [ORIGIN_CONNECTION_HANDSHAKES] = FROM(CONNECTING),
    [ORIGIN_CONNECTION_GREETS] = FROM(CONNECTING) | FROM(HANDSHAKES),
    [ORIGIN_CONNECTION_CARRIES] = FROM(GREETS),
    [ORIGIN_CONNECTION_IDLE] =
        FROM(CONNECTING) | FROM(HANDSHAKES) | FROM(AWAITS_HEAD) | FROM(READS_BODY),
    [ORIGIN_CONNECTION_AWAITS_HEAD] = FROM(IDLE),
    [ORIGIN_CONNECTION_READS_BODY] = FROM(AWAITS_HEAD),
    [ORIGIN_CONNECTION_TUNNELS] = FROM(AWAITS_HEAD),
    [ORIGIN_CONNECTION_CLOSED] = FROM(CLOSED) - 1, /* all but itself */
};

uint64_t origin_connection_now(const struct origin_connection *connection)
{
    return loop_now(connection->origin->directory->worker_context->loop);
}

struct buffer_pool *origin_connection_buffers(const struct origin_connection *connection)
{
    return connection->origin->directory->worker_context->buffers;
}

void origin_connection_set_clock(struct origin_connection *connection, uint32_t milliseconds)
{
    timer_set(connection->origin->directory->connection_timers, &connection->timer, milliseconds);
}

void origin_connection_stop_clock(struct origin_connection *connection)
{
    timer_rest(connection->origin->directory->connection_timers, &connection->timer);
}

void origin_connection_set_state(struct origin_connection *connection,
                                 enum origin_connection_state state)
{
    CHECK((formers[state] >> connection->state & 1) != 0);
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

static enum origin_failure origin_failure_of(int error)
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
        return ORIGIN_FAILURE_LOCAL_RESOURCE;
    default:
        return ORIGIN_FAILURE_UNREACHABLE;
    }
}

static void origin_connection_ready(int fd, short what, void *owner);

static bool begin_dial(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    int fd = dial(&origin->address);

    return fd >= 0 &&
           transport_start_tcp(&connection->transport, origin->directory->worker_context->loop, fd,
                               WATCH_WRITABLE, origin_connection_ready, connection);
}

bool origin_connection_open(struct origin *origin, struct origin_request *request,
                            enum origin_failure *failure)
{
    struct origin_directory *directory = origin->directory;
    struct origin_connection *connection = slab_take(directory->connections);

    if (connection == NULL) {
        *failure = ORIGIN_FAILURE_LOCAL_RESOURCE;
        return false;
    }
    memset(connection, 0, sizeof(*connection));
    connection->transport.fd = -1;
    connection->origin = origin;
    connection->ops = &origin_h1_ops;
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
    connection->opened_us = loop_now(directory->worker_context->loop);
    timer_set(directory->connection_timers, &connection->timer, request->timeouts->connect);
    limits_bind_connection(connection, request);
    metrics_note(directory->metrics, METRICS_ORIGIN_DIALED);
    return true;
}

static bool origin_connection_is_opening(const struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_CONNECTING ||
           connection->state == ORIGIN_CONNECTION_HANDSHAKES ||
           connection->state == ORIGIN_CONNECTION_GREETS;
}

static void leave_lists(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    list_remove(&connection->link);
    if (origin_connection_is_opening(connection)) {
        origin->dialing--;
    } else if (connection->request != NULL) {
        if (connection->counted_slow) {
            reserve_end(connection);
        }
        TALLY_ADD(origin->tally.busy, -1u);
    } else if (connection->state == ORIGIN_CONNECTION_IDLE) {
        origin->idle_count--;
    } else if (connection->state == ORIGIN_CONNECTION_CARRIES) {
        TALLY_ADD(origin->tally.http2_connections, -1u);
    }
}

void origin_connection_close(struct origin_connection *connection)
{
    struct origin_directory *directory = connection->origin->directory;

    if (connection->state == ORIGIN_CONNECTION_CLOSED) {
        return;
    }
    if (connection->h2 != NULL) {
        origin_h2_closes(connection);
    }
    leave_lists(connection);
    if (connection->request != NULL) {
        connection->request->connection = NULL;
        limits_give_request(connection->request);
        connection->request = NULL;
    }
    if (connection->ops->part != NULL) {
        connection->ops->part(connection);
    } else {
        TALLY_ADD(connection->origin->tally.connections, -1u);
    }
    timer_clear(directory->connection_timers, &connection->timer);
    buffer_return(directory->worker_context->buffers, &connection->in);
    outbox_clear(&connection->out, directory->worker_context->buffers);
    later_cancel(&connection->flush);
    transport_close(&connection->transport);
    limits_give_connection(connection);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_CLOSED);
    list_add_last(&directory->deferred_frees, &connection->link);
}

static void origin_connection_note_closed_idle(struct origin_connection *connection)
{
    uint64_t now_us = origin_connection_now(connection);

    if (connection->carried > 0) {
        keeping_note_closed(&connection->origin->keeping, now_us,
                            now_us - connection->last_used_us);
    }
}

static void begin_request(struct origin_connection *connection)
{
    connection->request_framing = HTTP_NO_BODY;
    connection->client_from_us = 0;
    connection->client_us = 0;
    connection->passed = 0;
    h1_body_begin(&connection->answer, HTTP_NO_BODY, 0);
    connection->undelivered = (struct bytes){0};
    connection->request_whole = false;
    connection->request_upgrades = false;
    connection->answer_paused = false;
    connection->much_came = false;
    connection->heard = false;
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
    request->bound_us = loop_now(origin->directory->worker_context->loop);
    if (request->pool->limited) {
        limits_note_given(
            request, request->waits_from_us == 0 ? 0 : request->bound_us - request->waits_from_us);
    }
    request->evidence.kept_connection = connection->carried > 0;
    request->evidence.http2 = connection->stream != NULL;
    connection->carried++;
    connection->written_before = connection->out.written;
    if (request->evidence.kept_connection) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_REUSED);
    }
    list_add_last(&origin->busy, &connection->link);
    if (request->unfinished && limits_bound_unfinished(request)) {
        reserve_watch(origin);
    }
    timer_rest(origin->directory->connection_timers, &connection->timer);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_AWAITS_HEAD);
    begin_request(connection);
    request->events->connected(request->owner);
}

void origin_connection_unbind(struct origin_connection *connection)
{
    if (connection->counted_slow) {
        reserve_end(connection);
    }
    list_remove(&connection->link);
    connection->request->connection = NULL;
    if (connection->request->slots != 0) {
        limits_give_request(connection->request);
    }
    connection->request = NULL;
    TALLY_ADD(connection->origin->tally.busy, -1u);
}

/* Under TLS a write that took nothing may have put a part of a record on the wire. */
bool origin_connection_is_untouched(const struct origin_connection *connection)
{
    return connection->out.written == connection->written_before &&
           (connection->transport.ops->plain ||
            (!connection->out.blocked && !connection->out.broken));
}

static const char *const delivery_words[] = {
#define ROW(name, word, sentence) word,
    ORIGIN_DELIVERY_TABLE(ROW)
#undef ROW
};

const char *origin_delivery_word(enum origin_delivery delivery)
{
    return delivery_words[delivery];
}

#define TLS_REPORT_US 10000000

/* What is wrong with a certificate shows nowhere else. */
static void report_handshake(const struct origin_connection *connection, enum tls_cause cause)
{
    struct origin *origin = connection->origin;
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);
    const char *problem = tls_certificate_problem(&connection->transport);

    if (origin->tls_reported_us != 0 && now_us - origin->tls_reported_us < TLS_REPORT_US) {
        return;
    }
    origin->tls_reported_us = now_us;
    log_warning("origin %s: no TLS connection as %s: %s", origin->name, origin->tls_name,
                problem != NULL                  ? problem
                : cause == TLS_CAUSE_CLIENT_LEFT ? "it closed the connection in the handshake"
                                                 : tls_cause_sentence(cause));
}

void origin_connection_report_alert(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);
    const char *alert = tls_alert(&connection->transport);

    if (alert == NULL ||
        (origin->tls_reported_us != 0 && now_us - origin->tls_reported_us < TLS_REPORT_US)) {
        return;
    }
    origin->tls_reported_us = now_us;
    log_warning("origin %s: it ended the TLS connection with an alert: %s", origin->name, alert);
}

void origin_connection_fail(struct origin_connection *connection, enum origin_failure failure)
{
    struct origin *origin = connection->origin;
    struct origin_request *request = connection->request;
    bool connecting = origin_connection_is_opening(connection);

    metrics_note(origin->directory->metrics, METRICS_ORIGIN_FAILED);
    if (request != NULL) {
        connection->ops->judge(connection, request);
        if (failure == ORIGIN_FAILURE_CLOSED && request->evidence.kept_connection) {
            origin_connection_note_closed_idle(connection);
        }
    }
    origin_connection_close(connection);
    if (connecting) {
        pool_dial_failed(origin, failure);
        pool_serve_line(origin);
    } else if (request != NULL) {
        origin_fail_request(request, failure);
        pool_serve_line(origin);
    }
}

void origin_connections_free(void *owner)
{
    struct origin_directory *directory = owner;
    struct origin_connection *connection;

    while ((connection = LIST_FIRST(&directory->deferred_frees, struct origin_connection, link)) !=
           NULL) {
        list_remove(&connection->link);
        if (connection->h2 != NULL) {
            origin_h2_free(connection);
        }
        slab_give(directory->connections, connection);
    }
}

/* --- it is established, once TLS is ------------------------------------------------------- */

static void note_established(struct origin_connection *connection)
{
    metrics_note_time(connection->origin->directory->metrics, METRICS_TIME_CONNECT,
                      origin_connection_now(connection) - connection->opened_us);
    list_remove(&connection->link);
    connection->origin->dialing--;
}

static void become_established(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    note_established(connection);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_IDLE);
    origin->idle_count++;
    list_add_first(&origin->idle, &connection->link);
    origin_connection_want(connection);
    pool_offer(connection);
}

void origin_connection_carries(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    note_established(connection);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_CARRIES);
    list_add_last(&origin->carriers, &connection->link);
    TALLY_ADD(origin->tally.http2_connections, 1);
    limits_give_connection(connection); /* its streams have places of their own */
    /* The clock of connecting goes on: one that no request takes is closed by it (origin_h2_late). */
    pool_serve_line(origin);
}

/* Which protocol is spoken is known. */
static void begin_protocol(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    const struct tls_facts *facts = tls_facts_of(&connection->transport);
    bool speaks_h2 = facts != NULL ? facts->speaks_h2 : origin->protocol == ORIGIN_PROTOCOL_HTTP2;

    origin->spoke_http1 = !speaks_h2;
    if (speaks_h2) {
        origin_h2_greet(connection);
    } else if (origin->protocol == ORIGIN_PROTOCOL_HTTP2) {
        origin_connection_fail(connection, ORIGIN_FAILURE_NOT_HTTP2);
    } else {
        become_established(connection);
    }
}

static enum origin_failure failure_of_handshake(const struct origin_connection *connection,
                                                enum tls_cause cause)
{
    if (tls_certificate_problem(&connection->transport) != NULL) {
        return ORIGIN_FAILURE_TLS_CERTIFICATE;
    }
    switch (cause) {
    case TLS_CAUSE_ALERT:
        return ORIGIN_FAILURE_TLS_ALERT;
    case TLS_CAUSE_INTERNAL:
        return ORIGIN_FAILURE_LOCAL_RESOURCE;
    default:
        return ORIGIN_FAILURE_TLS_PROTOCOL;
    }
}

static void step_handshake(struct origin_connection *connection)
{
    struct loop *loop = connection->origin->directory->worker_context->loop;
    enum tls_cause cause;
    short wanted;
    enum tls_step step = tls_step(&connection->transport, &wanted, &cause);

    loop_read_clock(loop); /* that took a while, maybe */
    switch (step) {
    case TLS_DONE:
        begin_protocol(connection);
        break;
    case TLS_WAITS:
        transport_want(&connection->transport, wanted);
        break;
    case TLS_FAILED:
        report_handshake(connection, cause);
        origin_connection_fail(connection, failure_of_handshake(connection, cause));
        break;
    }
}

static void begin_handshake(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    if (origin->dialer == NULL ||
        !tls_dial(&connection->transport, origin->dialer, origin->tls_name, &origin->resumable)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    origin_connection_set_state(connection, ORIGIN_CONNECTION_HANDSHAKES);
    step_handshake(connection);
}

/* --- the socket -------------------------------------------------------------------------- */

static void on_connected(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    int error = dial_error(connection->transport.fd);

    if (error != 0) {
        origin_connection_fail(connection, origin_failure_of(error));
        return;
    }
    if (origin->tls_name != NULL) {
        begin_handshake(connection);
    } else {
        begin_protocol(connection);
    }
}

static void origin_connection_ready(int fd, short what, void *owner)
{
    struct origin_connection *connection = owner;

    (void)fd;
    loop_note_event(connection->origin->directory->worker_context->loop);
    if (connection->state == ORIGIN_CONNECTION_CONNECTING) {
        on_connected(connection);
        return;
    }
    if (connection->state == ORIGIN_CONNECTION_HANDSHAKES) {
        step_handshake(connection);
        return;
    }
    if (connection->h2 != NULL) {
        origin_h2_ready(connection, what);
        return;
    }
    if ((what & WATCH_READABLE) != 0) {
        if (connection->state == ORIGIN_CONNECTION_IDLE) {
            if (connection->origin->tls_name != NULL &&
                !transport_is_stale(&connection->transport)) {
                return; /* a session to resume later, say */
            }
            /* The origin closes it, or speaks unasked: no use any more. */
            origin_connection_note_closed_idle(connection);
            origin_connection_close(connection);
            return;
        }
        origin_h1_receive(connection);
    }
    if ((what & WATCH_WRITABLE) != 0 && connection->state != ORIGIN_CONNECTION_CLOSED &&
        connection->state != ORIGIN_CONNECTION_IDLE) {
        origin_h1_ready(connection);
        if (connection->request != NULL && !connection->out.blocked) {
            connection->request->events->writable(connection->request->owner);
        }
    }
}

/* --- the clock --------------------------------------------------------------------------- */

/* One timer a connection; what it means follows from the state. */
void origin_connection_late(struct timer *timer)
{
    struct origin_connection *connection = CONTAINER_OF(timer, struct origin_connection, timer);

    switch (connection->state) {
    case ORIGIN_CONNECTION_CONNECTING:
    case ORIGIN_CONNECTION_HANDSHAKES:
    case ORIGIN_CONNECTION_GREETS:
        origin_connection_fail(connection, ORIGIN_FAILURE_CONNECT_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_CARRIES:
        origin_h2_late(connection);
        break;
    case ORIGIN_CONNECTION_IDLE:
        origin_connection_close(connection);
        break;
    case ORIGIN_CONNECTION_AWAITS_HEAD:
        if (connection->awaits_verdict) {
            origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED);
            break;
        }
        if (connection->ops->goes_on(connection)) {
            break;
        }
        origin_connection_fail(connection, connection->out.blocked ? ORIGIN_FAILURE_SEND_TIMEOUT
                                           : connection->request->hurried
                                               ? ORIGIN_FAILURE_HALF_OPEN_TIMEOUT
                                               : ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_READS_BODY:
        if (connection->ops->goes_on(connection)) {
            break;
        }
        origin_connection_fail(connection, connection->request->is_event_stream
                                               ? ORIGIN_FAILURE_STREAM_IDLE
                                               : ORIGIN_FAILURE_ANSWER_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_TUNNELS:
        origin_connection_fail(connection, ORIGIN_FAILURE_TUNNEL_IDLE);
        break;
    case ORIGIN_CONNECTION_CLOSED:
        CHECK(connection->state != ORIGIN_CONNECTION_CLOSED);
    }
}
