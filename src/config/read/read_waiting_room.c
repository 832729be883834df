/* SPDX-License-Identifier: BSD-2-Clause */
/* The `waiting_room` of a route, with the files that it names. Called by read_routes.c. */
#include "config/read/reading.h"

#include <stdio.h>
#include <time.h>

#define PAGE_MOST (48u << 10) /* it is filled in for each user, in one piece */
#define KEY_LEAST 32u
#define KEY_MOST 4096u

/* "2030-11-29T08:00:00Z", or with +01:00 in place of Z (RFC 3339). */
static bool read_moment(struct bytes text, uint64_t *milliseconds)
{
    struct tm moment = {0};
    int hours = 0;
    int minutes = 0;
    char sign = '+';
    int end = 0;
    long long seconds;

    if (text.length > 31 ||
        sscanf(text.at, "%4d-%2d-%2dT%2d:%2d:%2d%n", &moment.tm_year, &moment.tm_mon,
               &moment.tm_mday, &moment.tm_hour, &moment.tm_min, &moment.tm_sec, &end) != 6 ||
        end != 19) {
        return false;
    }
    if (strcmp(text.at + end, "Z") != 0 &&
        (sscanf(text.at + end, "%1c%2d:%2d", &sign, &hours, &minutes) != 3 ||
         strlen(text.at + end) != 6 || (sign != '+' && sign != '-'))) {
        return false;
    }
    moment.tm_year -= 1900;
    moment.tm_mon -= 1;
    seconds = timegm(&moment) - (sign == '+' ? 1 : -1) * (hours * 3600LL + minutes * 60LL);
    *milliseconds = (uint64_t)seconds * 1000;
    return seconds > 0;
}

static void read_opening(struct reading *reading, const struct node *node,
                         struct waiting_room_settings *room)
{
    if (node != NULL && !read_moment(room->opens_at, &room->opens_at_ms)) {
        READING_ERROR(reading, node,
                      "'waiting_room.opens_at' expects a time such as \"2030-11-29T08:00:00Z\" or "
                      "\"2030-11-29T09:00:00+01:00\", not '%s'",
                      config_show(node->text).text);
    }
}

static void read_keys(struct reading *reading, const struct node *node,
                      struct waiting_room_settings *room)
{
    const struct node *member;
    uint32_t count;

    if (node == NULL ||
        (member = config_read_members(reading, node, "waiting_room.keys", &count)) == NULL) {
        return;
    }
    room->keys = config_take_array(reading, count, sizeof(*room->keys));
    for (; room->keys != NULL && room->key_count < count; member = member->next) {
        struct bytes *key = &room->keys[room->key_count++];

        if (config_read_own_file(reading, member, "waiting_room.keys", KEY_MOST, key) &&
            key->length < KEY_LEAST) {
            READING_ERROR(
                reading, member,
                "'waiting_room.keys': the file holds %zu bytes, and %u random ones are the "
                "least; make it with openssl rand -out FILE 48",
                key->length, KEY_LEAST);
        }
    }
}

void config_read_waiting_room(struct reading *reading, const struct node *node,
                              struct route_settings *route)
{
    struct waiting_room_settings *room = &route->waiting_room;
    const struct node *page = config_node_child(node, "page");

    if (node == NULL) {
        return;
    }
    config_fill_defaults(PLACE_ROUTE, "waiting_room", room);
    if (!config_read_group(reading, node, PLACE_ROUTE, "waiting_room", room)) {
        return;
    }
    if (config_node_child(node, "active") == NULL) {
        config_report_missing(reading, node, "active", "a number of users");
    }
    if (room->cookie != NULL && !config_is_token(bytes_of(room->cookie))) {
        READING_ERROR(reading, config_node_child(node, "cookie"),
                      "'waiting_room.cookie' expects a cookie's name, not '%s'",
                      config_show(bytes_of(room->cookie)).text);
    }
    read_opening(reading, config_node_child(node, "opens_at"), room);
    read_keys(reading, config_node_child(node, "keys"), room);
    if (page != NULL) {
        config_read_own_file(reading, page, "waiting_room.page", PAGE_MOST, &room->page);
    }
}
