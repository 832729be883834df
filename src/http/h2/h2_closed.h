/* SPDX-License-Identifier: BSD-2-Clause */
/* How the last streams that a client began have ended. Called by h2_receiving.c and h2_sending.c: the
 * library takes no notice of what comes on a closed stream, but it is an error (RFC 9113 section 5.1),
 * unless the stream was reset from here and its client may not have heard of that yet. */
#ifndef HTTP_H2_H2_CLOSED_H
#define HTTP_H2_H2_CLOSED_H

#include "base/bytes.h"

#define H2_CLOSED_KNOWN 256 /* streams */

enum h2_closed {
    H2_CLOSED_SKIPPED, /* it never began, and a later one has: it is closed all the same */
    H2_CLOSED_BEGAN,
    H2_CLOSED_RESET_HERE,
    H2_CLOSED_UNKNOWN, /* it is still to begin, or was too long ago */
};

/* Zeroed at first. */
struct h2_closed_streams {
    int32_t last; /* the highest stream that began */
    uint8_t ends[H2_CLOSED_KNOWN];
};

/* Streams begin in ascending order; ids of clients are odd. */
void h2_closed_note_begun(struct h2_closed_streams *streams, int32_t id);
/* RST_STREAM was written from here. */
void h2_closed_note_reset(struct h2_closed_streams *streams, int32_t id);
/* Of a stream that is not open. */
enum h2_closed h2_closed_how(const struct h2_closed_streams *streams, int32_t id);

#endif
