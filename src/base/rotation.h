/* SPDX-License-Identifier: BSD-2-Clause */
/* Smooth weighted rotation: over each run of as many turns as the weights add up to, every
 * member has exactly its weight in turns, spread evenly. Used for a split's arms and for a
 * service's origins. One thread. */
#ifndef BASE_ROTATION_H
#define BASE_ROTATION_H

#include <stdint.h>

struct rotation_member {
    uint32_t weight;
    int32_t credit; /* 0 at first */
};

struct rotation {
    struct rotation_member *members; /* borrowed */
    uint32_t count;
    uint32_t next; /* while all weights are equal */
    uint32_t total;
    _Bool equal;
};

/* `start` sets where equal members begin, so that workers do not march in step. */
void rotation_init(struct rotation *rotation, struct rotation_member *members, uint32_t count,
                   uint32_t start);
/* What a member of a former rotation, with that total of weights, brings along into this one: its
 * credit, in the measure of this one. */
static inline int32_t rotation_carried(const struct rotation *rotation, int32_t credit,
                                       uint32_t former_total)
{
    return former_total == 0 ? 0 : (int32_t)((int64_t)credit * rotation->total / former_total);
}
/* The index whose turn it is. Weights must add up to more than 0. */
uint32_t rotation_next(struct rotation *rotation);

#endif
