/* SPDX-License-Identifier: BSD-2-Clause */
/* The arm of a split for one exchange, once all that knows of it was asked: the request, the pins,
 * whose turn it is. And at the exchange's end, what its ramp is told. */
#include "exchange/exchange_private.h"
#include "split/arm_choice.h"
#include "split/pin_table.h"

/* Also where a user or an override leads elsewhere now: to be done twice would be worse. */
static void hold_key(struct exchange *exchange, const struct split_seeds *seeds,
                     struct arm_choice *choice)
{
    struct pin_table *pins = generation_pins(exchange->generation);
    uint32_t arm;

    if (pins == NULL) {
        return;
    }
    arm = pin_table_hold(pins, seeds, choice->key, ip_customer(&exchange->client.ip), choice->arm,
                         exchange->outcome.start_realtime_us / 1000000,
                         exchange->routing.route->split.pin_lifetime / 1000);
    if (arm != choice->arm) {
        choice->arm = arm;
        choice->reason = ARM_BY_PIN;
    }
}

/* What was sent by hand, or again, says nothing about how an arm serves its users. */
static bool is_fair_sample(const struct arm_choice *choice)
{
    return choice->reason != ARM_BY_OVERRIDE && choice->reason != ARM_BY_PIN;
}

static void note(struct exchange *exchange, struct split_turn *turn,
                 const struct arm_choice *choice)
{
    exchange->arm_by = choice->reason;
    exchange->outcome.has_bucket = choice->has_bucket;
    exchange->outcome.bucket = (uint16_t)choice->bucket;
    if (split_turn_counts(turn) && is_fair_sample(choice)) {
        exchange->routing.tally =
            split_turn_tally(turn, exchange->context->worker_context->worker, choice->arm,
                             choice->has_bucket ? choice->bucket : SPLIT_NO_BUCKET);
        exchange->routing.tally_user = split_turn_user(turn, &exchange->client.ip);
        exchange->routing.chosen_us = exchange_elapsed_us(exchange);
    }
}

const struct arm_settings *choice_make(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;
    struct split_turn *turn = generation_split(exchange->generation, route);
    const uint32_t *weights = split_turn_weights(turn);
    struct arm_choice choice;

    arm_choose(route, &exchange->request, &exchange->client.ip, split_turn_seeds(turn), weights,
               &choice);
    if (choice.reason == ARM_BY_TURN) {
        choice.arm = split_turn_next(turn);
    }
    if (choice.key.length > 0) {
        hold_key(exchange, split_turn_pin_seeds(turn), &choice);
    }
    note(exchange, turn, &choice);
    return &route->arms[choice.arm];
}

/* Also of what went out as a gRPC status. */
static uint16_t status_meant(const struct outcome_course *outcome)
{
    return outcome->error_status != 0 ? outcome->error_status : outcome->status;
}

/* Memory or descriptors of ours had run out. */
static bool is_our_failure(const struct outcome_course *outcome)
{
    return outcome->error != NULL && strcmp(outcome->error, OUTCOME_OWN_ERROR) == 0;
}

/* An end that the arm has no part in: the client's fault, or ours. One whose client left says how
 * long it had waited: an arm that hangs is seen by that alone. */
static bool says_nothing(const struct outcome_course *outcome)
{
    switch (outcome->end) {
    case OUTCOME_REQUEST_BROKE:
    case OUTCOME_CUT_BY_STOP:
    case OUTCOME_GATEWAY_BROKE:
        return true;
    case OUTCOME_ANSWERED_HERE:
        return status_meant(outcome) < 500 || is_our_failure(outcome);
    default:
        return false;
    }
}

/* What is answered here is judged by the error that it stands for. */
static bool has_failed_grpc(const struct outcome_course *outcome, const struct ramp_settings *ramp)
{
    return outcome->is_grpc && outcome->end == OUTCOME_ANSWERED &&
           (ramp->failed_grpc_status >> outcome->grpc_status & 1) != 0;
}

/* A status that a client's request causes by itself (a method that is not implemented) is none of
 * ramp.failed_status. What we answer in an origin's place is its failure. */
static bool has_failed(const struct outcome_course *outcome, const struct ramp_settings *ramp)
{
    return (outcome->end == OUTCOME_ANSWERED_HERE && status_meant(outcome) >= 500) ||
           status_set_has(&ramp->failed_status, outcome->status) ||
           has_failed_grpc(outcome, ramp) || outcome->end == OUTCOME_ORIGIN_BROKE ||
           (outcome->end == OUTCOME_CUT_BY_TIMEOUT && outcome->cut == CUT_NONE);
}

/* The last attempt's first byte; without one, the end. */
static uint32_t answered_us(const struct exchange *exchange, uint32_t total_us)
{
    const struct attempt *attempt = attempt_recorded(exchange->attempt);

    return attempt != NULL && attempt->record.first_byte_us != 0 ? attempt->record.first_byte_us
                                                                 : total_us;
}

void choice_count(const struct exchange *exchange, uint32_t total_us)
{
    const struct outcome_course *outcome = &exchange->outcome;
    uint32_t until = answered_us(exchange, total_us);
    uint32_t from = exchange->routing.chosen_us;

    if (!says_nothing(outcome)) {
        arm_tally_count(exchange->routing.tally, exchange->routing.tally_user,
                        has_failed(outcome, &exchange->routing.route->split.ramp),
                        until > from ? until - from : 0);
    }
}
