/* SPDX-License-Identifier: BSD-2-Clause */
/* One split as it runs: its present weights, and what its arms did while a ramp compares them.
 * Held by the split registry and by the plans that name it, and read by the workers of those plans
 * on a request's way. Weights are written under the registry's lock only; each tally is one worker's
 * own (relaxed atomics that compile to plain loads and stores). */
#ifndef SPLIT_LIVE_SPLIT_H
#define SPLIT_LIVE_SPLIT_H

#include "base/siphash.h"
#include "observe/metrics.h"
#include "split/split_registry.h"

#include <stdatomic.h>

/* The two groups that a ramp compares. */
enum arm_group { ARM_GROUP_NEW, ARM_GROUP_CONTROL, ARM_GROUP_NONE };
#define ARM_GROUP_COUNT 2

/* Clients by their addresses, as far as a hash tells them apart: enough to see what would be left
 * without any one of them. */
#define ARM_USERS 128
/* How fast each of them was answered: two buckets of durations are one of these, but for the first
 * and the last. */
#define ARM_SPEEDS (METRICS_DURATION_BUCKETS / 2 + 1)

struct arm_tally {
    _Alignas(64) _Atomic uint64_t requests;
    _Atomic uint64_t failures;
    _Atomic uint64_t durations[METRICS_DURATION_BUCKETS];
    _Atomic uint64_t user_requests[ARM_USERS];
    _Atomic uint64_t user_failures[ARM_USERS];
    _Atomic uint32_t user_speeds[ARM_USERS][ARM_SPEEDS]; /* runs over; differences are right */
};

struct live_split {
    _Atomic uint32_t references;
    _Atomic uint32_t version; /* odd while the weights are being written */
    _Atomic uint32_t counts;  /* 1: the tallies are wanted */
    uint32_t worker_count;
    uint32_t arm_count;
    uint32_t to;               /* the new arm, where there are tallies */
    char **services;           /* names of the arms */
    uint32_t *file_weights;    /* what the file says */
    _Atomic uint32_t *weights; /* what holds */
    enum split_cause cause;    /* of these; under the registry's lock */
    struct arm_tally *tallies; /* ARM_GROUP_COUNT a worker; NULL: no ramp */
    struct siphash_key secret; /* of the hash of clients, or one could choose whom to stand with */
};

/* NULL: out of memory. Holds one reference. */
struct live_split *live_split_new(const struct route_settings *route, uint32_t workers);
struct live_split *live_split_ref(struct live_split *split);
void live_split_unref(struct live_split **split); /* from any thread */
/* The route's services and weights are those that this split was made from. */
bool live_split_is_of(const struct live_split *split, const struct route_settings *route);

/* Under the registry's lock. */
void live_split_set(struct live_split *split, const uint32_t *weights);
bool live_split_is_as_in_file(const struct live_split *split, const uint32_t *weights);
/* All weights of one moment, and their version; any thread. False while they are being written:
 * try again later. */
bool live_split_get(const struct live_split *split, uint32_t *weights, uint32_t *version);

static inline struct arm_tally *live_split_tally(struct live_split *split, uint32_t worker,
                                                 enum arm_group group)
{
    return &split->tallies[(size_t)worker * ARM_GROUP_COUNT + group];
}

/* Which of ARM_USERS a client is; `client` as of ip_customer. */
uint32_t live_split_user(const struct live_split *split, uint64_t client);
static inline unsigned arm_speed_of(unsigned bucket)
{
    return (bucket + 1) / 2;
}

/* The worker's own thread. */
void arm_tally_count(struct arm_tally *tally, uint32_t user, bool failed, uint64_t duration_us);

#endif
