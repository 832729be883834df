/* SPDX-License-Identifier: BSD-2-Clause */
/* Each turn every member earns its weight; the richest one is chosen and pays the total. */
#include "base/rotation.h"

#include "base/check.h"

void rotation_init(struct rotation *rotation, struct rotation_member *members, uint32_t count,
                   uint32_t start)
{
    CHECK(count > 0);
    rotation->members = members;
    rotation->count = count;
    rotation->next = start % count;
    rotation->total = 0;
    rotation->equal = 1;
    for (uint32_t i = 0; i < count; i++) {
        rotation->total += members[i].weight;
        members[i].credit = 0;
        if (members[i].weight != members[0].weight) {
            rotation->equal = 0;
        }
    }
}

uint32_t rotation_next(struct rotation *rotation)
{
    uint32_t best = 0;

    if (rotation->equal) {
        best = rotation->next;
        rotation->next = best + 1 < rotation->count ? best + 1 : 0;
        return best;
    }
    for (uint32_t i = 0; i < rotation->count; i++) {
        struct rotation_member *member = &rotation->members[i];

        member->credit += (int32_t)member->weight;
        if (member->credit > rotation->members[best].credit) {
            best = i;
        }
    }
    rotation->members[best].credit -= (int32_t)rotation->total;
    return best;
}
