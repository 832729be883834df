/* SPDX-License-Identifier: BSD-2-Clause */
/* How long clients of HTTP/2 may take: checked each TICK_MS, and only while the gateway waits for
 * something of a client. Idle times hold for each stream, minimum rates for its share of the
 * connection. */
#include "client/h2/client_h2_private.h"

#define TICK_MS 500
#define PONG_MS 2000 /* GOAWAY's second step does not wait for longer */

/* Streams of one connection share its bandwidth: each may be as slow as its share. */
static struct min_rate_rule rule_of(const struct client_h2_stream *stream, bool body)
{
    const struct client_h2 *h2 = stream->h2;
    struct min_rate_rule rule =
        min_rate_rule_of(stream->exchange, &h2->connection->listener->budgets.rates, body);

    if (stream->tunnels) {
        rule.idle_ms = exchange_timeouts(stream->exchange)->tunnel_idle;
        rule.rate = 0;
    }
    rule.rate /= h2->stream_count > 0 ? h2->stream_count : 1;
    return rule;
}

void client_h2_awaits_body(struct client_h2_stream *stream)
{
    min_rate_begin(&stream->body->min_rate, client_h2_now(stream->h2), stream->body->received);
    if (stream->paused) {
        min_rate_hold(&stream->body->min_rate, client_h2_now(stream->h2));
    }
    client_h2_arm(stream->h2);
}

/* --- a stream ------------------------------------------------------------------------------ */

/* Bytes of the answer wait, and the client's window of this stream is closed. */
static bool waits_for_window(const struct client_h2_stream *stream)
{
    return (stream->answer->out.length > 0 || !list_is_empty(&stream->answer->waiting)) &&
           !stream->h2->out.blocked && !stream->closed &&
           h2_session_window(stream->h2->session, stream->id) == 0;
}

static void follow_answer(struct client_h2_stream *stream)
{
    struct min_rate *min_rate = &stream->answer->min_rate;
    uint64_t now_us = client_h2_now(stream->h2);

    if (!waits_for_window(stream)) {
        if (min_rate_has_begun(min_rate)) {
            min_rate_hold(min_rate, now_us);
        }
    } else if (!min_rate_has_begun(min_rate)) {
        min_rate_begin(min_rate, now_us, stream->answer->sent);
    } else {
        min_rate_go_on(min_rate, now_us);
    }
}

static void check_at_answer(struct client_h2_stream *stream)
{
    struct min_rate_rule rule;

    if (stream->h2->read_closed &&
        waits_for_window(stream)) { /* which no frame can open any more */
        client_h2_stream_give_up(stream, OUTCOME_CLIENT_GONE);
        return;
    }
    follow_answer(stream);
    if (!min_rate_runs(&stream->answer->min_rate)) {
        return;
    }
    rule = rule_of(stream, false);
    switch (min_rate_check(&stream->answer->min_rate, &rule, client_h2_now(stream->h2),
                           stream->answer->sent)) {
    case MIN_RATE_FINE:
        break;
    case MIN_RATE_STOPPED:
        client_h2_stream_cut(stream, CUT_ANSWER_IDLE, H2_CANCEL);
        break;
    case MIN_RATE_TOO_SLOW:
        client_h2_stream_cut(stream, CUT_ANSWER_RATE, H2_CANCEL);
        break;
    }
}

static void cut_body(struct client_h2_stream *stream, const char *what, enum cut_cause cause)
{
    metrics_note_cut(client_h2_context(stream->h2)->metrics, cause);
    exchange_note_cut(stream->exchange, cause);
    min_rate_end(&stream->body->min_rate);
    exchange_body_failed(stream->exchange, 408, what);
}

/* Where both sides send at once (gRPC), a client may receive for long without sending: the bytes that
 * it takes of the answer count as progress of the body. */
static void check_at_body(struct client_h2_stream *stream)
{
    struct min_rate_rule rule = rule_of(stream, true);
    uint64_t now_us = client_h2_now(stream->h2);

    if (stream->answer != NULL && stream->body->sent != stream->answer->sent) {
        stream->body->sent = stream->answer->sent;
        min_rate_moved(&stream->body->min_rate, now_us);
    }
    switch (min_rate_check(&stream->body->min_rate, &rule, now_us, stream->body->received)) {
    case MIN_RATE_FINE:
        break;
    case MIN_RATE_STOPPED:
        cut_body(stream, "the request body did not come in time", CUT_BODY_IDLE);
        break;
    case MIN_RATE_TOO_SLOW:
        cut_body(stream, "the request body came too slowly", CUT_BODY_RATE);
        break;
    }
}

static void check_at_stream(struct client_h2_stream *stream)
{
    if (stream->exchange != NULL && stream->body != NULL &&
        min_rate_runs(&stream->body->min_rate)) {
        check_at_body(stream);
    }
    if (stream->exchange != NULL && stream->answer != NULL) {
        check_at_answer(stream);
    }
}

/* --- a client that has left ---------------------------------------------------------------- */

/* The rest of its request cannot come. */
static bool is_cut_short(const struct client_h2_stream *stream)
{
    return !stream->ended;
}

/* A client of gRPC cancels its call by leaving (doc/GRPC.md). One that only closed its sending side could
 * neither open windows nor acknowledge SETTINGS and PING, and no client of gRPC does. */
static bool is_cancelled(const struct client_h2_stream *stream)
{
    return !stream->answer_ended && exchange_is_grpc(stream->exchange);
}

/* TCP shows a client that left like one that closed its sending side only: safe requests are given
 * up. */
static bool seems_unwanted(const struct client_h2_stream *stream)
{
    return !stream->answer_ended && http_method_is_safe(exchange_request(stream->exchange)->method);
}

void client_h2_note_left(struct client_h2 *h2)
{
    client_h2_streams_give_up(h2, OUTCOME_CLIENT_GONE, is_cut_short);
    if (!h2->connection->listener->half_close) {
        client_h2_streams_give_up(h2, OUTCOME_CLIENT_GONE, is_cancelled);
        h2->left_us = client_h2_now(h2);
        h2->ticks = true;
        client_set_timer(h2->connection, CLIENT_LEFT_MS);
    }
}

/* --- the connection ------------------------------------------------------------------------ */

/* false: it was cut. */
static bool keeps_min_rate(struct client_h2 *h2)
{
    const struct client_budgets *budgets = &h2->connection->listener->budgets;
    const struct min_rate_rule rule = {
        .idle_ms = budgets->timeouts.response_idle,
        .rate = budgets->rates.response,
        .window_ms = budgets->rates.window,
    };
    uint64_t held = transport_unacknowledged(&h2->connection->transport);
    uint64_t taken = held < h2->out.written ? h2->out.written - held : 0;

    if (!h2->out.blocked) {
        min_rate_end(&h2->answer_min_rate);
        return true;
    }
    if (!min_rate_has_begun(&h2->answer_min_rate)) {
        min_rate_begin(&h2->answer_min_rate, client_h2_now(h2), taken);
        return true;
    }
    switch (min_rate_check(&h2->answer_min_rate, &rule, client_h2_now(h2), taken)) {
    case MIN_RATE_FINE:
        return true;
    case MIN_RATE_STOPPED:
        client_cut(h2->connection, CUT_ANSWER_IDLE);
        break;
    case MIN_RATE_TOO_SLOW:
        client_cut(h2->connection, CUT_ANSWER_RATE);
        break;
    }
    return false;
}

static bool section_is_late(const struct client_h2 *h2)
{
    return h2->section_us != 0 &&
           client_h2_now(h2) - h2->section_us >=
               h2->connection->listener->budgets.timeouts.head * UINT64_C(1000);
}

static bool pong_is_late(const struct client_h2 *h2)
{
    return h2->step == CLIENT_H2_ANNOUNCED &&
           client_h2_now(h2) - h2->announced_us >= PONG_MS * UINT64_C(1000);
}

/* A stream that is looked at may end, and others with it: the next one is found before, and the end
 * of the connection ends it all. */
static void check_at_streams(struct client_h2 *h2)
{
    struct link *link = h2->streams.next;

    while (client_h2_stands(h2) && link != &h2->streams) {
        struct link *next = link->next;

        check_at_stream(CONTAINER_OF(link, struct client_h2_stream, link));
        link = next;
    }
}

/* The timer may have been set to ring earlier, for something else. */
void client_h2_wait_in_silence(struct client_h2 *h2)
{
    uint64_t now_us = client_h2_now(h2);

    if (now_us >= h2->silent_until) {
        client_h2_break_silence(h2);
        client_h2_flush_later(h2);
    } else {
        h2->ticks = true;
        client_set_timer(h2->connection, (uint32_t)((h2->silent_until - now_us + 999) / 1000));
    }
}

void client_h2_late(struct client_connection *connection)
{
    struct client_h2 *h2 = connection->h2;

    h2->ticks = false;
    if (h2->silent_until != 0) {
        client_h2_wait_in_silence(h2);
        return;
    }
    if (h2->left_us != 0 && client_h2_now(h2) - h2->left_us >= CLIENT_LEFT_MS * UINT64_C(1000)) {
        h2->left_us = 0;
        client_h2_streams_give_up(h2, OUTCOME_CLIENT_GONE, seems_unwanted);
    }
    if (section_is_late(h2)) {
        client_h2_fail(h2, H2_ENHANCE_YOUR_CALM, CUT_HEAD);
    }
    if (pong_is_late(h2)) {
        client_h2_refuse_new(h2);
    }
    if (!keeps_min_rate(h2)) {
        return;
    }
    if (h2->received == h2->looked_at) { /* nothing has come since the last look */
        client_h2_open_window(h2);
    }
    h2->looked_at = h2->received;
    check_at_streams(h2);
    if (client_h2_stands(h2)) {
        client_h2_flush_later(h2);
        client_h2_arm(h2);
    }
}

void client_h2_arm(struct client_h2 *h2)
{
    bool waits = h2->reading > 0 || h2->queued > 0 || h2->out.blocked || h2->section != NULL ||
                 h2->step == CLIENT_H2_ANNOUNCED || !list_is_empty(&h2->waiting);

    if (waits && !h2->ticks && h2->connection->state == CLIENT_SERVES) {
        h2->ticks = true;
        client_set_timer(h2->connection, TICK_MS);
    }
}
