/* SPDX-License-Identifier: BSD-2-Clause */
/* The seed of a worker's random numbers. */
#include "base/system/random.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

static bool is_zero(const struct random *random)
{
    return (random->state[0] | random->state[1] | random->state[2] | random->state[3]) == 0;
}

/* All zero is the one state that xoshiro never leaves. Requests up to 256 bytes are never cut
 * short once the kernel's pool is ready (getrandom(2)). */
void random_init(struct random *random)
{
    ssize_t got;

    do {
        got = getrandom(random->state, sizeof(random->state), 0);
        CHECK(got == (ssize_t)sizeof(random->state) || (got < 0 && errno == EINTR));
    } while (got < 0 || is_zero(random));
}
