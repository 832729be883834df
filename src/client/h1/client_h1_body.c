/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 with a client: the body of a request or the bytes of a tunnel, handed to the exchange without
 * their coding, a step at a time. Called by client_h1.c. */
#include "client/client_private.h"

static void body_is_whole(struct client_h1 *h1, const struct http_headers *trailers)
{
    min_rate_end(&h1->body_min_rate);
    client_h1_await_end(h1);
    exchange_body_end(h1->exchange, trailers);
}

/* false: the exchange took less than there is, or is over. */
static bool hand_over(struct client_h1 *h1)
{
    struct exchange *exchange = h1->exchange;
    size_t taken = exchange_body(exchange, h1->undelivered);

    if (h1->exchange != exchange) {
        return h1->connection->h1 == h1;
    }
    h1->undelivered = bytes_skip(h1->undelivered, taken);
    if (h1->undelivered.length > 0) {
        h1->body_paused = true;
        client_h1_holds_body(h1); /* now we are the slow ones */
        client_h1_want(h1);
        return false;
    }
    return true;
}

/* Where the body ends is not known any more: nothing further is read of it. */
static void refuse_body(struct client_h1 *h1, const struct h1_problem *problem)
{
    h1->closes = true;
    h1->body_paused = true;
    client_h1_want(h1);
    exchange_body_failed(h1->exchange, problem->status, problem->what);
}

bool client_h1_step_body(struct client_h1 *h1)
{
    const struct h1_limits limits = client_h1_limits(h1);
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    struct bytes input = buffer_content(h1->in);
    struct h1_problem problem;
    enum h1_body_step step;

    if (h1->undelivered.length > 0) {
        return hand_over(h1);
    }
    step = h1_body_next(&h1->body, &input, &limits, &h1->undelivered, &trailers, &problem);
    h1->in->start = h1->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_BODY_DATA:
        return true;
    case H1_BODY_MORE:
        return false;
    case H1_BODY_END:
        body_is_whole(h1, trailers.count > 0 ? &trailers : NULL);
        return true;
    case H1_BODY_REJECTED:
        break;
    }
    refuse_body(h1, &problem);
    return false;
}
