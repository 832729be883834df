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

void config_read_opening(struct reading *reading, const struct node *node, void *at)
{
    (void)at;
    if (!read_moment(node->text, &reading->route->waiting_room.opens_at_ms)) {
        config_refuse_text(reading, node, "");
    }
}

void config_read_ticket_secret(struct reading *reading, const struct node *node, void *at)
{
    struct bytes *key = at;

    if (config_read_own_file(reading, node, KEY_MOST, key) && key->length < KEY_LEAST) {
        READING_ERROR(reading, node,
                      "'waiting_room.keys': the file holds %zu bytes, and %u random ones are the "
                      "least; make it with openssl rand -out FILE 48",
                      key->length, KEY_LEAST);
    }
}

void config_read_waiting_page(struct reading *reading, const struct node *node, void *at)
{
    config_read_own_file(reading, node, PAGE_MOST, at);
}
