/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of what the origin registry says of SRV names, for those who show it. */
#ifndef CONTROL_PAGES_SRV_READINGS_H
#define CONTROL_PAGES_SRV_READINGS_H

#include "control/sources.h"

struct srv_readings {
    struct srv_reading *rows;
    size_t count;
    bool failed;
};

/* false: out of memory, and there are none. */
bool srv_readings_take(const struct control_sources *sources, struct srv_readings *readings);
void srv_readings_release(struct srv_readings *readings);
/* Never NULL: a name that no worker has heard of yet is one that was not answered. */
const struct srv_reading *srv_readings_find(const struct srv_readings *readings, const char *name);

#define SRV_PLACE_ROOM (SRV_HOST_ROOM + 8)
/* "host:port", by which the registry knows the origin at that target. */
const char *srv_place(const struct srv_target *target, char room[static SRV_PLACE_ROOM]);

#endif
