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

static bool take_input(struct client_h1 *h1, uint64_t most)
{
    struct bytes content = buffer_content(h1->in);

    if (content.length > most) {
        content.length = (size_t)most;
    }
    h1->in->start += (uint32_t)content.length;
    h1->undelivered = content;
    return content.length > 0;
}

static bool step_length_known(struct client_h1 *h1)
{
    if (h1->body_left == 0) {
        body_is_whole(h1, NULL);
        return true;
    }
    if (!take_input(h1, h1->body_left)) {
        return false;
    }
    h1->body_left -= h1->undelivered.length;
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

static bool step_trailers(struct client_h1 *h1)
{
    const struct h1_limits limits = client_h1_limits(h1);
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    struct h1_problem problem;
    size_t consumed = 0;

    if (!h1_is_worth_parsing(buffer_content(h1->in), h1->checked, &limits)) {
        return false;
    }
    switch (h1_parse_trailers(buffer_content(h1->in), &limits, &trailers, &consumed, &problem)) {
    case H1_INCOMPLETE:
        h1->checked = (uint32_t)buffer_length(h1->in);
        return false;
    case H1_REJECTED:
        refuse_body(h1, &problem);
        return false;
    case H1_COMPLETE:
        break;
    }
    h1->checked = 0;
    h1->in->start += (uint32_t)consumed;
    body_is_whole(h1, trailers.count > 0 ? &trailers : NULL);
    return true;
}

static bool step_chunked(struct client_h1 *h1)
{
    struct bytes input = buffer_content(h1->in);
    struct bytes data = {0};
    struct h1_problem problem;
    enum h1_chunked_step step = h1_chunked_gather(&h1->chunked, &input, &data, &problem);

    h1->in->start = h1->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_CHUNKED_DATA:
        h1->undelivered = data;
        return true;
    case H1_CHUNKED_MORE:
        return false;
    case H1_CHUNKED_TRAILERS:
        return step_trailers(h1);
    case H1_CHUNKED_REJECTED:
        break;
    }
    refuse_body(h1, &problem);
    return false;
}

bool client_h1_step_body(struct client_h1 *h1)
{
    if (h1->undelivered.length > 0) {
        return hand_over(h1);
    }
    return h1->framing == HTTP_CHUNKED ? step_chunked(h1) : step_length_known(h1);
}

bool client_h1_step_tunnel(struct client_h1 *h1)
{
    return (h1->undelivered.length > 0 || take_input(h1, UINT64_MAX)) && hand_over(h1);
}
