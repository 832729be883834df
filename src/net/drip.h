/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the other side of a connection sends in pieces so small that each read of one costs far
 * more than its bytes: many in a row, and nothing was written to it meanwhile (else it waits for an
 * answer to each). It is then read again a moment later (watch_rest), when more has come. A sender
 * of less than two hundred pieces a second does not notice. Embedded by the reader; zeroed. */
#ifndef NET_DRIP_H
#define NET_DRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIP_BYTES 64 /* a smaller read is a drip */
#define DRIPS_IN_A_ROW 32

struct drip {
    uint64_t written; /* to it, when it was last read from */
    uint8_t count;    /* in a row */
};

/* A read brought `count` bytes; `written` so far. */
static inline void drip_note(struct drip *drip, size_t count, uint64_t written)
{
    if (count >= DRIP_BYTES || written != drip->written) {
        drip->count = 0;
        drip->written = written;
    } else if (drip->count < DRIPS_IN_A_ROW) {
        drip->count++;
    }
}

static inline bool drip_is_on(const struct drip *drip)
{
    return drip->count == DRIPS_IN_A_ROW;
}

#endif
