/* SPDX-License-Identifier: BSD-2-Clause */
/* Origin names to addresses, and SRV names to targets, by c-ares on a worker's loop, again when
 * the TTL is over. The last good answer is kept when resolution fails. c-ares shows in resolver.c
 * and srv_answer.c only. */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "base/address.h"
#include "dns/srv_answer.h"
#include "net/loop.h"

struct resolver; /* one a worker */
struct resolver_name;

struct resolver *resolver_new(struct loop *loop); /* NULL: out of memory or descriptors */
/* Every name must have been unwatched. */
void resolver_free(struct resolver **resolver);
/* Asks these instead of what /etc/resolv.conf says: "127.0.0.1:5353,[::1]:53". Before the first
 * watch. */
bool resolver_use_servers(struct resolver *resolver, const char *servers);

/* Called once an answer differs from the one before, and after each failure before any was had
 * (count 0). Addresses have port 0, IPv4 before IPv6, each family sorted, no duplicates; valid during the
 * call only. Never called from inside resolver_watch or resolver_ask_soon. */
typedef void resolver_changed(void *owner, const struct address *addresses, size_t count);

/* Begins to resolve `host` and keeps at it until resolver_unwatch. Re-resolves after the TTL
 * (at least 1 s, at most 5 min, with up to 10 % jitter); after a failure with growing pauses
 * (1 s to 30 s), before the first answer every second. Reads /etc/hosts and /etc/resolv.conf as c-ares does. NULL: out of memory. */
struct resolver_name *resolver_watch(struct resolver *resolver, const char *host,
                                     resolver_changed *changed, void *owner);
/* The same for SRV records. The answer is valid during the call only; NULL: a try failed, and there
 * was no answer yet.
 * What their targets' addresses are is another question. */
typedef void resolver_srv_changed(void *owner, const struct srv_answer *answer);
struct resolver_name *resolver_watch_srv(struct resolver *resolver, const char *name,
                                         resolver_srv_changed *changed, void *owner);
/* May be called from inside `changed`. */
void resolver_unwatch(struct resolver_name **name);

/* A request waits for a name that has no answer yet: it is asked for 250 ms after the last failure,
 * if no question is under way. Cheap where that is arranged already. */
void resolver_ask_soon(struct resolver_name *name);

/* After a failure, and the pause that follows it: how long the next pause is. A name that has never had
 * an answer is asked each second for a minute, since nothing is served by it yet; after that, and
 * where there is an answer to go on with, pauses double, up to 30 s. */
uint32_t resolver_next_pause_ms(uint32_t pause_ms, bool has_answer, uint64_t asked_for_us);

#endif
