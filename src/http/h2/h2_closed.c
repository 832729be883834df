/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of the last streams of a connection, with a byte for each. Called by the files of a session. */
#include "http/h2/h2_closed.h"

#define SPAN (2 * H2_CLOSED_KNOWN) /* of their ids, which are odd */

static size_t place_of(int32_t id)
{
    return ((uint32_t)id / 2) % H2_CLOSED_KNOWN;
}

static bool is_known(const struct h2_closed_streams *streams, int32_t id)
{
    return id % 2 == 1 && id <= streams->last && streams->last - id < SPAN;
}

void h2_closed_note_begun(struct h2_closed_streams *streams, int32_t id)
{
    int32_t from = id - streams->last > SPAN ? id - SPAN : streams->last;

    for (int32_t skipped = from; skipped < id; skipped += 2) {
        streams->ends[place_of(skipped + 2)] = H2_CLOSED_SKIPPED;
    }
    streams->last = id;
    streams->ends[place_of(id)] = H2_CLOSED_BEGAN;
}

void h2_closed_note_reset(struct h2_closed_streams *streams, int32_t id)
{
    if (is_known(streams, id)) {
        streams->ends[place_of(id)] = H2_CLOSED_RESET_HERE;
    }
}

enum h2_closed h2_closed_how(const struct h2_closed_streams *streams, int32_t id)
{
    return is_known(streams, id) ? (enum h2_closed)streams->ends[place_of(id)] : H2_CLOSED_UNKNOWN;
}
