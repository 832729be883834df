/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the first bytes of a request body before the route's action begins, so that a small body of
 * a slow sender holds no connection to an origin. At most limits.request_buffer are read so.
 *
 * A body in chunks may be one half of a conversation: its sender may wait for an answer to what it
 * has sent, or to the head alone. Such a body is gathered for timeouts.request_buffer at most. A body of
 * known length is sent whole by its client, whatever the answer: it is gathered without a time
 * limit of its own.
 *
 * gRPC marks the end of each message itself, and its streams begin with words to and fro. A call with
 * one message comes in one piece; what has not come by then is a stream, for which each wait would be
 * one more at the start of each conversation.
 *
 * Called by queue.c and exchange.c while the exchange is QUEUED. */
#include "exchange/exchange_private.h"
#include "exchange/queue.h"

#define GRPC_MOST_MS 5

static size_t most_bytes(const struct exchange *exchange)
{
    return generation_settings(exchange->generation)->limits.request_buffer;
}

/* A client that waits for 100 (Continue) sends no body yet: the origin decides whether it wants
 * one. */
static bool should_gather(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    return !exchange->request_body.whole && !request->wants_upgrade && !request->expects_continue &&
           most_bytes(exchange) > 0;
}

/* 0: no limit. */
static uint32_t most_ms_of(const struct exchange *exchange)
{
    uint32_t most_ms = exchange->routing.route->timeouts.request_buffer;

    if (exchange->outcome.is_grpc && (most_ms == 0 || most_ms > GRPC_MOST_MS)) {
        return GRPC_MOST_MS;
    }
    return most_ms;
}

void gather_begin(struct exchange *exchange)
{
    uint32_t most_ms = most_ms_of(exchange);

    if (!should_gather(exchange)) {
        return;
    }
    queue_hold(exchange, QUEUE_BODY);
    /* What the control interface is asked must be whole. */
    if (exchange->request.framing == HTTP_CHUNKED && most_ms != 0 &&
        exchange->routing.route->action != ROUTE_ASK) {
        timer_set(exchange->context->gathering, &exchange->request_body.gather, most_ms);
    }
}

bool gather_has_room(const struct exchange *exchange, size_t length)
{
    return exchange->request_body.body.length + length <= most_bytes(exchange);
}

/* What something else holds is read up to the bound. */
size_t gather_body(struct exchange *exchange, struct bytes bytes)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = most_bytes(exchange);

    if ((exchange->holds & QUEUE_BODY) == 0) {
        bytes = bytes_first(bytes, most > queue->length ? most - queue->length : 0);
    }
    if (!buffer_queue_add(exchange->context->worker_context->buffers, queue, bytes)) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "out of memory");
    }
    return bytes.length;
}

void gather_is_over(struct timer *timer)
{
    queue_release(CONTAINER_OF(timer, struct exchange, request_body.gather), QUEUE_BODY);
}
