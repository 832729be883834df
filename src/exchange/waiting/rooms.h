/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting rooms of the process, by their routes' names: a reload keeps them, and what was active in
 * a former process is known again (process/state). Any thread. */
#ifndef EXCHANGE_WAITING_ROOMS_H
#define EXCHANGE_WAITING_ROOMS_H

#include "config/settings.h"
#include "exchange/waiting/room.h"

/* Made with the first request. NULL: no memory, or more than 256 rooms. */
struct room *rooms_find(const struct route_settings *route, uint64_t now_ms);
struct room_limits rooms_limits(const struct waiting_room_settings *settings);
/* How many users a route's room has, or had in a former process. */
struct rooms_count {
    uint32_t active;
    uint32_t waiting;
    uint32_t seen_s; /* when that was so, within a minute */
};

/* Before any request: so many there were in a former process. */
void rooms_expect(const char *route, const struct rooms_count *count);
/* Each second. */
void rooms_tick(uint64_t now_ms);

/* Of one route, with what was counted; zeros where there is none yet. */
struct rooms_reading {
    struct rooms_count count;
    struct room_tally tally;
};
void rooms_read_one(const char *route, struct rooms_reading *reading);

typedef void rooms_seen(void *owner, const char *route, const struct rooms_count *count);
void rooms_read(rooms_seen *seen, void *owner);

#endif
