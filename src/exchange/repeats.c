/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests clients have sent before (repeats.h): a table of sets of four names; in a full set the one
 * that was not seen for longest makes room. */
#include "exchange/repeats.h"

#include <stdlib.h>

#define SETS 1024u /* a power of two: 32 KiB in all */
#define WAYS 4
#define US_A_SECOND 1000000u

struct entry {
    uint32_t name;
    uint32_t seen_s; /* 0: free */
};

struct repeats {
    struct entry sets[SETS][WAYS];
};

struct repeats *repeats_new(void)
{
    return calloc(1, sizeof(struct repeats));
}

void repeats_free(struct repeats **repeats)
{
    free(*repeats);
    *repeats = NULL;
}

bool repeats_note(struct repeats *repeats, uint64_t name, uint64_t now_us)
{
    struct entry *set = repeats->sets[name & (SETS - 1)];
    uint32_t now_s = (uint32_t)(now_us / US_A_SECOND) + REPEATS_WINDOW_S + 1;
    uint32_t short_name = (uint32_t)(name >> 32);
    struct entry *oldest = &set[0];
    bool seen;

    for (int i = 0; i < WAYS; i++) {
        if (set[i].seen_s != 0 && set[i].name == short_name) {
            seen = now_s - set[i].seen_s <= REPEATS_WINDOW_S;
            set[i].seen_s = now_s;
            return seen;
        }
        if (set[i].seen_s < oldest->seen_s) {
            oldest = &set[i];
        }
    }
    *oldest = (struct entry){short_name, now_s};
    return false;
}
