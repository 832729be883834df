/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live page tells: the process, budgets, and tables of what a configuration names (routes,
 * splits, services, origins) and of what happens (forced closes, changes, certificates, connections). Called
 * by live.c once a second. */
#ifndef CONTROL_LIVE_ROWS_H
#define CONTROL_LIVE_ROWS_H

#include "control/live/live_meter.h"
#include "control/live/live_table.h"

enum live_table_of {
    LIVE_ROUTES,
    LIVE_SPLITS,
    LIVE_SERVICES,
    LIVE_ORIGINS,
    LIVE_CUTS,
    LIVE_CHANGES,
    LIVE_CERTIFICATES,
    LIVE_CONNECTIONS, /* written by live.c */
    LIVE_TABLES
};

struct live_rows {                              /* zeroed at first */
    struct live_meters met[METRICS_KIND_COUNT]; /* of routes, services and origins */
    struct merged counted;                      /* empty; its room serves each second's reading */
    struct plan *told; /* of the last update; NULL: there was none. Held. */
    struct live_table tables[LIVE_TABLES];
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
