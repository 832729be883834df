/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an exchange stands, and by which clocks: asked and told by all of its steps. */
#include "exchange/exchange_private.h"

#include "base/check.h"
#include "exchange/trace.h"

static bool may_follow(enum exchange_state from, enum exchange_state to)
{
    switch (to) {
    case EXCHANGE_NEW:
        return false;
    case EXCHANGE_GATHERS:
        return from == EXCHANGE_NEW;
    case EXCHANGE_ATTEMPTS:
        return from == EXCHANGE_NEW || from == EXCHANGE_GATHERS; /* another try changes nothing */
    case EXCHANGE_RELAYS:
    case EXCHANGE_TUNNELS:
        return from == EXCHANGE_ATTEMPTS;
    case EXCHANGE_ASKS:
        return from == EXCHANGE_NEW || from == EXCHANGE_GATHERS;
    case EXCHANGE_LEAVES:
        return from != EXCHANGE_LEAVES && from != EXCHANGE_OVER;
    case EXCHANGE_OVER:
        return from != EXCHANGE_OVER;
    }
    return false;
}

static const char *const state_sentences[] = {
#define ROW(name, sentence) #name ": " sentence,
    EXCHANGE_STATES(ROW)
#undef ROW
};

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
    CHECK(may_follow(exchange->state, state));
    if (exchange->state == EXCHANGE_GATHERS) {
        timer_clear(exchange->desk->gathering, &exchange->request_body.gather);
    }
    exchange->state = state;
    if (exchange->traced) {
        trace_step(exchange, "%s", state_sentences[state]);
    }
}

uint32_t exchange_elapsed_us(const struct exchange *exchange)
{
    uint64_t elapsed = loop_now(exchange->desk->bench->loop) - exchange->start_us;

    return elapsed > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed;
}

const struct timeouts_settings *exchange_timeouts(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? &exchange->routing.route->timeouts
                                           : &generation_settings(exchange->generation)->timeouts;
}

const struct rates_settings *exchange_rates(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? &exchange->routing.route->rates : NULL;
}

void exchange_note_cut(struct exchange *exchange, enum cut_cause cause)
{
    exchange->outcome.cut = cause;
    if (exchange->outcome.error == NULL) {
        exchange->outcome.error = cut_cause_error(cause);
        exchange->outcome.detail = cut_cause_sentence(cause);
    }
}
