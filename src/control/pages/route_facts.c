/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/pages/route_facts.h"

#include "cache/cache_store.h"
#include "exchange/waiting/rooms.h"

bool route_facts_are_there(const struct route_settings *route)
{
    return route->waiting_room.active > 0 || route->caching.on;
}

static void add_room(struct json *json, const struct route_settings *route)
{
    struct rooms_reading room;

    if (route->waiting_room.active == 0) {
        return;
    }
    rooms_read_one(route->name, &room);
    json_begin_object(json, "waiting_room");
    json_number(json, "places", route->waiting_room.active);
    json_number(json, "active", room.count.active);
    json_number(json, "waiting", room.count.waiting);
    json_number(json, "admitted", room.tally.admitted);
    json_number(json, "turned_away",
                room.tally.turned_away[ROOM_IS_FULL] + room.tally.turned_away[ROOM_LACKS_TICKET] +
                    room.tally.turned_away[ROOM_IS_CLOSED]);
    json_end_object(json);
}

static void add_cache(struct json *json, const struct route_settings *route,
                      const uint64_t by_cache[OUTCOME_CACHE_COUNT])
{
    struct cache_reading cache;

    if (!route->caching.on) {
        return;
    }
    cache = cache_store_read_route(route->name);
    json_begin_object(json, "cache");
    json_number(json, "hits", by_cache != NULL ? by_cache[OUTCOME_CACHE_HIT] : 0);
    json_number(json, "misses", by_cache != NULL ? by_cache[OUTCOME_CACHE_MISS] : 0);
    json_number(json, "answers", cache.stored);
    json_number(json, "bytes", cache.bytes);
    json_number(json, "max_bytes", route->caching.max_bytes);
    json_end_object(json);
}

void route_facts_add(struct json *json, const struct route_settings *route,
                     const uint64_t by_cache[OUTCOME_CACHE_COUNT])
{
    add_room(json, route);
    add_cache(json, route, by_cache);
}
