/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the routes that have a waiting room now. Without one there is no such family. */
#include "control/pages/metrics_rooms.h"

#include "control/pages/metrics_text.h"
#include "exchange/waiting/rooms.h"

#define TURNED_AWAY "turnpike_waiting_room_turned_away_total"

static uint64_t active(const struct rooms_reading *reading)
{
    return reading->count.active;
}

static uint64_t waiting(const struct rooms_reading *reading)
{
    return reading->count.waiting;
}

static uint64_t admitted(const struct rooms_reading *reading)
{
    return reading->tally.admitted;
}

static const struct family {
    const char *name;
    const char *type;
    const char *help;
    uint64_t (*value)(const struct rooms_reading *reading);
} families[] = {
    {"turnpike_waiting_room_active_users", "gauge",
     "Users that are in, with places kept for those of a former process.", active},
    {"turnpike_waiting_room_waiting_users", "gauge", "Users that wait.", waiting},
    {"turnpike_waiting_room_admitted_total", "counter", "Users that were let in.", admitted},
};

static bool has_room(const struct settings *settings, uint32_t route)
{
    return settings->routes[route].waiting_room.active > 0;
}

static void add_family(struct page *page, const struct settings *settings,
                       const struct family *family)
{
    metrics_text_family(page, family->name, family->type, family->help);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (has_room(settings, i)) {
            struct rooms_reading reading;

            rooms_read_one(settings->routes[i].name, &reading);
            metrics_text_begin(page, family->name, "route", settings->routes[i].name);
            metrics_text_end(page, family->value(&reading));
        }
    }
}

static const char *cause_word(size_t index)
{
    static const char *const words[ROOM_REFUSALS] = {
        [ROOM_IS_FULL] = "full", [ROOM_LACKS_TICKET] = "no_ticket", [ROOM_IS_CLOSED] = "not_open"};

    return words[index];
}

static void add_turned_away(struct page *page, const struct settings *settings)
{
    metrics_text_family(page, TURNED_AWAY, "counter",
                        "Requests that a waiting room turned away, by cause.");
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (has_room(settings, i)) {
            struct rooms_reading reading;

            rooms_read_one(settings->routes[i].name, &reading);
            metrics_text_split(page, TURNED_AWAY, "route", settings->routes[i].name,
                               &(struct metrics_text_split){
                                   "cause", cause_word, reading.tally.turned_away, ROOM_REFUSALS});
        }
    }
}

static bool any_room(const struct settings *settings)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (has_room(settings, i)) {
            return true;
        }
    }
    return false;
}

void metrics_rooms_add(struct page *page, const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);

    if (any_room(settings)) {
        for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
            add_family(page, settings, &families[i]);
        }
        add_turned_away(page, settings);
    }
    plan_unref(&plan);
}
