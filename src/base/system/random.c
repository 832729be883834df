/* SPDX-License-Identifier: BSD-2-Clause */
/* The seed of a worker's random numbers. */
#include "base/system/random.h"

#include "base/check.h"

#include <unistd.h>

static bool is_zero(const struct random *random)
{
    return (random->state[0] | random->state[1] | random->state[2] | random->state[3]) == 0;
}

/* All zero is the one state that xoshiro never leaves. */
void random_init(struct random *random)
{
    do {
        CHECK(getentropy(random->state, sizeof(random->state)) == 0);
    } while (is_zero(random));
}
