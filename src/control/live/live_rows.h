/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of the live page that a configuration fills: routes, splits with their ramps,
 * services and origins, each with what it does just now. Called by live.c once a second. */
#ifndef CONTROL_LIVE_ROWS_H
#define CONTROL_LIVE_ROWS_H

#include "control/live/live_meter.h"
#include "control/live/live_table.h"

struct live_rows { /* zeroed at first */
    struct live_meters routes_met;
    struct live_meters services_met;
    struct live_meters origins_met;
    struct merged counted; /* empty; its room serves each second's reading */
    struct plan *told;     /* of the last update; NULL: there was none. Held. */
    struct live_table routes;
    struct live_table splits;
    struct live_table services;
    struct live_table origins;
};

/* Takes the counters in: before each live_rows_add, and once when a viewer comes. */
void live_rows_measure(struct live_rows *rows, const struct control_sources *sources,
                       double seconds);
/* Members of the update. */
void live_rows_add(struct live_rows *rows, const struct control_sources *sources,
                   struct page *page);
/* The next update has every row. */
void live_rows_forget(struct live_rows *rows);
void live_rows_release(struct live_rows *rows);

#endif
