/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries are added behind the others and never taken away, so that workers read without a lock:
 * what changes is an entry's order. */
#include "exchange/maintenance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_MOST 1024

_Atomic uint32_t maintenance_orders;

static struct {
    const char *route;
    _Atomic int order;
} entries[ROUTES_MOST];

static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static const char *const words[] = {
    [MAINTENANCE_BY_FILE] = "file",
    [MAINTENANCE_ON] = "on",
    [MAINTENANCE_OFF] = "off",
};

/* Its place, or behind the last one. */
static uint32_t find(const char *route, uint32_t count)
{
    uint32_t i = 0;

    while (i < count && strcmp(entries[i].route, route) != 0) {
        i++;
    }
    return i;
}

static bool add(const char *route, uint32_t count)
{
    if (count == ROUTES_MOST || (entries[count].route = strdup(route)) == NULL) {
        return false;
    }
    atomic_store_explicit(&maintenance_orders, count + 1, memory_order_release);
    return true;
}

bool maintenance_set(const char *route, enum maintenance_order order)
{
    uint32_t count;
    uint32_t place;
    bool good = true;

    pthread_mutex_lock(&writers);
    count = atomic_load_explicit(&maintenance_orders, memory_order_relaxed);
    place = find(route, count);
    if (place < count || order != MAINTENANCE_BY_FILE) {
        good = place < count || add(route, count);
        if (good) {
            atomic_store_explicit(&entries[place].order, (int)order, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&writers);
    return good;
}

enum maintenance_order maintenance_of(const char *route)
{
    uint32_t count = atomic_load_explicit(&maintenance_orders, memory_order_acquire);
    uint32_t place = find(route, count);

    return place < count ? (enum maintenance_order)atomic_load_explicit(&entries[place].order,
                                                                        memory_order_relaxed)
                         : MAINTENANCE_BY_FILE;
}

bool maintenance_holds(const struct route_settings *route)
{
    enum maintenance_order order = MAINTENANCE_BY_FILE;

    if (atomic_load_explicit(&maintenance_orders, memory_order_relaxed) > 0) {
        order = maintenance_of(route->name);
    }
    return order == MAINTENANCE_BY_FILE ? route->access_rules.maintenance : order == MAINTENANCE_ON;
}

bool maintenance_differs(const struct route_settings *route)
{
    return maintenance_holds(route) != route->access_rules.maintenance;
}

void maintenance_read(maintenance_seen *seen, void *owner)
{
    uint32_t count = atomic_load_explicit(&maintenance_orders, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        int order = atomic_load_explicit(&entries[i].order, memory_order_relaxed);

        if (order != MAINTENANCE_BY_FILE) {
            seen(owner, entries[i].route, (enum maintenance_order)order);
        }
    }
}

bool maintenance_word(const char *word, enum maintenance_order *order)
{
    for (int i = MAINTENANCE_BY_FILE; i <= MAINTENANCE_OFF; i++) {
        if (strcmp(words[i], word) == 0) {
            *order = (enum maintenance_order)i;
            return true;
        }
    }
    return false;
}

const char *maintenance_order_name(enum maintenance_order order)
{
    return words[order];
}
