/* SPDX-License-Identifier: BSD-2-Clause */
/* Edit distance (insert, delete, replace, swap two neighbours), upper and lower case alike. */
#include "config/schema/suggest.h"

#include <ctype.h>
#include <stdio.h>

#define COMPARED_MAX 64 /* longer names get no suggestion */

static unsigned least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned edit_distance(struct bytes a, struct bytes b)
{
    unsigned rows[3][COMPARED_MAX + 1];
    unsigned *before = rows[0]; /* two rows back, for swaps */
    unsigned *last = rows[1];
    unsigned *now = rows[2];
    size_t i;
    size_t j;

    for (j = 0; j <= b.length; j++) {
        last[j] = (unsigned)j;
    }
    for (i = 1; i <= a.length; i++) {
        unsigned *spare = before;

        now[0] = (unsigned)i;
        for (j = 1; j <= b.length; j++) {
            unsigned replaced = last[j - 1] + !same_letter(a.at[i - 1], b.at[j - 1]);

            now[j] = least_of(replaced, least_of(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a.at[i - 1], b.at[j - 2]) &&
                same_letter(a.at[i - 2], b.at[j - 1])) {
                now[j] = least_of(now[j], before[j - 2] + 1);
            }
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b.length];
}

void config_suggest_begin(struct suggestion *suggestion, struct bytes typed)
{
    unsigned close = (unsigned)typed.length / 3;

    if (close < 1) {
        close = 1;
    }
    *suggestion = (struct suggestion){typed, {NULL, 0}, least_of(close, 3) + 1};
}

void config_suggest_offer(struct suggestion *suggestion, struct bytes known)
{
    size_t longer =
        known.length > suggestion->typed.length ? known.length : suggestion->typed.length;
    size_t shorter = known.length + suggestion->typed.length - longer;
    unsigned distance;

    if (longer > COMPARED_MAX || longer - shorter >= suggestion->distance) {
        return;
    }
    distance = edit_distance(suggestion->typed, known);
    if (distance < suggestion->distance && distance < known.length) {
        suggestion->distance = distance;
        suggestion->nearest = known;
    }
}

const char *config_suggest_hint(const struct suggestion *suggestion, char out[HINT_MAX])
{
    out[0] = '\0';
    if (suggestion->nearest.length > 0) {
        snprintf(out, HINT_MAX, "; did you mean '%.*s'?", (int)suggestion->nearest.length,
                 suggestion->nearest.at);
    }
    return out;
}
