/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker's view of one split: the weights it saw last and whose turn it is. Called once for
 * each exchange that is forwarded by a split (exchange/choice.c); looks at what the registry
 * changed by comparing one number. */
#ifndef SPLIT_SPLIT_TURN_H
#define SPLIT_SPLIT_TURN_H

#include "split/live_split.h"
#include "split/split.h"

struct split_turn;

/* Holds the split. NULL: out of memory. */
struct split_turn *split_turn_new(struct live_split *live, struct bytes salt);
/* One thread's counting: generations of one worker share it. */
struct split_turn *split_turn_ref(struct split_turn *turn);
void split_turn_unref(struct split_turn **turn);
bool split_turn_is_of(const struct split_turn *turn, const struct live_split *live);

/* The weights of now, until the next call. */
const uint32_t *split_turn_weights(struct split_turn *turn);
/* The arm whose turn it is by the weights asked for last: exact over each run of requests that
 * this worker takes so. */
uint32_t split_turn_next(struct split_turn *turn);
const struct split_seeds *split_turn_seeds(const struct split_turn *turn);
/* Those that pins are known by: a new salt deals users anew, but does nothing twice. */
const struct split_seeds *split_turn_pin_seeds(const struct split_turn *turn);
/* The same for who has no turn; `arms` has room for the route's. */
struct split_seeds split_seeds_of(const struct route_settings *route, uint64_t *arms);
struct split_seeds split_pin_seeds_of(const struct route_settings *route, uint64_t *arms);

/* Where a request that went to `arm` is to be counted, NULL for nowhere: the new arm's all are,
 * of the old arm's as large a part. With `bucket` (split_bucket of the new arm) those are always
 * the same users, else one in so many. */
#define SPLIT_NO_BUCKET UINT32_MAX
struct arm_tally *split_turn_tally(struct split_turn *turn, uint32_t worker, uint32_t arm,
                                   uint32_t bucket);
/* Whom arm_tally_count is to be told of. */
uint32_t split_turn_user(const struct split_turn *turn, const struct ip *client);
/* Whether split_turn_tally may give anything now. */
bool split_turn_counts(const struct split_turn *turn);

#endif
