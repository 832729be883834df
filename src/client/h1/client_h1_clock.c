/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom a stream waits and how long: its connection's timer is set here while it serves. What it
 * means when it runs out is decided in client_h1_late.c. Called when the gateway begins to wait for
 * another side; while bytes flow nothing is reckoned. */
#include "client/client_private.h"

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

struct pace_rule client_h1_pace_rule(const struct client_h1 *h1, bool body)
{
    const struct rates_settings *own = exchange_rates(h1->exchange);
    const struct rates_settings *rates = &budgets_of(h1)->rates;
    const struct timeouts_settings *timeouts = exchange_timeouts(h1->exchange);
    struct pace_rule rule = {
        .idle_ms = body ? timeouts->body_idle : timeouts->answer_idle,
        .rate = body ? rates->body : rates->answer,
        .window_ms = rates->window,
    };

    if (own != NULL) {
        rule.rate = said(body ? own->body : own->answer, rule.rate);
        rule.window_ms = said(own->window, rule.window_ms);
    }
    return rule;
}

/* --- the timer ----------------------------------------------------------------------------- */

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool client_h1_is_paused(const struct client_h1 *h1)
{
    return h1->body_paused && h1->undelivered.length > 0;
}

/* For the clock that runs out first; and for a client that may leave unseen. */
void client_h1_arm(struct client_h1 *h1)
{
    uint64_t now_us = now_of(h1);
    uint32_t wait_ms = client_h1_is_paused(h1) ? GONE_LOOK_MS : UINT32_MAX;

    if (h1->left_us != 0) {
        uint64_t spent_ms = (now_us - h1->left_us) / 1000;

        wait_ms = spent_ms < CLIENT_LEFT_MS ? CLIENT_LEFT_MS - (uint32_t)spent_ms : 0;
    }
    if (h1->state == CLIENT_H1_TUNNELS && h1->out.blocked) {
        return; /* tunnel_idle runs; and the loop watches */
    }
    if (pace_runs(&h1->body_pace)) {
        const struct pace_rule rule = client_h1_pace_rule(h1, true);

        wait_ms = sooner(wait_ms, pace_next_look(&h1->body_pace, &rule, now_us));
    }
    if (pace_runs(&h1->answer_pace)) {
        const struct pace_rule rule = client_h1_pace_rule(h1, false);

        wait_ms = sooner(wait_ms, pace_next_look(&h1->answer_pace, &rule, now_us));
    }
    if (wait_ms != UINT32_MAX) {
        client_set_timer(h1->connection, wait_ms);
    } else {
        client_rest_timer(h1->connection);
    }
}

void client_h1_client_left(struct client_h1 *h1)
{
    h1->left_us = now_of(h1);
    client_h1_arm(h1);
}

/* --- the request --------------------------------------------------------------------------- */

void client_h1_awaits_head(struct client_h1 *h1)
{
    if (h1->head_began_us == 0) {
        h1->head_began_us = now_of(h1);
        client_set_timer(h1->connection, budgets_of(h1)->timeouts.head);
    }
}

void client_h1_awaits_body(struct client_h1 *h1)
{
    pace_begin(&h1->body_pace, now_of(h1), h1->received);
    client_h1_arm(h1);
}

/* The exchange does not take more of the body, so we do not read on. */
void client_h1_holds_body(struct client_h1 *h1)
{
    pace_hold(&h1->body_pace, now_of(h1));
    client_h1_arm(h1);
}

void client_h1_takes_body(struct client_h1 *h1)
{
    pace_go_on(&h1->body_pace, now_of(h1));
    client_h1_arm(h1);
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

uint64_t client_h1_taken(const struct client_h1 *h1)
{
    uint64_t held = transport_unacknowledged(&h1->connection->transport);

    return held < h1->out.written ? h1->out.written - held : 0;
}

void client_h1_awaits_client(struct client_h1 *h1, bool wrote)
{
    struct pace *pace = &h1->answer_pace;

    if (h1->state == CLIENT_H1_TUNNELS) {
        client_set_timer(h1->connection, exchange_timeouts(h1->exchange)->tunnel_idle);
        return;
    }
    if (!pace_has_begun(pace)) {
        pace_begin(pace, now_of(h1), client_h1_taken(h1));
    }
    pace_go_on(pace, now_of(h1));
    if (wrote) {
        pace_moved(pace, now_of(h1));
    }
    client_h1_arm(h1);
}

/* All that there was is out: more must come from the origin. */
void client_h1_client_took(struct client_h1 *h1)
{
    pace_hold(&h1->answer_pace, now_of(h1));
    client_h1_arm(h1);
}
