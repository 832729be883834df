/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/2 with a client: bytes in, frames out, over the transport and outbox that HTTP/1 uses too
 * (struct client_codec). Each stream is an exchange of its own (client_h2_stream.c); this file knows
 * the connection: when it reads and writes, how it announces its end, what it is while idle.
 *
 * Events of the session come out of its two calls, h2_session_receive and h2_session_pump. Both are
 * made here only, never one inside the other (`inside`); what a call makes necessary is done at the
 * end of the turn (flush_now). */
#include "client/h2/client_h2_private.h"

#include "base/check.h"
#include "tls/tls.h"

#include <errno.h>

#define READS_A_TURN 4
#define WRITES_A_TURN 16
/* Answers to PING and SETTINGS, and to requests, of a client that sends and does not read. */
#define OUT_MOST_BYTES (256 * 1024)

static void on_pong(void *owner);
static void on_opened(void *owner);
static void on_closed(void *owner, int32_t id, void *stream, uint32_t code);
static void on_provoked(void *owner);
static void on_failed(void *owner);
static bool on_write(void *owner, struct bytes frame);
static void report_ends(struct client_h2 *h2);

const struct h2_session_events client_h2_events = {
    .frame = client_h2_on_frame,
    .section = client_h2_on_section,
    .field = client_h2_on_field,
    .section_ended = client_h2_on_section_ended,
    .data = client_h2_on_data,
    .ended = client_h2_on_ended,
    .closed = on_closed,
    .provoked = on_provoked,
    .failed = on_failed,
    .pong = on_pong,
    .opened = on_opened,
    .write = on_write,
    .pull = client_h2_on_pull,
    .write_data = client_h2_on_write_data,
    .wrote_section = client_h2_on_wrote_section,
};

/* --- beginning ----------------------------------------------------------------------------- */

static bool begin_session(struct client_h2 *h2)
{
    const struct client_listener *listener = h2->connection->listener;
    const struct limits_settings *limits =
        &exchange_context_settings(client_h2_context(h2)->exchanges)->limits;
    const struct h2_session_limits reported = {
        .streams = listener->budgets.limits.http2_streams,
        .header_list_bytes = limits->head_bytes,
        .header_table_bytes = listener->budgets.limits.http2_header_table,
        .stream_window = listener->budgets.limits.http2_stream_window,
        .connection_window = listener->budgets.limits.http2_connection_window,
    };

    h2->session = h2_session_new(client_h2_context(h2)->h2.sessions, h2, &reported);
    return h2->session != NULL;
}

bool client_h2_new(struct client_connection *connection)
{
    struct client_context *context = client_context_of(connection);
    struct client_h2 *h2 = slab_take(context->h2.connections);

    if (h2 == NULL) {
        return false;
    }
    h2->connection = connection;
    if (!begin_session(h2)) {
        slab_give(context->h2.connections, h2);
        return false;
    }
    list_init(&h2->link);
    list_init(&h2->streams);
    list_init(&h2->heads);
    list_init(&h2->ending);
    list_init(&h2->waiting);
    list_init(&h2->gathered);
    h2->began_us = loop_now(context->worker_context->loop);
    h2->facts = (struct client_facts){
        .listener = connection->listener->name,
        .listener_index = connection->listener->index,
        .ip = connection->ip,
        .port = connection->port,
        .may_be_proxied = connection->listener->was_proxied,
        .scheme = connection->transport.ops->scheme,
        .tls = connection->transport.ops->plain ? NULL : tls_facts_of(&connection->transport),
    };
    client_h2_budgets_begin(h2);
    connection->h2 = h2;
    connection->speaks_h2 = true;
    metrics_note(context->metrics, METRICS_HTTP2_CONNECTION);
    client_h2_flush_later(h2); /* our SETTINGS go first */
    if (context->stopping) {
        client_h2_leave(h2);
    }
    return true;
}

bool client_h2_has_room(const struct client_h2 *h2)
{
    return h2->stream_count < h2->connection->listener->budgets.limits.http2_streams &&
           h2->step != CLIENT_H2_REFUSES &&
           pressure_of(client_h2_context(h2)->worker_context->pressure, PRESSURE_MEMORY) <
               PRESSURE_REFUSES;
}

static size_t without_bodies(const struct client_h2 *h2)
{
    return sizeof(*h2->connection) + sizeof(*h2) + h2_session_held(h2->session) +
           h2->stream_count * CLIENT_H2_STREAM_BYTES + h2->texts;
}

size_t client_h2_reckoned(const struct client_h2 *h2)
{
    return without_bodies(h2) + h2->stored + h2->lent + h2->queued + h2->out.queue.length;
}

bool client_h2_may_wait(const struct client_h2 *h2, size_t more)
{
    return without_bodies(h2) + more <= h2->connection->listener->budgets.h2_buffer;
}

/* Exchanges do not say when what they kept of a body has gone out: asked once a turn at most. */
bool client_h2_may_hold(struct client_h2 *h2, size_t more)
{
    size_t most = h2->connection->listener->budgets.h2_buffer;

    if (client_h2_reckoned(h2) + more <= most) {
        return true;
    }
    if (h2->lent == 0 || h2->counted_us == client_h2_now(h2)) {
        return false;
    }
    client_h2_count_lent(h2);
    return client_h2_reckoned(h2) + more <= most;
}

/* --- ending -------------------------------------------------------------------------------- */

/* RFC 9113 section 7. What fails for our own reasons is no fault of the client. */
static enum cut_cause cause_of(enum h2_code fault)
{
    switch (fault) {
    case H2_NO_ERROR:
    case H2_INTERNAL_ERROR:
        return CUT_NONE;
    case H2_FLOW_CONTROL_ERROR:
        return CUT_H2_FLOW;
    case H2_STREAM_CLOSED:
        return CUT_H2_CLOSED;
    case H2_FRAME_SIZE_ERROR:
        return CUT_H2_FRAME_SIZE;
    case H2_COMPRESSION_ERROR:
        return CUT_H2_COMPRESSION;
    case H2_ENHANCE_YOUR_CALM:
        return CUT_H2_CALM;
    default:
        return CUT_H2_PROTOCOL;
    }
}

static void fail(struct client_h2 *h2, enum cut_cause why)
{
    h2->step = CLIENT_H2_FAILED;
    h2->why = why != CUT_NONE ? why : cause_of(h2_session_fault(h2->session));
    if (client_h2_be_silent(h2)) {
        transport_want(&h2->connection->transport, 0);
        client_h2_wait_in_silence(h2);
    }
    client_h2_flush_later(h2);
}

void client_h2_fail(struct client_h2 *h2, enum h2_code code, enum cut_cause why)
{
    if (h2->step != CLIENT_H2_FAILED) {
        h2_session_end(h2->session, code);
        fail(h2, why);
    }
}

/* In two steps (RFC 9113 section 6.8): streams that are on their way when the first GOAWAY comes are
 * still taken; by the answer to a PING behind it, none are. */
void client_h2_leave(struct client_h2 *h2)
{
    if (h2->step == CLIENT_H2_STAYS) {
        h2->step = CLIENT_H2_ANNOUNCED;
        h2->announced_us = client_h2_now(h2);
        h2_session_announce_end(h2->session);
        h2_session_ping(h2->session);
        client_h2_flush_later(h2);
    }
}

void client_h2_refuse_new(struct client_h2 *h2)
{
    if (h2->step == CLIENT_H2_ANNOUNCED) {
        h2->step = CLIENT_H2_REFUSES;
        h2_session_refuse_new(h2->session);
        client_h2_flush_later(h2);
    }
}

static void abandon_streams(struct client_h2 *h2, enum outcome_end end)
{
    struct link *link;

    while ((link = list_first(&h2->streams)) != NULL) {
        struct client_h2_stream *stream = CONTAINER_OF(link, struct client_h2_stream, link);

        stream->closed = true;
        client_h2_stream_abandon(stream, end);
        client_h2_stream_bury(stream);
    }
}

/* What can be said is: a client that does not hear it finds a closed connection. A silent one's GOAWAY
 * may be in `out` already. */
static void say_last(struct client_h2 *h2)
{
    if (h2->inside || h2->out.blocked || h2->out.broken) {
        return;
    }
    if (!h2_session_is_over(h2->session)) {
        h2_session_end(h2->session, H2_NO_ERROR);
        h2->inside = true;
        h2_session_pump(h2->session);
        h2->inside = false;
    }
    outbox_flush(&h2->out, client_h2_buffers(h2), &h2->connection->transport);
}

static void end(struct client_connection *connection, enum outcome_end end)
{
    struct client_h2 *h2 = connection->h2;

    say_last(h2);
    client_h2_break_silence(h2);
    h2->inside = true; /* from here on the session is not asked for anything */
    abandon_streams(h2, end);
    client_h2_section_drop(h2);
    client_h2_free_handed(h2);
    outbox_clear(&h2->out, client_h2_buffers(h2));
    later_cancel(&h2->flush);
    connection->h2 = NULL;
    list_add_last(&client_context_of(connection)->h2.deferred_frees, &h2->link);
}

/* --- events of the session ----------------------------------------------------------------- */

static void on_pong(void *owner)
{
    struct client_h2 *h2 = owner;

    if (client_h2_stands(h2)) {
        client_h2_refuse_new(h2);
    }
}

static void on_opened(void *owner)
{
    struct client_h2 *h2 = owner;

    if (client_h2_stands(h2)) {
        client_h2_flush_later(h2);
    }
}

/* With its answer in full, a stream that closes waits for that to be written. */
static void on_closed(void *owner, int32_t id, void *of, uint32_t code)
{
    struct client_h2 *h2 = owner;
    struct client_h2_stream *stream = of;

    (void)id, (void)code;
    if (!client_h2_stands(h2) || stream == NULL) {
        return;
    }
    stream->closed = true;
    if (stream->exchange != NULL && !stream->end_written) {
        metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_RESET);
        client_h2_stream_abandon(stream, OUTCOME_CLIENT_GONE);
    }
    if (stream->exchange == NULL) {
        client_h2_stream_bury(stream);
    }
}

static void on_provoked(void *owner)
{
    struct client_h2 *h2 = owner;

    if (client_h2_stands(h2) && h2->step != CLIENT_H2_FAILED) {
        client_h2_spend(h2, CLIENT_H2_RESETS);
    }
}

/* The library found the fault; its GOAWAY has just gone to `out`. */
static void on_failed(void *owner)
{
    struct client_h2 *h2 = owner;

    if (client_h2_stands(h2) && h2->step != CLIENT_H2_FAILED) {
        fail(h2, CUT_NONE);
    }
}

static bool on_write(void *owner, struct bytes frame)
{
    struct client_h2 *h2 = owner;

    return outbox_add(&h2->out, client_h2_buffers(h2), frame);
}

/* --- writing ------------------------------------------------------------------------------- */

static void stamp_ends(struct client_h2 *h2)
{
    uint64_t end = h2->out.written + h2->out.queue.length;

    for (struct link *link = h2->ending.previous; link != &h2->ending; link = link->previous) {
        struct client_h2_answer *answer = CONTAINER_OF(link, struct client_h2_answer, ending);

        if (answer->ends_at != 0) {
            break;
        }
        answer->ends_at = end;
    }
}

static void pump(struct client_h2 *h2)
{
    h2->paused = false;
    if (!h2_session_may_pump(h2->session)) {
        client_h2_flush_later(h2);
        return;
    }
    h2->inside = true;
    client_h2_hand_heads(h2);
    if (h2_session_wants_pump(h2->session) && !h2_session_pump(h2->session) && !h2->out.broken &&
        !h2_session_is_over(h2->session)) {
        outbox_break(&h2->out, client_h2_buffers(h2), &h2->connection->transport);
    }
    h2->inside = false;
    client_h2_free_handed(h2);
    stamp_ends(h2);
}

void client_h2_write(struct client_h2 *h2)
{
    CHECK(!h2->inside);
    for (int i = 0; i < WRITES_A_TURN && !h2->out.broken; i++) {
        if (h2->silent_until == 0) {
            pump(h2);
        }
        if (h2->out.blocked || h2->silent_until != 0) {
            return;
        }
        outbox_flush(&h2->out, client_h2_buffers(h2), &h2->connection->transport);
        if (h2->out.blocked || !h2->paused) {
            return;
        }
    }
    client_h2_flush_later(h2);
}

static void want(struct client_h2 *h2)
{
    bool reads = !h2->read_closed && h2->out.queue.length < OUT_MOST_BYTES;

    transport_want(&h2->connection->transport,
                   (short)((reads ? WATCH_READABLE : 0) | (h2->out.blocked ? WATCH_WRITABLE : 0)));
}

/* Answers whose last bytes are out are over. */
static void report_ends(struct client_h2 *h2)
{
    struct link *link;

    while (client_h2_stands(h2) && (link = list_first(&h2->ending)) != NULL) {
        const struct client_h2_answer *answer = CONTAINER_OF(link, struct client_h2_answer, ending);

        if (answer->ends_at == 0 || answer->ends_at > h2->out.written) {
            return;
        }
        list_remove(link);
        client_h2_stream_written(answer->stream);
    }
}

/* In turn, each once: one that still has more goes behind the others. */
static void report_waiting(struct client_h2 *h2)
{
    struct link line;
    struct link *link;

    list_init(&line);
    if (list_is_empty(&h2->waiting)) {
        return;
    }
    list_take_all(&line, &h2->waiting);
    while ((link = list_first(&line)) != NULL) {
        struct client_h2_stream *stream =
            CONTAINER_OF(link, struct client_h2_answer, waiting)->stream;

        list_remove(link);
        if (!client_h2_stands(h2)) {
            continue;
        }
        if (client_h2_room(stream) > 0) {
            client_h2_stream_go_on(stream);
        }
    }
}

static void note_cut_of_streams(struct client_h2 *h2, enum cut_cause cause)
{
    LIST_EACH (struct client_h2_stream, stream, &h2->streams, link) {
        if (stream->exchange != NULL) {
            exchange_note_cut(stream->exchange, cause);
        }
    }
}

/* Once: returns what became of the exchanges under way. */
static enum outcome_end note_failure(struct client_h2 *h2)
{
    enum cut_cause why = h2->why;

    h2->why = CUT_NONE;
    if (why == CUT_NONE) {
        return OUTCOME_REQUEST_BROKE;
    }
    metrics_note_cut(client_h2_context(h2)->metrics, why);
    note_cut_of_streams(h2, why);
    return cut_cause_is_fault(why) ? OUTCOME_REQUEST_BROKE : OUTCOME_CUT_BY_TIMEOUT;
}

static void end_failed(struct client_h2 *h2)
{
    struct client_connection *connection = h2->connection;

    abandon_streams(h2, note_failure(h2));
    client_linger(connection);
}

/* true: it does not stand any more. */
static bool end_if_over(struct client_h2 *h2)
{
    if (h2->out.broken) {
        client_close(h2->connection, OUTCOME_CLIENT_GONE);
        return true;
    }
    if (h2->out.blocked || !outbox_is_empty(&h2->out)) {
        return false;
    }
    if (h2->step == CLIENT_H2_FAILED || h2_session_is_over(h2->session)) {
        end_failed(h2);
        return true;
    }
    if (h2->stream_count == 0 && h2->read_closed) {
        client_close(h2->connection, OUTCOME_ANSWERED);
        return true;
    }
    if (h2->stream_count == 0 && h2->step == CLIENT_H2_REFUSES) {
        client_linger(h2->connection);
        return true;
    }
    return false;
}

static void rest_if_idle(struct client_h2 *h2)
{
    struct client_connection *connection = h2->connection;

    if (h2->stream_count > 0 || h2->section != NULL || !outbox_is_empty(&h2->out) ||
        h2->step == CLIENT_H2_ANNOUNCED || connection->state != CLIENT_SERVES) {
        return;
    }
    h2->ticks = false;
    if (h2->served) {
        client_become_idle(connection);
    } else {
        client_stay_idle(connection);
    }
    h2->served = false;
}

/* What streams that ended have asked for is done, unless they left frames to write, or those that went
 * on ended a stream, or made room for one that still waits. */
static void forget_needless_flush(struct client_h2 *h2)
{
    if (h2->flush.call != NULL && list_is_empty(&h2->heads) && list_is_empty(&h2->ending) &&
        list_is_empty(&h2->waiting) && !h2_session_wants_pump(h2->session)) {
        later_cancel(&h2->flush);
    }
}

static void settle(struct client_h2 *h2)
{
    report_ends(h2);
    if (client_h2_stands(h2)) {
        report_waiting(h2);
    }
    if (!client_h2_stands(h2) || end_if_over(h2)) {
        return;
    }
    forget_needless_flush(h2);
    want(h2);
    rest_if_idle(h2);
    client_h2_arm(h2);
}

static void flush_now(void *owner)
{
    struct client_h2 *h2 = owner;

    if (h2->connection->state == CLIENT_IDLE) {
        client_set_state(h2->connection, CLIENT_SERVES); /* it is told something */
    }
    client_h2_write(h2);
    if (h2->silent_until == 0) {
        settle(h2);
    } else {
        /* Its streams must not keep places at origins meanwhile. */
        client_h2_streams_give_up(h2, note_failure(h2), NULL);
    }
}

void client_h2_flush_later(struct client_h2 *h2)
{
    loop_later(client_h2_context(h2)->worker_context->loop, &h2->flush, flush_now, h2);
}

/* --- reading ------------------------------------------------------------------------------- */

/* A request is worth a read, however short it is. */
static void note_drip(struct client_h2 *h2, size_t count, uint32_t served_before)
{
    bool brought_request = h2->connection->served != served_before;

    drip_note(&h2->drip, brought_request ? DRIP_BYTES : count, h2->out.written);
}

static void take_bytes(struct client_h2 *h2, struct bytes bytes)
{
    uint32_t served = h2->connection->served;
    bool fine;

    h2->received += bytes.length;
    h2->inside = true;
    fine = h2_session_receive(h2->session, bytes);
    if (!client_h2_stands(h2)) {
        return;
    }
    h2->inside = false;
    note_drip(h2, bytes.length, served);
    client_h2_feed_gathered(h2);
    if (!client_h2_stands(h2)) {
        return;
    }
    if (!client_h2_section_leaves_context(h2) || !fine) {
        client_h2_fail(h2, fine ? H2_INTERNAL_ERROR : H2_PROTOCOL_ERROR, CUT_NONE);
    }
}

static void on_end_of_stream(struct client_h2 *h2, bool clean)
{
    report_ends(h2); /* a client may leave as soon as it has the last byte */
    if (!client_h2_stands(h2)) {
        return;
    }
    if (clean && h2->stream_count > 0) {
        h2->read_closed = true; /* it may still listen for what it asked */
        client_h2_note_left(h2);
        client_h2_flush_later(h2);
    } else {
        client_close(h2->connection, OUTCOME_CLIENT_GONE);
    }
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct client_h2 *h2)
{
    struct buffer_pool *buffers = client_h2_buffers(h2);
    struct buffer *in = buffer_borrow(buffers, BUFFER_LARGE);
    size_t room = in != NULL ? buffer_room(in) : 0;
    ssize_t count;

    if (in == NULL) {
        client_close(h2->connection, OUTCOME_CLIENT_GONE);
        return false;
    }
    room = room < h2->read_most ? room : h2->read_most;
    count = transport_read(&h2->connection->transport, buffer_tail(in), room);
    if (count > 0) {
        in->end += (uint32_t)count;
        take_bytes(h2, buffer_content(in));
    } else if (count < 0 && errno == TRANSPORT_FLOODED) {
        client_cut(h2->connection, CUT_EMPTY_RECORDS);
    } else if (count == 0 || errno != EAGAIN) {
        on_end_of_stream(h2, count == 0);
    }
    buffer_return(buffers, &in);
    if (count <= 0 || !client_h2_stands(h2)) {
        return false;
    }
    client_h2_note_read(h2, (size_t)count);
    return (size_t)count == room && !h2->costly;
}

static void read_all(struct client_h2 *h2)
{
    for (int i = 0; i < READS_A_TURN && h2->step != CLIENT_H2_FAILED && receive_once(h2); i++) {
    }
}

void client_h2_take(struct client_connection *connection, struct bytes bytes)
{
    struct client_h2 *h2 = connection->h2;

    take_bytes(h2, bytes);
    if (client_h2_stands(h2)) {
        client_h2_note_read(h2, bytes.length);
        client_h2_flush_later(h2);
    }
}

static void ready(struct client_connection *connection, short what)
{
    struct client_h2 *h2 = connection->h2;

    if ((what & WATCH_WRITABLE) != 0) {
        outbox_ready(&h2->out, client_h2_buffers(h2), &connection->transport);
    }
    if ((what & WATCH_READABLE) != 0 && !h2->read_closed) {
        read_all(h2);
    }
    if (client_h2_stands(h2)) {
        client_h2_flush_later(h2);
    }
    if (client_h2_stands(h2) && (drip_is_on(&h2->drip) || h2->costly)) {
        watch_rest(&connection->transport.watch);
    }
}

/* --- as its connection sees it ------------------------------------------------------------- */

static bool note_cut(struct client_connection *connection, enum cut_cause cause)
{
    note_cut_of_streams(connection->h2, cause);
    return connection->h2->stream_count > 0 && connection->h2->out.blocked;
}

static size_t held(const struct client_connection *connection)
{
    const struct client_h2 *h2 = connection->h2;
    size_t held = sizeof(*h2) + h2_session_held(h2->session) + buffer_queue_held(&h2->out.queue);

    if (h2->section != NULL) {
        held += sizeof(*h2->section) + h2->section->capacity;
    }
    LIST_EACH (struct client_h2_stream, stream, &h2->streams, link) {
        held += client_h2_stream_held(stream);
    }
    return held;
}

static void cost(const struct client_connection *connection, uint64_t now_us,
                 struct client_cost *cost)
{
    const struct client_h2 *h2 = connection->h2;

    cost->moved = h2->received + h2->out.written;
    cost->ms = (now_us - h2->began_us) / 1000;
    cost->waits_for_client = h2->out.blocked || h2->reading > 0 || h2->queued > 0;
}

static const char *state(const struct client_connection *connection)
{
    const struct client_h2 *h2 = connection->h2;

    if (h2->out.blocked || h2->queued > 0) {
        return "takes-answer";
    }
    return h2->reading > 0 ? "reads-body" : "awaits-origin";
}

static const char *route(const struct client_connection *connection)
{
    const struct client_h2 *h2 = connection->h2;

    LIST_EACH (const struct client_h2_stream, stream, &h2->streams, link) {
        if (stream->exchange != NULL) {
            return exchange_route(stream->exchange);
        }
    }
    return NULL;
}

static uint32_t streams(const struct client_connection *connection)
{
    return connection->h2->stream_count;
}

static void drain(struct client_connection *connection)
{
    client_h2_leave(connection->h2);
}

static void rest(struct client_connection *connection)
{
    h2_session_rest(connection->h2->session);
}

const struct client_codec client_h2_codec = {
    .ready = ready,
    .late = client_h2_late,
    .end = end,
    .note_cut = note_cut,
    .held = held,
    .cost = cost,
    .state = state,
    .route = route,
    .streams = streams,
    .drain = drain,
    .rest = rest,
};
