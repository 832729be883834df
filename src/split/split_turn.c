/* SPDX-License-Identifier: BSD-2-Clause */
/* Weights are copied when their version is not the one seen last; in between nothing is shared.
 * While they are being written, which takes nanoseconds, the old ones hold. */
#include "split/split_turn.h"

#include "base/rotation.h"

#include <stdlib.h>

struct split_turn {
    uint32_t references;
    uint32_t version; /* of the weights below */
    struct live_split *live;
    struct split_seeds seeds;
    struct split_seeds pin_seeds; /* without the salt */
    uint32_t control_credit;
    struct rotation rotation;
    uint32_t *weights;
    struct rotation_member *members;
};

static void begin_rotation(struct split_turn *turn)
{
    for (uint32_t i = 0; i < turn->live->arm_count; i++) {
        turn->members[i].weight = turn->weights[i];
    }
    rotation_init(&turn->rotation, turn->members, turn->live->arm_count, 0);
    turn->control_credit = 0;
}

static void check_again(struct split_turn *turn)
{
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;

    if (live_split_get(turn->live, weights, &version)) {
        memcpy(turn->weights, weights, turn->live->arm_count * sizeof(*weights));
        turn->version = version;
        begin_rotation(turn);
    }
}

/* All of it in one piece of memory, the widest first. */
static struct split_turn *take_memory(size_t arms)
{
    struct split_turn *turn;
    size_t each = 2 * sizeof(uint64_t) + sizeof(*turn->members) + sizeof(*turn->weights);

    turn = calloc(1, sizeof(*turn) + arms * each);
    if (turn != NULL) {
        turn->seeds.arms = (uint64_t *)(turn + 1);
        turn->pin_seeds.arms = turn->seeds.arms + arms;
        turn->members = (struct rotation_member *)(turn->pin_seeds.arms + arms);
        turn->weights = (uint32_t *)(turn->members + arms);
    }
    return turn;
}

struct split_turn *split_turn_new(struct live_split *live, struct bytes salt)
{
    struct split_turn *turn = take_memory(live->arm_count);

    if (turn == NULL) {
        return NULL;
    }
    turn->references = 1;
    turn->live = live_split_ref(live);
    turn->seeds.salt = split_salt(salt);
    turn->seeds.count = live->arm_count;
    turn->pin_seeds.salt = split_salt(BYTES(""));
    turn->pin_seeds.count = live->arm_count;
    for (uint32_t i = 0; i < live->arm_count; i++) {
        turn->seeds.arms[i] = split_arm_seed(&turn->seeds.salt, live->services[i]);
        turn->pin_seeds.arms[i] = split_arm_seed(&turn->pin_seeds.salt, live->services[i]);
        turn->weights[i] = live->file_weights[i];
    }
    turn->version = UINT32_MAX; /* odd: no version is */
    begin_rotation(turn);
    check_again(turn);
    return turn;
}

struct split_turn *split_turn_ref(struct split_turn *turn)
{
    turn->references++;
    return turn;
}

void split_turn_unref(struct split_turn **held)
{
    struct split_turn *turn = *held;

    *held = NULL;
    if (turn != NULL && --turn->references == 0) {
        live_split_unref(&turn->live);
        free(turn);
    }
}

bool split_turn_is_of(const struct split_turn *turn, const struct live_split *live)
{
    return turn->live == live;
}

static struct split_seeds seeds_of(const struct route_settings *route, struct bytes salt,
                                   uint64_t *arms)
{
    struct split_seeds seeds = {split_salt(salt), arms, route->arm_count};

    for (uint32_t i = 0; i < route->arm_count; i++) {
        arms[i] = split_arm_seed(&seeds.salt, route->arms[i].service->name);
    }
    return seeds;
}

struct split_seeds split_seeds_of(const struct route_settings *route, uint64_t *arms)
{
    return seeds_of(route, route->split.salt, arms);
}

struct split_seeds split_pin_seeds_of(const struct route_settings *route, uint64_t *arms)
{
    return seeds_of(route, BYTES(""), arms);
}

const uint32_t *split_turn_weights(struct split_turn *turn)
{
    if (atomic_load_explicit(&turn->live->version, memory_order_relaxed) != turn->version) {
        check_again(turn);
    }
    return turn->weights;
}

uint32_t split_turn_next(struct split_turn *turn)
{
    return rotation_next(&turn->rotation);
}

const struct split_seeds *split_turn_seeds(const struct split_turn *turn)
{
    return &turn->seeds;
}

const struct split_seeds *split_turn_pin_seeds(const struct split_turn *turn)
{
    return &turn->pin_seeds;
}

bool split_turn_counts(const struct split_turn *turn)
{
    return atomic_load_explicit(&turn->live->counts, memory_order_relaxed) != 0;
}

static bool is_control(struct split_turn *turn, uint32_t share, uint32_t bucket)
{
    uint32_t rest = SPLIT_WHOLE - share;

    if (share >= rest) {
        return true;
    }
    if (bucket != SPLIT_NO_BUCKET) {
        return bucket >= rest;
    }
    turn->control_credit += share;
    if (turn->control_credit < rest) {
        return false;
    }
    turn->control_credit -= rest;
    return true;
}

struct arm_tally *split_turn_tally(struct split_turn *turn, uint32_t worker, uint32_t arm,
                                   uint32_t bucket)
{
    uint32_t to = turn->live->to;

    if (!split_turn_counts(turn)) {
        return NULL;
    }
    if (arm == to) {
        return live_split_tally(turn->live, worker, ARM_GROUP_NEW);
    }
    return is_control(turn, turn->weights[to], bucket)
               ? live_split_tally(turn->live, worker, ARM_GROUP_CONTROL)
               : NULL;
}

uint32_t split_turn_user(const struct split_turn *turn, const struct ip *client)
{
    return live_split_user(turn->live, ip_customer(client));
}
