/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests clients send again: those that name themselves (an idempotency key, a request id) and
 * were seen within the last seconds. Called by tries.c, for the budget of retries. Of one worker, with
 * fixed memory: a request that comes again to another worker, or after very many others, is new. */
#ifndef EXCHANGE_REPEATS_H
#define EXCHANGE_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#define REPEATS_WINDOW_S 10u

struct repeats;

/* NULL: no memory. */
struct repeats *repeats_new(void);
void repeats_free(struct repeats **repeats);

/* `name`: a hash with a secret, or clients could choose names that are taken for others'. Whether it
 * was seen in the last REPEATS_WINDOW_S seconds; from now on it was. `now_us` never goes back. */
bool repeats_note(struct repeats *repeats, uint64_t name, uint64_t now_us);

#endif
