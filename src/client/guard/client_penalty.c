/* SPDX-License-Identifier: BSD-2-Clause */
/* The handshake penalty: which addresses stall in TLS handshakes. A handshake makes the gateway
 * sign, and a client that stalls afterwards has paid nothing for it. An address with more failed
 * handshakes than successful ones is penalized for a while: its next handshakes wait in a queue of
 * their own, which gets a small share of the worker's time (client_handshake.c). They are never
 * refused, and each success shortens the penalty. An address with several handshakes under way and
 * none that succeeded lately counts as unproven; it waits in that queue as well while handshake
 * slots are scarce.
 *
 * The table has a fixed size, and each entry one time at which its penalty ends. Entries are found by
 * a keyed hash, so that no client can choose whose entry to share. A few addresses share one by
 * chance, and the successes of each shorten the penalty for all. */
#include "client/client_private.h"

/* As long as timeouts.handshake by default: a client that is cut then and comes back at once is
 * known still, and its share of the other queue keeps it known. */
#define STALL_COSTS_MS 15000
#define PENALIZED_MS (2 * STALL_COSTS_MS) /* three failures in a short while, more than successes */
/* Two successes then end the penalty, however many handshakes a killed program left unfinished. */
#define MOST_MS (4 * STALL_COSTS_MS)
#define PROVEN_FOR_S 30
#define UNPROVEN_MAX 4 /* under way: as many as a browser begins at once */

static struct client_penalty_entry *entry_of(struct client_context *context, const struct ip *ip)
{
    struct client_penalty *penalty = &context->penalty;

    if (penalty->key.first == 0) {
        penalty->key.first = random_next(&context->worker_context->random) | 1;
        penalty->key.second = random_next(&context->worker_context->random);
    }
    return &penalty
                ->entries[siphash_number(&penalty->key, ip_customer(ip)) % CLIENT_PENALTY_ENTRIES];
}

/* Milliseconds until the penalty ends; 0: there is none. */
static uint32_t left_of(uint32_t ends_ms, uint32_t now_ms)
{
    uint32_t left_ms = ends_ms - now_ms;

    return ends_ms != 0 && left_ms <= MOST_MS ? left_ms : 0;
}

static uint16_t second_of(uint32_t now_ms)
{
    uint16_t second = (uint16_t)(now_ms / 1000);

    return second != 0 ? second : 1;
}

void client_penalty_note(struct client_context *context, const struct ip *ip, bool succeeded)
{
    uint32_t now_ms = client_clock_ms(context);
    struct client_penalty_entry *entry;
    uint32_t left_ms;

    if (ip_is_none(ip)) {
        return;
    }
    entry = entry_of(context, ip);
    left_ms = left_of(entry->ends_ms, now_ms);
    if (succeeded) {
        left_ms = left_ms > STALL_COSTS_MS ? left_ms - STALL_COSTS_MS : 0;
        entry->succeeded_s = second_of(now_ms);
    } else {
        left_ms = left_ms + STALL_COSTS_MS < MOST_MS ? left_ms + STALL_COSTS_MS : MOST_MS;
    }
    entry->ends_ms = left_ms > 0 ? now_ms + left_ms : 0;
}

/* limits.handshakes may exceed the range of this count: then the last ones are not counted. */
void client_penalty_begin(struct client_context *context, const struct ip *ip)
{
    if (!ip_is_none(ip)) {
        struct client_penalty_entry *entry = entry_of(context, ip);

        entry->under_way += entry->under_way < UINT16_MAX;
    }
}

void client_penalty_end(struct client_context *context, const struct ip *ip)
{
    if (!ip_is_none(ip)) {
        struct client_penalty_entry *entry = entry_of(context, ip);

        entry->under_way -= entry->under_way > 0;
    }
}

bool client_penalty_applies(struct client_context *context, const struct ip *ip)
{
    return !ip_is_none(ip) &&
           left_of(entry_of(context, ip)->ends_ms, client_clock_ms(context)) > PENALIZED_MS;
}

bool client_penalty_unproven(struct client_context *context, const struct ip *ip)
{
    const struct client_penalty_entry *entry = entry_of(context, ip);
    uint16_t since_s = (uint16_t)(second_of(client_clock_ms(context)) - entry->succeeded_s);

    return !ip_is_none(ip) && entry->under_way >= UNPROVEN_MAX &&
           (entry->succeeded_s == 0 || since_s > PROVEN_FOR_S);
}
