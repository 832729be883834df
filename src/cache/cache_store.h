/* SPDX-License-Identifier: BSD-2-Clause */
/* The stored answers of all routes, for all workers. Each route has a space, which is counted and bounded
 * by itself and belongs to the plans that have this route with these settings: a reload keeps it, and one
 * that changes the route has another one. Any thread. Callers hold references; what is thrown out lives
 * as long as these. */
#ifndef CACHE_CACHE_STORE_H
#define CACHE_CACHE_STORE_H

#include "cache/stored.h"

struct cache_space;

/* A reference to the space of the route whose settings have this print. NULL: no memory. */
struct cache_space *cache_space_take(const char *route, uint64_t print);
struct cache_space *cache_space_ref(struct cache_space *space);
/* No plan that runs has it any more, though older ones may for as long as a tunnel lasts: all that it has
 * goes, and nothing comes until a plan with it takes effect. By the thread that reloads. */
void cache_space_close(struct cache_space *space);
void cache_space_open(struct cache_space *space); /* as a new one is */
/* With the last one all that it has goes. */
void cache_space_drop(struct cache_space **space);
uint64_t cache_hash(struct bytes key); /* with a key of the process's own */

/* A reference to what is stored under the key; NULL: nothing. */
struct stored *cache_store_find(struct cache_space *space, uint64_t hash, struct bytes key);
/* Changes when something was thrown out that may have had this key. */
uint64_t cache_store_epoch(uint64_t hash);
/* Takes the place of what has the same key. Not if the epoch is another one by now, or it is larger
 * than all the space may be; STORED_PASS never that of a fresh answer or of STORED_VARY. false: it is not
 * stored. */
bool cache_store_put(struct cache_space *space, uint64_t hash, uint64_t epoch, uint64_t max_bytes,
                     struct stored *stored);

/* Bytes of an answer that is being read, which has `held` already; false: no room. Several such answers have a
 * half of the space at most: clients that read nothing must not empty it. To be given back in any case. */
bool cache_store_reserve(struct cache_space *space, uint64_t held, uint64_t bytes,
                         uint64_t max_bytes);
void cache_store_give_back(struct cache_space *space, uint64_t bytes);

/* Some route has a space. */
bool cache_store_is_used(void);
/* What is stored of this URI, of GET and HEAD, in the spaces of all routes (RFC 9111 section 4.4). The cost
 * does not depend on how many these are. */
void cache_store_invalidate(struct bytes uri);
/* All whose URI begins so; with "/" at its front, those of any host whose target does. How many. */
uint64_t cache_store_purge(struct bytes prefix);
/* A key is the letter of its method and the URI, then maybe more behind a line's end. */
#define CACHE_KEY_GET 'G'
#define CACHE_KEY_HEAD 'H'
/* Nothing is stored under a longer one. */
#define CACHE_KEY_MOST 12288

/* Every few seconds: what is of no use any more goes, and half of all where memory is short. */
void cache_store_sweep(uint64_t now_us, bool memory_is_short);

struct cache_reading {
    const char *route;
    uint64_t bytes;
    uint64_t stored;
};
/* Of each route once: while a reload that changed it goes on, of its two spaces together. */
typedef void cache_seen(void *owner, const struct cache_reading *reading);
void cache_store_read(cache_seen *seen, void *owner);
/* Of one; zeros where it has no space. */
struct cache_reading cache_store_read_route(const char *route);

#endif
