/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a stream waits for, and for how long: the one place that sets its connection's timer while
 * it serves, and that acts when it runs out. Called by client_h1.c and client_h1_answer.c when the
 * word passes from one side to the other; while bytes flow nothing is reckoned here. A timer that
 * rings early is harmless: client_h1_late looks at what is running. */
#include "client/client_private.h"

/* Almost always a client that gave up and only rarely one that half-closed: what may be repeated
 * is not kept going much longer for one that takes nothing meanwhile. */
#define HALF_CLOSED_MS 5000
#define GONE_LOOK_MS 1000 /* how often a client that is not read from is looked at */
#define UNWATCHED_MS 50   /* an answer that takes longer: see whether its client still waits */

static uint64_t now_of(const struct client_h1 *h1)
{
    return loop_now(client_desk_of(h1->connection)->bench->loop);
}

static const struct client_budgets *budgets_of(const struct client_h1 *h1)
{
    return &h1->connection->listener->budgets;
}

/* --- rules ------------------------------------------------------------------------------- */

static uint32_t said(uint32_t of_route, uint32_t of_listener)
{
    return of_route != RATE_UNSAID ? of_route : of_listener;
}

static struct pace_rule rule_for(const struct client_h1 *h1, bool body)
{
    const struct rates_settings *own = exchange_rates(h1->exchange);
    const struct rates_settings *rates = &budgets_of(h1)->rates;
    const struct timeouts_settings *timeouts = exchange_timeouts(h1->exchange);
    struct pace_rule rule = {
        .rate = body ? rates->body : rates->answer,
        .grace_ms = rates->grace,
        .idle_ms = body ? timeouts->body_idle : timeouts->answer_idle,
    };

    if (own != NULL) {
        rule.rate = said(body ? own->body : own->answer, rule.rate);
        rule.grace_ms = said(own->grace, rule.grace_ms);
    }
    return rule;
}

/* --- the timer ----------------------------------------------------------------------------- */

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The exchange takes no more of what the client sends: it is not read from, nor watched by the
 * loop, which costs nothing as long as this is short. */
static bool is_paused(const struct client_h1 *h1)
{
    return h1->body_paused && h1->undelivered.length > 0;
}

/* Out of the two, whichever is waited for; and for whoever may leave unseen. */
static void arm(struct client_h1 *h1)
{
    uint64_t now_us = now_of(h1);
    uint32_t wait_ms = is_paused(h1) ? GONE_LOOK_MS : UINT32_MAX;

    if (h1->state == CLIENT_H1_TUNNELS && h1->out.blocked) {
        return; /* tunnel_idle runs; and the loop watches */
    }
    if (pace_runs(&h1->body_pace)) {
        const struct pace_rule rule = rule_for(h1, true);

        wait_ms = sooner(wait_ms, pace_next_look(&h1->body_pace, &rule, now_us));
    }
    if (pace_runs(&h1->answer_pace)) {
        const struct pace_rule rule = rule_for(h1, false);

        wait_ms = sooner(wait_ms, pace_next_look(&h1->answer_pace, &rule, now_us));
    }
    if (wait_ms != UINT32_MAX) {
        client_set_timer(h1->connection, wait_ms);
    } else {
        client_rest_timer(h1->connection);
    }
}

/* --- the request --------------------------------------------------------------------------- */

static uint32_t head_time(const struct client_h1 *h1)
{
    const struct client_budgets *budgets = budgets_of(h1);
    uint64_t time_ms = budgets->timeouts.head;

    if (budgets->rates.head != 0 && h1->in != NULL) {
        time_ms += buffer_length(h1->in) * 1000 / budgets->rates.head;
    }
    if (time_ms > budgets->timeouts.head_longest) {
        time_ms = budgets->timeouts.head_longest;
    }
    return time_ms > budgets->timeouts.head ? (uint32_t)time_ms : budgets->timeouts.head;
}

/* What the head earned is reckoned when the base has gone by. */
void client_h1_awaits_head(struct client_h1 *h1)
{
    if (h1->head_began_us == 0) {
        h1->head_began_us = now_of(h1);
        client_set_timer(h1->connection, budgets_of(h1)->timeouts.head);
    }
}

void client_h1_awaits_body(struct client_h1 *h1)
{
    struct pace_rule rule = rule_for(h1, true);

    if (exchange_request(h1->exchange)->expects_continue) {
        rule.grace_ms *= 2; /* the origin is asked first */
    }
    pace_begin(&h1->body_pace, &rule, now_of(h1), h1->received);
    arm(h1);
}

/* The exchange does not take more of the body, so we do not read on. */
void client_h1_holds_body(struct client_h1 *h1)
{
    pace_hold(&h1->body_pace, now_of(h1));
    arm(h1);
}

void client_h1_takes_body(struct client_h1 *h1)
{
    pace_go_on(&h1->body_pace, now_of(h1));
    arm(h1);
}

/* The request is whole: the clock that counts now is the origin's. */
void client_h1_awaits_origin(struct client_h1 *h1)
{
    pace_end(&h1->body_pace);
    if (h1->connection->unwatched) {
        client_set_timer(h1->connection, UNWATCHED_MS);
    } else if (!h1->out.blocked) {
        client_rest_timer(h1->connection);
    }
}

/* --- the answer ------------------------------------------------------------------------------ */

/* What the client has acknowledged: what the kernel holds may never arrive. */
static uint64_t taken_by(const struct client_h1 *h1)
{
    uint64_t held = transport_unacknowledged(&h1->connection->transport);

    return held < h1->out.written ? h1->out.written - held : 0;
}

/* The client has said all and still listens, or so it seems. */
void client_h1_was_half_closed(struct client_h1 *h1)
{
    h1->taken_then = taken_by(h1);
    if (!h1->out.blocked) {
        client_set_timer(h1->connection, HALF_CLOSED_MS);
    }
}

/* Whoever has closed both sides answers what still comes with a reset. */
static void look_at_half_closed(struct client_h1 *h1)
{
    uint64_t taken = taken_by(h1);

    if (taken > h1->taken_then) {
        h1->taken_then = taken;
        client_set_timer(h1->connection, HALF_CLOSED_MS);
    } else {
        client_cut(h1->connection, CUT_HALF_CLOSED);
    }
}

void client_h1_awaits_client(struct client_h1 *h1, bool wrote)
{
    struct pace *pace = &h1->answer_pace;

    if (h1->state == CLIENT_H1_TUNNELS) {
        client_set_timer(h1->connection, exchange_timeouts(h1->exchange)->tunnel_idle);
        return;
    }
    if (pace->settled_us == 0) {
        const struct pace_rule rule = rule_for(h1, false);

        pace_begin(pace, &rule, now_of(h1), taken_by(h1));
    }
    pace_go_on(pace, now_of(h1));
    if (wrote) {
        pace_moved(pace, now_of(h1));
    }
    arm(h1);
}

/* All that there was is out: more must come from the origin. */
void client_h1_client_took(struct client_h1 *h1)
{
    pace_hold(&h1->answer_pace, now_of(h1));
    arm(h1);
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
    if (!is_paused(h1)) {
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

/* --- too late -------------------------------------------------------------------------------- */

static void late_head(struct client_h1 *h1)
{
    uint64_t waited_ms = (now_of(h1) - h1->head_began_us) / 1000;
    uint32_t time_ms = head_time(h1);

    if (waited_ms < time_ms) {
        client_set_timer(h1->connection, (uint32_t)(time_ms - waited_ms));
        return;
    }
    if (client_crowd_puts_off(h1->connection, budgets_of(h1)->timeouts.head / 2)) {
        return;
    }
    client_h1_refuse_head(h1, 408, "the request head did not come in time", CUT_HEAD);
}

/* false: it was cut, or will be. */
static bool body_keeps_pace(struct client_h1 *h1)
{
    const struct pace_rule rule = rule_for(h1, true);
    enum pace_verdict verdict = pace_look(&h1->body_pace, &rule, now_of(h1), h1->received);

    if (verdict != PACE_FINE && client_crowd_puts_off(h1->connection, rule.grace_ms / 2)) {
        return false;
    }
    switch (verdict) {
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
    const struct pace_rule rule = rule_for(h1, false);

    switch (pace_look(&h1->answer_pace, &rule, now_of(h1), taken_by(h1))) {
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
    if (has_left(h1)) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return;
    }
    if (pace_runs(&h1->answer_pace) && !answer_keeps_pace(h1)) {
        return;
    }
    if (pace_runs(&h1->body_pace) && !body_keeps_pace(h1)) {
        return;
    }
    if (pace_runs(&h1->answer_pace) || pace_runs(&h1->body_pace) || is_paused(h1)) {
        arm(h1);
    } else if (h1->connection->unwatched) {
        h1->connection->unwatched = false;
        client_h1_want(h1);
    } else if (h1->read_closed && http_method_is_safe(exchange_request(h1->exchange)->method)) {
        look_at_half_closed(h1);
    } /* else the origin's clock runs */
}

static void late_tunnel(struct client_h1 *h1)
{
    if (h1->out.blocked) {
        client_cut(h1->connection, CUT_TUNNEL_IDLE);
    } else if (has_left(h1)) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
    } else {
        arm(h1);
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
