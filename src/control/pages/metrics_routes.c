/* SPDX-License-Identifier: BSD-2-Clause */
/* Families of routes that only some routes have: without one that does, there is no such family. What a
 * store holds is read route by route: writing gives the core up, which must not happen under its lock. */
#include "control/pages/metrics_families.h"

#include "cache/cache_store.h"
#include "control/pages/metrics_text.h"
#include "control/pages/rows.h"
#include "exchange/waiting/rooms.h"
#include "http/grpc.h"

#include <stdio.h>
#include <stdlib.h>

/* --- waiting rooms and caches ------------------------------------------------------------ */

static bool has_room(const struct route_settings *route)
{
    return route->waiting_room.active > 0;
}

static bool has_cache(const struct route_settings *route)
{
    return route->has_caching;
}

/* All that the families below show of a route. */
struct route_reading {
    struct rooms_reading room;
    struct cache_reading cache;
};

static void read_room(const char *route, struct route_reading *reading)
{
    rooms_read_one(route, &reading->room);
}

static void read_cache(const char *route, struct route_reading *reading)
{
    reading->cache = cache_store_read_route(route);
}

static const char *cause_word(size_t index)
{
    static const char *const words[ROOM_REFUSALS] = {
        [ROOM_IS_FULL] = "full", [ROOM_LACKS_TICKET] = "no_ticket", [ROOM_IS_CLOSED] = "not_open"};

    return words[index];
}

#define OF(member) METRICS_TEXT_MEMBER(struct route_reading, member)
#define ROOM has_room, read_room
#define CACHE has_cache, read_cache

static const struct route_family {
    const char *name;
    const char *type;
    const char *help;
    bool (*fits)(const struct route_settings *route);
    void (*read)(const char *route, struct route_reading *reading);
    struct metrics_text_member value;
} families[] = {
    {"turnpike_cache_answers", "gauge", "Answers that a route has stored.", CACHE,
     OF(cache.stored)},
    {"turnpike_cache_bytes", "gauge",
     "Memory of a route's stored answers, and of those being read (cache.max_bytes).", CACHE,
     OF(cache.bytes)},
    {"turnpike_waiting_room_active_users", "gauge",
     "Users that are in, with places kept for those of a former process.", ROOM,
     OF(room.count.active)},
    {"turnpike_waiting_room_waiting_users", "gauge", "Users that wait.", ROOM,
     OF(room.count.waiting)},
    {"turnpike_waiting_room_admitted_total", "counter", "Users that were let in.", ROOM,
     OF(room.tally.admitted)},
    {"turnpike_waiting_room_turned_away_total", "counter",
     "Requests that a waiting room turned away, by cause.", ROOM, OF(room.tally.turned_away)},
};

static void add_route(struct metrics_text *out, const struct route_family *family,
                      const char *route)
{
    struct route_reading reading;

    family->read(route, &reading);
    if (family->value.size == sizeof(reading.room.tally.turned_away)) {
        metrics_text_split(out, "route", route,
                           &(struct metrics_text_split){
                               "cause", cause_word, reading.room.tally.turned_away, ROOM_REFUSALS});
    } else {
        metrics_text_sample(out, "route", route, metrics_text_value(&reading, family->value));
    }
}

void metrics_held_add(struct metrics_text *out, const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        const struct route_family *family = &families[i];
        bool any = false;

        for (uint32_t j = 0; j < settings->route_count; j++) {
            if (!family->fits(&settings->routes[j])) {
                continue;
            }
            if (!any) {
                metrics_text_family(out, family->name, family->type, family->help);
            }
            any = true;
            add_route(out, family, settings->routes[j].name);
        }
    }
    plan_unref(&plan);
}

/* --- statuses ---------------------------------------------------------------------------- */

/* Only codes that were given: of two hundred, a route knows a few. */
struct code_row {
    const char *route; /* valid while the metrics are held */
    uint32_t code;
    uint64_t count;
};

struct gathering {
    struct code_row *rows;
    size_t count;
    bool failed;
};

static void on_seen(void *owner, const char *route, const uint64_t *counts, uint32_t count)
{
    struct gathering *gathering = owner;

    for (uint32_t i = 0; i < count; i++) {
        if (counts[i] == 0) {
            continue;
        }
        if (!rows_grow(&gathering->rows, gathering->count, sizeof(*gathering->rows))) {
            gathering->failed = true;
            return;
        }
        gathering->rows[gathering->count++] = (struct code_row){route, i, counts[i]};
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct code_row *a = left;
    const struct code_row *b = right;
    int names = strcmp(a->route, b->route);

    return names != 0 ? names : (a->code > b->code) - (a->code < b->code);
}

static void add_code(struct metrics_text *out, uint32_t code)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", METRICS_CODES_FIRST + code);
    metrics_text_label(out, "code", text);
}

static void add_grpc_status(struct metrics_text *out, uint32_t code)
{
    metrics_text_label(out, "grpc_status", grpc_status_name((enum grpc_status)code));
}

static const struct status_family {
    const char *name;
    const char *help;
    enum metrics_seldom which;
    void (*add_label)(struct metrics_text *out, uint32_t code);
} status_families[] = {
    {"turnpike_route_error_responses_total", "Answers of 400 to 599, by their status.",
     METRICS_SELDOM_CODES, add_code},
    {"turnpike_route_grpc_calls_total",
     "gRPC calls by their status; none: they ended without one, cancelled or reset.",
     METRICS_SELDOM_GRPC, add_grpc_status},
};

/* Rows of several workers that mean the same stand side by side. */
static void add_rows(struct metrics_text *out, const struct status_family *family,
                     const struct gathering *gathering)
{
    metrics_text_family(out, family->name, "counter", family->help);
    for (size_t i = 0; i < gathering->count;) {
        const struct code_row *row = &gathering->rows[i];
        uint64_t sum = 0;

        for (; i < gathering->count && compare_rows(row, &gathering->rows[i]) == 0; i++) {
            sum += gathering->rows[i].count;
        }
        metrics_text_begin(out, "route", row->route);
        family->add_label(out, row->code);
        metrics_text_end(out, sum);
    }
}

static void add_statuses(struct metrics_text *out, const struct control_sources *sources,
                         const struct status_family *family)
{
    struct gathering gathering = {.count = 0};
    uint32_t workers = sources->workers;

    for (uint32_t worker = 0; worker < workers; worker++) {
        struct metrics *metrics = sources->metrics(sources->owner, worker);

        metrics_hold(metrics);
        metrics_read_seldom(metrics, family->which, on_seen, &gathering);
    }
    if (gathering.count > 1) {
        qsort(gathering.rows, gathering.count, sizeof(*gathering.rows), compare_rows);
    }
    add_rows(out, family, &gathering);
    out->page->failed = out->page->failed || gathering.failed;
    for (uint32_t worker = 0; worker < workers; worker++) {
        metrics_let_go(sources->metrics(sources->owner, worker));
    }
    free(gathering.rows);
}

void metrics_statuses_add(struct metrics_text *out, const struct control_sources *sources)
{
    for (size_t i = 0; i < sizeof(status_families) / sizeof(status_families[0]); i++) {
        add_statuses(out, sources, &status_families[i]);
    }
}
