/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries are added behind the others and never taken away, so that workers find theirs without a
 * lock. */
#include "exchange/waiting/rooms.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS_MOST 256
#define A_MINUTE_S 60u
#define WAITED_FOR_S 3600u

static _Atomic uint32_t room_count;
static struct {
    const char *route;
    struct rooms_count former; /* while `room` is NULL */
    _Atomic uint32_t seen_s;   /* the last tick with a room, or when that was so */
    _Atomic(struct room *) room;
} entries[ROOMS_MOST];
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static uint32_t find(const char *route, uint32_t count)
{
    uint32_t i = 0;

    while (i < count && strcmp(entries[i].route, route) != 0) {
        i++;
    }
    return i;
}

/* Its place; ROOMS_MOST: none. With `writers` held. */
static uint32_t add(const char *route)
{
    uint32_t count = atomic_load_explicit(&room_count, memory_order_relaxed);
    uint32_t place = find(route, count);

    if (place < count) {
        return place;
    }
    if (count == ROOMS_MOST || (entries[count].route = strdup(route)) == NULL) {
        return ROOMS_MOST;
    }
    atomic_store_explicit(&room_count, count + 1, memory_order_release);
    return count;
}

struct room_limits rooms_limits(const struct waiting_room_settings *settings)
{
    return (struct room_limits){settings->active, settings->per_minute, settings->session / 1000};
}

static uint32_t minute_of(uint64_t now_ms)
{
    return (uint32_t)(now_ms / 1000) / A_MINUTE_S * A_MINUTE_S;
}

static struct room_former former_of(uint32_t place, const struct room_limits *limits,
                                    uint64_t now_ms)
{
    const struct rooms_count *former = &entries[place].former;
    uint32_t now_s = (uint32_t)(now_ms / 1000);

    return (struct room_former){
        .active = former->active,
        .waiting = former->waiting,
        .active_until_s = former->seen_s + A_MINUTE_S + limits->session_s,
        /* After a longer pause those who waited are elsewhere. */
        .waiting_until_s = now_s < former->seen_s + WAITED_FOR_S ? now_s + ROOM_ASKED_AGAIN_S : 0,
    };
}

static struct room *make(const struct route_settings *route, uint64_t now_ms)
{
    struct room_limits limits = rooms_limits(&route->waiting_room);
    struct room *room = NULL;
    uint32_t place;

    pthread_mutex_lock(&writers);
    place = add(route->name);
    if (place < ROOMS_MOST) {
        room = atomic_load_explicit(&entries[place].room, memory_order_relaxed);
    }
    if (place < ROOMS_MOST && room == NULL && (room = room_new(limits.active)) != NULL) {
        /* It was written down within a minute. */
        const struct room_former former = former_of(place, &limits, now_ms);

        room_expect(room, &former);
        room_tick(room, now_ms);
        /* An upgrade or a stop may come before the first tick. */
        entries[place].seen_s = minute_of(now_ms);
        atomic_store_explicit(&entries[place].room, room, memory_order_release);
    }
    pthread_mutex_unlock(&writers);
    return room;
}

struct room *rooms_find(const struct route_settings *route, uint64_t now_ms)
{
    uint32_t count = atomic_load_explicit(&room_count, memory_order_acquire);
    uint32_t place = find(route->name, count);
    struct room *room =
        place < count ? atomic_load_explicit(&entries[place].room, memory_order_acquire) : NULL;

    return room != NULL ? room : make(route, now_ms);
}

void rooms_expect(const char *route, const struct rooms_count *count)
{
    uint32_t place;

    pthread_mutex_lock(&writers);
    place = add(route);
    if (place < ROOMS_MOST) {
        entries[place].former = *count;
    }
    pthread_mutex_unlock(&writers);
}

void rooms_tick(uint64_t now_ms)
{
    uint32_t count = atomic_load_explicit(&room_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct room *room = atomic_load_explicit(&entries[i].room, memory_order_acquire);

        if (room != NULL) {
            room_tick(room, now_ms);
            entries[i].seen_s = minute_of(now_ms);
        }
    }
}

static struct rooms_count count_of(uint32_t place, struct room *room)
{
    return room == NULL
               ? entries[place].former
               : (struct rooms_count){room_active(room), room_waiting(room), entries[place].seen_s};
}

void rooms_read_one(const char *route, struct rooms_reading *reading)
{
    uint32_t count = atomic_load_explicit(&room_count, memory_order_acquire);
    uint32_t place = find(route, count);

    *reading = (struct rooms_reading){.count = {0}};
    if (place < count) {
        struct room *room = atomic_load_explicit(&entries[place].room, memory_order_acquire);

        reading->count = count_of(place, room);
        if (room != NULL) {
            reading->tally = room_tally(room);
        }
    }
}

void rooms_read(rooms_seen *seen, void *owner)
{
    uint32_t count = atomic_load_explicit(&room_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct room *room = atomic_load_explicit(&entries[i].room, memory_order_acquire);
        const struct rooms_count now = count_of(i, room);

        seen(owner, entries[i].route, &now);
    }
}
