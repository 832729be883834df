/* SPDX-License-Identifier: BSD-2-Clause */
/* What each client address has right now: how many connections, and how fast new ones and requests
 * come; and the same of other keys that requests carry. One for the process, so that it is true
 * over all workers. Its memory is fixed: a client without requests is forgotten first. Made by
 * process/process, handed to the workers.
 *
 * An address is an IPv4 address or the first 64 bits of an IPv6 one, which is what one customer
 * gets. A client without one (a Unix socket) has no limits.
 *
 * Any thread may call all of this; a call takes a lock that covers a handful of addresses, for some
 * ten nanoseconds. Who has no limit set does not call. */
#ifndef EXCHANGE_CLIENT_REGISTRY_H
#define EXCHANGE_CLIENT_REGISTRY_H

#include "config/settings.h"

struct client_registry;

/* Room for at least this many addresses; memory is touched only as they come. NULL: none. */
struct client_registry *client_registry_new(uint32_t addresses);
void client_registry_free(struct client_registry **registry);

/* Where a connection is counted: 0 for nowhere. Small, since every idle connection has one. */
typedef uint32_t client_slot;

/* A connection begins. false: it is over `limits`, and is not counted. One that comes over from
 * another worker is not new, and always let in. */
bool client_registry_enter(struct client_registry *registry, const struct ip *ip,
                           const struct client_limits_settings *limits, uint64_t now_us,
                           bool is_new, client_slot *slot);
/* It ends; harmless for 0, which it becomes. */
void client_registry_leave(struct client_registry *registry, client_slot *slot);

/* A request. false: too many came; *wait_ms is when the next one may. */
bool client_registry_request(struct client_registry *registry, const struct ip *ip,
                             const struct client_limits_settings *limits, uint64_t now_us,
                             uint64_t *wait_ms);

/* Rates of what a request names (exchange/rate_limits.c), in the same table. */
struct client_rate {
    uint32_t scope;   /* of which limit; not 0 */
    uint64_t each_ns; /* what one request takes */
    uint32_t burst;   /* at least 1 */
};
/* The number of a client's address, of an IPv6 one that of its first 64 bits; never 0. */
uint64_t client_registry_address(const struct ip *ip);
/* A number for a value, and what was hashed before it (0 at first); who does not know this process's
 * secret cannot choose values that share one. */
uint64_t client_registry_key(const struct client_registry *registry, uint64_t before,
                             struct bytes value);
/* 0: it may pass, and is counted; else how long until it may, in ns. */
uint64_t client_registry_take(struct client_registry *registry, uint64_t key,
                              const struct client_rate *rate, uint64_t now_us);
/* What was taken last is not counted after all. */
void client_registry_give_back(struct client_registry *registry, uint64_t key,
                               const struct client_rate *rate);

/* For tests and readings. */
uint32_t client_registry_connections(struct client_registry *registry, const struct ip *ip);

#endif
