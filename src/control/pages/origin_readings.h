/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of the whole registry of origins, sorted by name, for those who show it. */
#ifndef CONTROL_PAGES_ORIGIN_READINGS_H
#define CONTROL_PAGES_ORIGIN_READINGS_H

#include "control/sources.h"

struct origin_readings {
    struct origin_reading *rows;
    size_t count;
};

/* false: out of memory. */
bool origin_readings_take(const struct control_sources *sources, struct origin_readings *readings);
void origin_readings_release(struct origin_readings *readings);
/* An origin as the file calls it, or an SRV record: of a name, the sum of all addresses. */
struct origin_summary {
    struct origin_reading sum;
    const char *state;
    bool is_name;
    uint32_t addresses; /* of a name */
    uint32_t serving;   /* of these */
};
struct origin_summary origin_readings_sum(const struct origin_readings *readings, const char *name);
/* One word for what an operator wants to know first: "serves", "drained", "down"... */
const char *origin_readings_state(const struct origin_reading *reading);

#endif
