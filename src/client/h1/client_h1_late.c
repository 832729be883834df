/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer of a stream has run out: the client that was waited for is cut, or has more time. A timer
 * that rings early is harmless: each clock that runs (client_h1_clock.c) is looked at. Called by
 * client_connection_events.c. */
#include "client/client_private.h"

static uint64_t now_of(const struct client_h1 *h1)
{
    return loop_now(client_desk_of(h1->connection)->bench->loop);
}

/* --- leaving unseen --------------------------------------------------------------------------- */

/* Nothing is lost on a client that has sent all and half-closed; one that ends in the middle of its
 * body is gone, as it would be if all it sent were read. */
static bool may_be_whole(const struct client_h1 *h1)
{
    const struct transport *transport = &h1->connection->transport;
    uint64_t wanted = h1->framing == HTTP_CHUNKED ? h1->chunked.left + 1 : h1->body_left;

    return h1->state != CLIENT_H1_READS_BODY || !transport->ops->plain ||
           buffer_length(h1->in) + transport_unread(transport) >= wanted;
}

static bool has_left(const struct client_h1 *h1)
{
    if (!client_h1_is_paused(h1)) {
        return false;
    }
    switch (transport_look(&h1->connection->transport)) {
    case TRANSPORT_THERE:
        break;
    case TRANSPORT_FINISHED:
        return !may_be_whole(h1);
    case TRANSPORT_GONE:
        return true;
    }
    return false;
}

static bool is_given_up(const struct client_h1 *h1)
{
    return h1->left_us != 0 && now_of(h1) - h1->left_us >= CLIENT_LEFT_MS * UINT64_C(1000);
}

/* --- too late -------------------------------------------------------------------------------- */

static void late_head(struct client_h1 *h1)
{
    uint64_t waited_ms = (now_of(h1) - h1->head_began_us) / 1000;
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
        pace_moved(&h1->body_pace, now_of(h1));
    }
}

/* false: it was cut. */
static bool body_keeps_pace(struct client_h1 *h1)
{
    const struct pace_rule rule = client_h1_pace_rule(h1, true);

    count_answer_for_body(h1);
    switch (pace_look(&h1->body_pace, &rule, now_of(h1), h1->received)) {
    case PACE_FINE:
        return true;
    case PACE_STOPPED:
        client_h1_cut_body(h1, "the request body did not come in time", CUT_BODY_IDLE);
        break;
    case PACE_TOO_SLOW:
        client_h1_cut_body(h1, "the request body came too slowly", CUT_BODY_RATE);
        break;
    }
    return false;
}

static bool answer_keeps_pace(struct client_h1 *h1)
{
    const struct pace_rule rule = client_h1_pace_rule(h1, false);

    switch (pace_look(&h1->answer_pace, &rule, now_of(h1), client_h1_taken(h1))) {
    case PACE_FINE:
        return true;
    case PACE_STOPPED:
        client_cut(h1->connection, CUT_ANSWER_IDLE);
        break;
    case PACE_TOO_SLOW:
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
    if (pace_runs(&h1->answer_pace) && !answer_keeps_pace(h1)) {
        return;
    }
    if (pace_runs(&h1->body_pace) && !body_keeps_pace(h1)) {
        return;
    }
    if (pace_runs(&h1->answer_pace) || pace_runs(&h1->body_pace) || client_h1_is_paused(h1)) {
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

void client_h1_late(struct client_h1 *h1)
{
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
