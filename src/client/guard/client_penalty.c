/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses stall in TLS handshakes: a client that begins one makes us sign, and one that
 * says no more after that has cost us much and itself nothing. An address with more handshakes that
 * came to nothing than handshakes that stood is a penalized client for a while: its next ones stand
 * in a line of their own, which gets a small share of the worker's time (client_handshake.c). It is
 * never refused, and handshakes that come to stand pay its debts. An address with several under way
 * of which none has stood yet is suspected of the same where places are few.
 *
 * A table of fixed size with one debt for each slot, which is paid by waiting alone, too. Slots are
 * found by a keyed hash, so that no client can choose whose slot to share; a few share one by
 * chance, and as long as they behave it is paid for them all. */
#include "client/client_private.h"

/* As long as timeouts.handshake by default: a client that is cut then and comes back at once is
 * known still, and what little it gets in the other line keeps it known. */
#define STALL_COSTS_MS 15000
#define PENALIZED_MS (2 * STALL_COSTS_MS) /* three in a short while, beyond those that stood */
/* Two that stand then end it, however many a program that was killed left unfinished at once. */
#define MOST_MS (4 * STALL_COSTS_MS)
#define PROVEN_FOR_S 30
#define UNPROVEN_MAX 4 /* under way: as many as a browser begins at once */

static struct client_stall *slot_of(struct client_context *context, const struct ip *ip)
{
    struct client_penalty *penalty = &context->penalty;

    if (penalty->key.first == 0) {
        penalty->key.first = random_next(&context->worker_context->random) | 1;
        penalty->key.second = random_next(&context->worker_context->random);
    }
    return &penalty->slots[siphash_number(&penalty->key, ip_customer(ip)) % CLIENT_PENALTY_SLOTS];
}

/* How far ahead it is; what lies behind is paid, and 0 was never owed. */
static uint32_t left_of(uint32_t paid_ms, uint32_t now_ms)
{
    uint32_t left_ms = paid_ms - now_ms;

    return paid_ms != 0 && left_ms <= MOST_MS ? left_ms : 0;
}

static uint16_t second_of(uint32_t now_ms)
{
    uint16_t second = (uint16_t)(now_ms / 1000);

    return second != 0 ? second : 1;
}

void client_penalty_note(struct client_context *context, const struct ip *ip, bool stood)
{
    uint32_t now_ms = client_clock_ms(context);
    struct client_stall *slot;
    uint32_t left_ms;

    if (ip_is_none(ip)) {
        return;
    }
    slot = slot_of(context, ip);
    left_ms = left_of(slot->paid_ms, now_ms);
    if (stood) {
        left_ms = left_ms > STALL_COSTS_MS ? left_ms - STALL_COSTS_MS : 0;
        slot->stood_s = second_of(now_ms);
    } else {
        left_ms = left_ms + STALL_COSTS_MS < MOST_MS ? left_ms + STALL_COSTS_MS : MOST_MS;
    }
    slot->paid_ms = left_ms > 0 ? now_ms + left_ms : 0;
}

/* limits.handshakes may be more than can be counted here: then the last ones are not. */
void client_penalty_begin(struct client_context *context, const struct ip *ip)
{
    if (!ip_is_none(ip)) {
        struct client_stall *slot = slot_of(context, ip);

        slot->under_way += slot->under_way < UINT16_MAX;
    }
}

void client_penalty_end(struct client_context *context, const struct ip *ip)
{
    if (!ip_is_none(ip)) {
        struct client_stall *slot = slot_of(context, ip);

        slot->under_way -= slot->under_way > 0;
    }
}

bool client_penalty_often(struct client_context *context, const struct ip *ip)
{
    return !ip_is_none(ip) &&
           left_of(slot_of(context, ip)->paid_ms, client_clock_ms(context)) > PENALIZED_MS;
}

bool client_penalty_unproven(struct client_context *context, const struct ip *ip)
{
    const struct client_stall *slot = slot_of(context, ip);
    uint16_t since_s = (uint16_t)(second_of(client_clock_ms(context)) - slot->stood_s);

    return !ip_is_none(ip) && slot->under_way >= UNPROVEN_MAX &&
           (slot->stood_s == 0 || since_s > PROVEN_FOR_S);
}
