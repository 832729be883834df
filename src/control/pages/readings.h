/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of what the registries know of origins, splits and SRV names, for those who show it. */
#ifndef CONTROL_PAGES_READINGS_H
#define CONTROL_PAGES_READINGS_H

#include "base/page.h"
#include "control/sources.h"

/* What is wanted, as a set. */
enum readings_of { READ_ORIGINS = 1, READ_SPLITS = 2, READ_NAMES = 4 };

struct readings {
    struct origin_reading *origins; /* in the order of names */
    size_t origin_count;
    struct split_reading *splits; /* in the order of routes */
    size_t split_count;
    struct srv_reading *names; /* in the order of names */
    size_t name_count;
    struct arena *texts;
    bool failed;
};

/* false: out of memory, and there are none. */
bool readings_take(const struct control_sources *sources, unsigned what, struct readings *readings);
void readings_release(struct readings *readings);

/* An origin as the file calls it, or an SRV record: of a name, the sum of all addresses. */
struct origin_summary {
    struct origin_reading sum;
    const char *state;
    bool is_name;
    const struct origin_reading *rows; /* its addresses */
    uint32_t addresses;                /* of a name */
    uint32_t serving;                  /* of these */
};
struct origin_summary readings_origin(const struct readings *readings, const char *name);
/* One word for what an operator wants to know first: "serves", "drained", "down"... */
const char *origin_reading_state(const struct origin_reading *reading);

/* NULL: the route has no split. */
const struct split_reading *readings_split(const struct readings *readings, const char *route);
/* "old: 95%, new: 5%", as the file would say it. */
void split_reading_report(const struct split_reading *reading, struct page *page);

/* Never NULL: a name that no worker has heard of yet is one that was not answered. */
const struct srv_reading *readings_srv(const struct readings *readings, const char *name);
#define SRV_PLACE_ROOM (SRV_HOST_ROOM + 8)
/* "host:port", by which the registry knows the origin at that target. */
const char *srv_place(const struct srv_target *target, char room[static SRV_PLACE_ROOM]);

#endif
