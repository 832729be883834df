/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to an origin that carries streams: begun, read, written, looked after while it is
 * silent, ended. It begins to carry once the origin's SETTINGS have come, so that nothing is asked of
 * an origin that does not speak HTTP/2, nor more at a time than it allows.
 *
 * Events of the session come out of its two calls, h2_session_receive and h2_session_pump. Both are
 * made here only, never one inside the other (`inside`); what a call makes necessary is done behind it
 * (settle). */
#include "origin/h2/origin_h2.h"

#include "base/check.h"
#include "origin/pool/limits.h"

#include <errno.h>
#include <stdlib.h>

#define READS_A_TURN 4
#define WRITES_A_TURN 16
/* Answers to PING and SETTINGS of an origin that sends and does not read. */
#define OUT_MOST_BYTES (256 * 1024)
#define STREAM_WINDOW_BYTES (64 * 1024)
#define CONNECTION_WINDOW_BYTES (1024 * 1024)
#define STREAMS_MOST 128 /* at a time, whatever the origin allows */
/* Before a request is risked on a connection that was silent for so long, it is asked for a word; it
 * has so long to answer. */
#define SILENT_US 5000000
#define SILENT_FOR_RETRY_US 1000000
#define ASKED_MS 1000
/* The same while requests are under way. */
#define PING_AFTER_MS 10000
#define PONG_WITHIN_MS 10000
/* Servers of gRPC take a PING within five minutes of the one before for a flood, unless they have sent a
 * HEADERS or DATA frame since, and end the connection with the third such (too_many_pings). */
#define PING_AGAIN_US 310000000
#define LEFT_MOST_US 5000000
/* That bring nothing: origin_h2_budget_spend. */
#define FRAMES_MOST 2000
#define FRAMES_A_SECOND 200

static struct timer_group *timers_of(const struct origin_h2 *h2)
{
    return origin_h2_directory(h2)->connection_timers;
}

static bool is_open(const struct origin_h2 *h2)
{
    return h2->connection->state != ORIGIN_CONNECTION_CLOSED;
}

/* --- beginning ----------------------------------------------------------------------------- */

bool origin_h2_is_expected(const struct origin *origin)
{
    return origin->protocol == ORIGIN_PROTOCOL_HTTP2 ||
           (origin->protocol == ORIGIN_PROTOCOL_AUTO && !origin->spoke_http1);
}

void origin_h2_greet(struct origin_connection *connection)
{
    const struct h2_session_limits limits = {
        .header_list_bytes = 64 * 1024,
        .stream_window = STREAM_WINDOW_BYTES,
        .connection_window = CONNECTION_WINDOW_BYTES,
    };
    struct origin_h2 *h2 = calloc(1, sizeof(*h2));

    if (h2 != NULL) {
        h2->session = h2_session_new_to_origin(&origin_h2_events, h2, &limits);
    }
    if (h2 == NULL || h2->session == NULL) {
        free(h2);
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    h2->connection = connection;
    list_init(&h2->streams);
    list_init(&h2->moved);
    list_init(&h2->touched);
    h2->heard_us = h2->earned_us = origin_connection_now(connection);
    h2->frames_left = FRAMES_MOST;
    connection->h2 = h2;
    origin_connection_set_state(connection, ORIGIN_CONNECTION_GREETS);
    origin_connection_want(connection);
    origin_h2_flush_later(h2);
}

/* --- its clock ----------------------------------------------------------------------------- */

static bool is_idle(const struct origin_h2 *h2)
{
    return h2->stream_count == 0 && !h2->asked;
}

static void arm(struct origin_h2 *h2)
{
    struct timer *timer = &h2->connection->timer;

    if (h2->pinged_us != 0) {
        return; /* it waits for the answer */
    }
    timer_set(timers_of(h2), timer, h2->stream_count > 0 ? PING_AFTER_MS : h2->pool.idle_timeout);
}

static void ping(struct origin_h2 *h2, uint32_t within_ms)
{
    h2->was_idle = false;
    h2->pinged_us = h2->last_ping_us = origin_h2_now(h2);
    h2->sent_since_ping = false;
    h2_session_ping(h2->session);
    timer_set(timers_of(h2), &h2->connection->timer, within_ms);
    origin_h2_flush_later(h2);
}

/* Of requests that were over long ago, and whose origin has not ended its side. */
static void reset_left(struct origin_h2 *h2)
{
    LIST_EACH (const struct origin_h2_stream, stream, &h2->streams, link) {
        if (stream->left_us != 0 && origin_h2_now(h2) - stream->left_us > LEFT_MOST_US) {
            h2_session_reset(h2->session, stream->id, H2_CANCEL);
            origin_h2_flush_later(h2);
        }
    }
}

static bool may_ping(const struct origin_h2 *h2)
{
    return h2->last_ping_us == 0 || h2->sent_since_ping ||
           origin_h2_now(h2) - h2->last_ping_us >= PING_AGAIN_US;
}

void origin_h2_late(struct origin_connection *connection)
{
    struct origin_h2 *h2 = connection->h2;
    uint64_t silent_us = origin_h2_now(h2) - h2->heard_us;

    reset_left(h2);
    if (h2->pinged_us != 0 && h2->heard_us > h2->pinged_us && h2->stream_count > 0) {
        h2->pinged_us = 0; /* it is busy with other things */
        h2->asked = false;
        arm(h2);
    } else if (h2->pinged_us != 0) {
        origin_h2_fail(h2, ORIGIN_FAILURE_PING_TIMEOUT, NULL);
    } else if (h2->stream_count == 0) {
        origin_connection_close(connection);
    } else if (silent_us < (uint64_t)PING_AFTER_MS * 1000) {
        timer_set(timers_of(h2), &connection->timer, PING_AFTER_MS - (uint32_t)(silent_us / 1000));
    } else if (may_ping(h2)) {
        ping(h2, PONG_WITHIN_MS);
    } else {
        timer_set(timers_of(h2), &connection->timer, PING_AFTER_MS);
    }
}

/* --- who may use it ------------------------------------------------------------------------ */

static bool is_worn(const struct origin_h2 *h2, const struct pool_settings *pool)
{
    const struct origin_connection *connection = h2->connection;

    return (pool->requests_per_connection != 0 &&
            connection->carried >= pool->requests_per_connection) ||
           (pool->max_age != 0 &&
            origin_h2_now(h2) - connection->opened_us > (uint64_t)pool->max_age * 1000);
}

static uint32_t most_streams(const struct origin_h2 *h2)
{
    uint32_t allowed = h2_session_streams(h2->session);

    return allowed < STREAMS_MOST ? allowed : STREAMS_MOST;
}

static bool was_silent(const struct origin_h2 *h2, const struct origin_request *request)
{
    uint64_t most_us = request->reuse == REUSE_ANY ? SILENT_US : SILENT_FOR_RETRY_US;

    return h2->connection->carried > 0 && h2->stream_count == 0 &&
           origin_h2_now(h2) - h2->heard_us > most_us;
}

/* It has room now. One that was silent is asked first. */
static bool may_carry(struct origin_h2 *h2, const struct origin_request *request)
{
    if (h2->leaves || h2->doomed || h2->over || h2->asked || h2->stream_count >= most_streams(h2) ||
        h2->connection->out.queue.length >= OUT_MOST_BYTES) {
        return false;
    }
    if (is_worn(h2, request->pool)) {
        h2->leaves = true;
        origin_h2_flush_later(h2);
        return false;
    }
    if (was_silent(h2, request)) {
        h2->asked = true;
        ping(h2, ASKED_MS);
        return false;
    }
    return true;
}

struct origin_connection *origin_h2_take(struct origin *origin, struct origin_request *request)
{
    for (struct link *link = origin->carriers.next; link != &origin->carriers; link = link->next) {
        struct origin_h2 *h2 = CONTAINER_OF(link, struct origin_connection, link)->h2;
        struct origin_connection *stream;

        if (!may_carry(h2, request)) {
            continue;
        }
        if (!limits_take_connection(origin, request)) {
            limits_pass_request_on(request); /* for one that has a place */
            return NULL;
        }
        stream = origin_h2_stream_open(h2);
        if (stream == NULL) {
            limits_untake_connection(origin, request);
            return NULL;
        }
        limits_bind_connection(stream, request);
        h2->pool = *request->pool;
        h2->was_idle = false;
        if (h2->stream_count == 1) {
            arm(h2);
        }
        return stream;
    }
    return NULL;
}

/* A connection is asked whether it is there still, or allows no stream at all at present. */
bool origin_h2_may_soon(const struct origin *origin)
{
    for (const struct link *link = origin->carriers.next; link != &origin->carriers;
         link = link->next) {
        const struct origin_h2 *h2 = CONTAINER_OF(link, struct origin_connection, link)->h2;

        if (!h2->leaves && !h2->over && (h2->asked || h2->stream_count == 0)) {
            return true;
        }
    }
    return false;
}

struct origin_connection *origin_h2_idle(const struct origin *origin)
{
    LIST_EACH (struct origin_connection, connection, &origin->carriers, link) {
        if (is_idle(connection->h2) && !connection->h2->inside) {
            return connection;
        }
    }
    return NULL;
}

/* --- ending -------------------------------------------------------------------------------- */

/* Each stream has its own verdict, which looks at the connection as it is now. */
static void fail_streams(struct origin_h2 *h2, enum origin_failure failure, const char *fault)
{
    struct origin_h2_stream *stream;

    while ((stream = LIST_FIRST(&h2->streams, struct origin_h2_stream, link)) != NULL) {
        struct origin_connection *connection = stream->connection;

        stream->id = 0;
        if (connection == NULL) {
            list_remove(&stream->link);
            h2->stream_count--;
            origin_h2_stream_free(stream);
        } else if (stream->ended) {
            list_remove(&stream->link); /* whole; its client takes its time */
            h2->stream_count--;
            list_remove(&stream->moved);
            list_remove(&stream->touched);
            stream->h2 = NULL;
        } else {
            connection->request->fault = fault;
            origin_connection_fail(connection,
                                   failure == ORIGIN_FAILURE_CLOSED &&
                                           connection->state == ORIGIN_CONNECTION_READS_BODY
                                       ? ORIGIN_FAILURE_INCOMPLETE
                                       : failure);
        }
    }
}

static void end(struct origin_h2 *h2, enum origin_failure failure, const char *fault)
{
    struct origin_connection *connection = h2->connection;
    struct origin *origin = connection->origin;
    bool was_useless = connection->carried == 0;

    if (h2->over) {
        return;
    }
    if (connection->state == ORIGIN_CONNECTION_GREETS) {
        h2->over = true;
        origin_connection_fail(connection, failure);
        return;
    }
    h2->over = true;
    metrics_note(origin->directory->metrics, METRICS_ORIGIN_FAILED);
    fail_streams(h2, failure, fault);
    origin_connection_close(connection);
    if (was_useless) {
        pool_dial_failed(origin, failure); /* or the next one would end so, too, without end */
    }
    pool_serve_line(origin);
}

void origin_h2_fail(struct origin_h2 *h2, enum origin_failure failure, const char *fault)
{
    if (h2->doomed || h2->over) {
        return;
    }
    h2->doomed = true;
    h2->failure = failure;
    h2->fault = fault;
    if (!h2->inside) {
        end(h2, failure, fault);
    }
}

/* What can be said is: an origin that does not hear it finds a closed connection. */
static void say_last(struct origin_h2 *h2)
{
    struct origin_connection *connection = h2->connection;

    if (!h2->inside && !h2->over && !connection->out.blocked && !connection->out.broken) {
        h2_session_end(h2->session, H2_NO_ERROR);
        h2->inside = true;
        h2_session_pump(h2->session);
        h2->inside = false;
        outbox_flush(&connection->out, origin_h2_buffers(h2), &connection->transport);
    }
}

void origin_h2_closes(struct origin_connection *connection)
{
    struct origin_h2 *h2 = connection->h2;

    if (connection->state == ORIGIN_CONNECTION_CARRIES) {
        say_last(h2);
    }
    h2->over = true;
    fail_streams(h2, ORIGIN_FAILURE_CLOSED, NULL);
}

void origin_h2_free(struct origin_connection *connection)
{
    struct origin_h2 *h2 = connection->h2;

    CHECK(h2->stream_count == 0 && !h2->inside);
    connection->h2 = NULL;
    h2_session_free(&h2->session);
    free(h2->section.text);
    free(h2);
}

/* --- writing ------------------------------------------------------------------------------- */

static void write_out(struct origin_h2 *h2)
{
    struct origin_connection *connection = h2->connection;
    struct outbox *out = &connection->out;

    for (int i = 0; i < WRITES_A_TURN && !out->broken; i++) {
        h2->paused = false;
        h2->inside = true;
        if (!h2_session_pump(h2->session) && !h2->doomed) {
            origin_h2_fail(h2, ORIGIN_FAILURE_H2_BROKEN, NULL);
        }
        h2->inside = false;
        if (out->blocked) {
            return;
        }
        outbox_flush(out, origin_h2_buffers(h2), &connection->transport);
        if (out->blocked || !h2->paused) {
            return;
        }
    }
    if (!out->broken) { /* else reading finds its end: to write again would never come to one */
        origin_h2_flush_later(h2);
    }
}

static void want(struct origin_h2 *h2)
{
    struct outbox *out = &h2->connection->out;
    bool reads = out->broken || out->queue.length < OUT_MOST_BYTES;

    transport_want(&h2->connection->transport,
                   (short)((reads ? WATCH_READABLE : 0) | (out->blocked ? WATCH_WRITABLE : 0)));
}

/* true: it is closed. */
static bool end_if_over(struct origin_h2 *h2)
{
    if (h2->doomed) {
        end(h2, h2->failure, h2->fault);
    } else if (h2_session_is_over(h2->session) && (!h2->leaves || h2->stream_count > 0)) {
        end(h2,
            h2->connection->state == ORIGIN_CONNECTION_GREETS ? ORIGIN_FAILURE_NOT_HTTP2
                                                              : ORIGIN_FAILURE_H2_BROKEN,
            NULL);
    } else if (h2->leaves && h2->connection->state == ORIGIN_CONNECTION_GREETS) {
        end(h2, ORIGIN_FAILURE_CLOSED, NULL);
    } else if (h2->leaves && h2->stream_count == 0) {
        end(h2, ORIGIN_FAILURE_CLOSED, NULL);
    }
    return !is_open(h2);
}

static void serve(struct origin_h2 *h2)
{
    struct origin *origin = h2->connection->origin;

    if (!is_idle(h2)) {
        h2->was_idle = false;
    } else if (h2->connection->carried > 0 && !h2->was_idle && h2->pinged_us == 0) {
        h2->was_idle = true; /* frames that bring nothing do not make it young again */
        h2->connection->last_used_us = origin_h2_now(h2);
        arm(h2);
    }
    if (origin_has_line(origin)) {
        pool_serve_line(origin);
    }
}

/* What a call of the session made necessary. The connection may be closed once it returns. */
static void settle(struct origin_h2 *h2)
{
    struct origin_connection *connection = h2->connection;

    origin_h2_report_touched(h2);
    origin_h2_report_moved(h2);
    if (!is_open(h2) || end_if_over(h2)) {
        return;
    }
    if (h2->is_ready && connection->state == ORIGIN_CONNECTION_GREETS) {
        origin_connection_carries(connection);
    }
    if (is_open(h2)) {
        want(h2);
    }
    if (is_open(h2) && connection->state == ORIGIN_CONNECTION_CARRIES) {
        serve(h2);
    }
}

static void flush_now(void *owner)
{
    struct origin_h2 *h2 = owner;

    write_out(h2);
    settle(h2);
}

void origin_h2_flush_later(struct origin_h2 *h2)
{
    if (is_open(h2) && !h2->over) {
        loop_later(origin_h2_directory(h2)->worker_context->loop, &h2->connection->flush, flush_now,
                   h2);
    }
}

/* --- frames that bring nothing --------------------------------------------------------------- */

/* SETTINGS, PING, PRIORITY, resets, windows, empty DATA and what we do not know. Each costs; time
 * gives some, and so does each request and each piece of one that is written, for which windows are
 * told. */

void origin_h2_budget_earn(struct origin_h2 *h2, uint32_t frames)
{
    h2->frames_left =
        h2->frames_left + frames < FRAMES_MOST ? h2->frames_left + frames : FRAMES_MOST;
}

bool origin_h2_budget_spend(struct origin_h2 *h2)
{
    uint64_t now_us = origin_h2_now(h2);
    uint64_t earned = (now_us - h2->earned_us) * FRAMES_A_SECOND / 1000000;

    if (earned > 0) {
        h2->earned_us = now_us;
        origin_h2_budget_earn(h2, earned < FRAMES_MOST ? (uint32_t)earned : FRAMES_MOST);
    }
    if (h2->frames_left == 0) {
        return false;
    }
    h2->frames_left--;
    return true;
}

/* --- reading ------------------------------------------------------------------------------- */

static void on_end_of_stream(struct origin_h2 *h2, ssize_t count)
{
    if (count < 0 && errno == TRANSPORT_FLOODED) {
        origin_h2_fail(h2, ORIGIN_FAILURE_EMPTY_RECORDS, NULL);
        return;
    }
    if (count < 0) {
        origin_connection_report_alert(h2->connection);
    }
    origin_h2_fail(h2,
                   h2->connection->state == ORIGIN_CONNECTION_GREETS ? ORIGIN_FAILURE_NOT_HTTP2
                                                                     : ORIGIN_FAILURE_CLOSED,
                   NULL);
}

static void take_bytes(struct origin_h2 *h2, struct bytes bytes)
{
    bool fine;

    h2->heard_us = origin_h2_now(h2);
    h2->inside = true;
    fine = h2_session_receive(h2->session, bytes);
    h2->inside = false;
    if (!fine && !h2->doomed) {
        h2->doomed = true; /* once what there is to say to the origin was written */
        h2->failure = h2->is_ready ? ORIGIN_FAILURE_H2_BROKEN : ORIGIN_FAILURE_NOT_HTTP2;
    }
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct origin_h2 *h2)
{
    struct buffer_pool *buffers = origin_h2_buffers(h2);
    struct buffer *in = buffer_borrow(buffers, BUFFER_LARGE);
    size_t room = in != NULL ? buffer_room(in) : 0;
    ssize_t count;

    if (in == NULL) {
        origin_h2_fail(h2, ORIGIN_FAILURE_LOCAL_RESOURCE, NULL);
        return false;
    }
    count = transport_read(&h2->connection->transport, buffer_tail(in), room);
    if (count > 0) {
        in->end += (uint32_t)count;
        take_bytes(h2, buffer_content(in));
    } else if (count == 0 || errno != EAGAIN) {
        on_end_of_stream(h2, count);
    }
    buffer_return(buffers, &in);
    return count > 0 && (size_t)count == room && is_open(h2) && !h2->doomed;
}

void origin_h2_ready(struct origin_connection *connection, short what)
{
    struct origin_h2 *h2 = connection->h2;

    if ((what & WATCH_WRITABLE) != 0) {
        outbox_ready(&connection->out, origin_h2_buffers(h2), &connection->transport);
    }
    if ((what & WATCH_READABLE) != 0) {
        for (int i = 0; i < READS_A_TURN && receive_once(h2); i++) {
        }
    }
    if (is_open(h2)) {
        write_out(h2);
        settle(h2);
    }
}
