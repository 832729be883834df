/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom a stream waits and how long: its connection's timer is set here while it serves, when the
 * gateway begins to wait for another side; while bytes flow nothing is reckoned. When it runs out
 * (client_h1_late), the client that was waited for is cut, or has more time. A timer that rings early
 * is harmless: each clock that runs is looked at. */
#include "client/client_private.h"

#define GONE_CHECK_MS 1000 /* how often a client that is not read from is looked at */

static const struct client_budgets *budgets_of(const struct client_h1 *h1)
{
    return &h1->connection->listener->budgets;
}

static struct min_rate_rule rule_of(const struct client_h1 *h1, bool body)
{
    return min_rate_rule_of(h1->exchange, &budgets_of(h1)->rates, body);
}

/* --- the timer ----------------------------------------------------------------------------- */

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool client_h1_is_paused(const struct client_h1 *h1)
{
    return h1->body_paused && h1->undelivered.length > 0;
}

/* For the clock that runs out first; and for a client that may leave unseen. */
static void client_h1_arm(struct client_h1 *h1)
{
    uint64_t now_us = client_h1_now(h1);
    uint32_t wait_ms = client_h1_is_paused(h1) ? GONE_CHECK_MS : UINT32_MAX;

    if (h1->left_us != 0) {
        uint64_t spent_ms = (now_us - h1->left_us) / 1000;

        wait_ms = spent_ms < CLIENT_LEFT_MS ? CLIENT_LEFT_MS - (uint32_t)spent_ms : 0;
    }
    if (h1->state == CLIENT_H1_TUNNELS && h1->out.blocked) {
        return; /* tunnel_idle runs; and the loop watches */
    }
    if (min_rate_runs(&h1->body_min_rate)) {
        const struct min_rate_rule rule = rule_of(h1, true);

        wait_ms = sooner(wait_ms, min_rate_next_check_ms(&h1->body_min_rate, &rule, now_us));
    }
    if (min_rate_runs(&h1->answer_min_rate)) {
        const struct min_rate_rule rule = rule_of(h1, false);

        wait_ms = sooner(wait_ms, min_rate_next_check_ms(&h1->answer_min_rate, &rule, now_us));
    }
    if (wait_ms != UINT32_MAX) {
        client_set_timer(h1->connection, wait_ms);
    } else {
        client_rest_timer(h1->connection);
    }
}

void client_h1_client_left(struct client_h1 *h1)
{
    h1->left_us = client_h1_now(h1);
    client_h1_arm(h1);
}

/* --- the request --------------------------------------------------------------------------- */

void client_h1_awaits_head(struct client_h1 *h1)
{
    if (h1->head_began_us == 0) {
        h1->head_began_us = client_h1_now(h1);
        client_set_timer(h1->connection, budgets_of(h1)->timeouts.head);
    }
}

void client_h1_awaits_body(struct client_h1 *h1)
{
    min_rate_begin(&h1->body_min_rate, client_h1_now(h1), h1->received);
    client_h1_arm(h1);
}

/* The exchange does not take more of the body, so we do not read on. */
void client_h1_holds_body(struct client_h1 *h1)
{
    min_rate_hold(&h1->body_min_rate, client_h1_now(h1));
    client_h1_arm(h1);
}

void client_h1_takes_body(struct client_h1 *h1)
{
    min_rate_go_on(&h1->body_min_rate, client_h1_now(h1));
    client_h1_arm(h1);
}

/* --- the answer ------------------------------------------------------------------------------ */

uint64_t client_h1_taken(const struct client_h1 *h1)
{
    uint64_t held = transport_unacknowledged(&h1->connection->transport);

    return held < h1->out.written ? h1->out.written - held : 0;
}

void client_h1_awaits_client(struct client_h1 *h1, bool wrote)
{
    struct min_rate *min_rate = &h1->answer_min_rate;

    if (h1->state == CLIENT_H1_TUNNELS) {
        client_set_timer(h1->connection, exchange_timeouts(h1->exchange)->tunnel_idle);
        return;
    }
    if (!min_rate_has_begun(min_rate)) {
        min_rate_begin(min_rate, client_h1_now(h1), client_h1_taken(h1));
    }
    min_rate_go_on(min_rate, client_h1_now(h1));
    if (wrote) {
        min_rate_moved(min_rate, client_h1_now(h1));
    }
    client_h1_arm(h1);
}

/* All that there was is out: more must come from the origin. */
void client_h1_client_took(struct client_h1 *h1)
{
    min_rate_hold(&h1->answer_min_rate, client_h1_now(h1));
    client_h1_arm(h1);
}

/* --- leaving unseen --------------------------------------------------------------------------- */

/* Nothing is lost on a client that has sent all and half-closed; one that ends in the middle of its
 * body is gone, as it would be if all it sent were read. */
static bool may_be_whole(const struct client_h1 *h1)
{
    const struct transport *transport = &h1->connection->transport;
    uint64_t wanted = h1->body.framing == HTTP_CHUNKED ? h1->body.chunked.left + 1 : h1->body.left;

    return h1->state != CLIENT_H1_READS_BODY || !transport->ops->plain ||
           buffer_length(h1->in) + transport_unread(transport) >= wanted;
}

static bool has_left(const struct client_h1 *h1)
{
    if (!client_h1_is_paused(h1)) {
        return false;
    }
    switch (transport_peek(&h1->connection->transport)) {
    case SOCKET_OPEN:
        break;
    case SOCKET_ENDED:
        return !may_be_whole(h1);
    case SOCKET_GONE:
        return true;
    }
    return false;
}

static bool is_given_up(const struct client_h1 *h1)
{
    return h1->left_us != 0 && client_h1_now(h1) - h1->left_us >= CLIENT_LEFT_MS * UINT64_C(1000);
}

/* --- too late -------------------------------------------------------------------------------- */

static void late_head(struct client_h1 *h1)
{
    uint64_t waited_ms = (client_h1_now(h1) - h1->head_began_us) / 1000;
    uint32_t time_ms = h1->connection->listener->budgets.timeouts.head;

    if (waited_ms < time_ms) {
        client_set_timer(h1->connection, (uint32_t)(time_ms - waited_ms));
        return;
    }
    client_h1_refuse_head(h1, 408, "the request head did not come in time", CUT_HEAD);
}

/* In a conversation the client may listen for long: what it takes of the answer shows that it is
 * there. */
static void count_answer_for_body(struct client_h1 *h1)
{
    if (h1->out.written > h1->written_then) {
        h1->written_then = h1->out.written;
        min_rate_moved(&h1->body_min_rate, client_h1_now(h1));
    }
}

/* false: it was cut. */
static bool body_keeps_min_rate(struct client_h1 *h1)
{
    const struct min_rate_rule rule = rule_of(h1, true);

    count_answer_for_body(h1);
    switch (min_rate_check(&h1->body_min_rate, &rule, client_h1_now(h1), h1->received)) {
    case MIN_RATE_FINE:
        return true;
    case MIN_RATE_STOPPED:
        client_h1_cut_body(h1, "the request body did not come in time", CUT_BODY_IDLE);
        break;
    case MIN_RATE_TOO_SLOW:
        client_h1_cut_body(h1, "the request body came too slowly", CUT_BODY_RATE);
        break;
    }
    return false;
}

static bool answer_keeps_min_rate(struct client_h1 *h1)
{
    const struct min_rate_rule rule = rule_of(h1, false);

    switch (min_rate_check(&h1->answer_min_rate, &rule, client_h1_now(h1), client_h1_taken(h1))) {
    case MIN_RATE_FINE:
        return true;
    case MIN_RATE_STOPPED:
        client_cut(h1->connection, CUT_ANSWER_IDLE);
        break;
    case MIN_RATE_TOO_SLOW:
        client_cut(h1->connection, CUT_ANSWER_RATE);
        break;
    }
    return false;
}

static void late_client(struct client_h1 *h1)
{
    if (has_left(h1) || is_given_up(h1)) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return;
    }
    if (min_rate_runs(&h1->answer_min_rate) && !answer_keeps_min_rate(h1)) {
        return;
    }
    if (min_rate_runs(&h1->body_min_rate) && !body_keeps_min_rate(h1)) {
        return;
    }
    if (min_rate_runs(&h1->answer_min_rate) || min_rate_runs(&h1->body_min_rate) ||
        client_h1_is_paused(h1)) {
        client_h1_arm(h1);
    } else if (h1->connection->unwatched) {
        h1->connection->unwatched = false;
        client_h1_want(h1);
    } /* else the origin's clock runs */
}

static void late_tunnel(struct client_h1 *h1)
{
    if (h1->out.blocked) {
        client_cut(h1->connection, CUT_TUNNEL_IDLE);
    } else if (has_left(h1)) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
    } else {
        client_h1_arm(h1);
    }
}

void client_h1_late(struct client_connection *connection)
{
    struct client_h1 *h1 = connection->h1;

    switch (h1->state) {
    case CLIENT_H1_READS_HEAD:
        late_head(h1);
        break;
    case CLIENT_H1_READS_BODY:
    case CLIENT_H1_AWAITS_END:
        late_client(h1);
        break;
    case CLIENT_H1_TUNNELS:
        late_tunnel(h1);
        break;
    }
}
