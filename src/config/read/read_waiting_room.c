/* SPDX-License-Identifier: BSD-2-Clause */
/* The `waiting_room` of a route, with the files that it names. Called by read_routes.c. */
#include "config/read/reading.h"

#include <time.h>

#define KEY_LEAST 32u
#define KEY_MOST 4096u

#define DATE_TIME_FORM "0000-00-00T00:00:00"
#define DATE_TIME_LENGTH (sizeof(DATE_TIME_FORM) - 1)

/* A digit for each 0, and all else as it stands there. */
static bool has_form(struct bytes text, const char *form)
{
    bool same = text.length == strlen(form);

    for (size_t i = 0; same && i < text.length; i++) {
        same = form[i] == '0' ? text.at[i] >= '0' && text.at[i] <= '9' : text.at[i] == form[i];
    }
    return same;
}

/* Of two digits. */
static int number_at(struct bytes text, size_t at)
{
    return (text.at[at] - '0') * 10 + text.at[at + 1] - '0';
}

/* Of a day that the calendar has: timegm makes 1 December of 31 November. */
static bool read_date_time(struct bytes text, long long *seconds)
{
    struct tm moment = {
        .tm_year = number_at(text, 0) * 100 + number_at(text, 2) - 1900,
        .tm_mon = number_at(text, 5) - 1,
        .tm_mday = number_at(text, 8),
        .tm_hour = number_at(text, 11),
        .tm_min = number_at(text, 14),
        .tm_sec = number_at(text, 17),
    };
    const struct tm said = moment;

    *seconds = timegm(&moment);
    return moment.tm_year == said.tm_year && moment.tm_mon == said.tm_mon &&
           moment.tm_mday == said.tm_mday && moment.tm_hour == said.tm_hour &&
           moment.tm_min == said.tm_min && moment.tm_sec == said.tm_sec;
}

/* "Z", "+01:00" or "-01:00". */
static bool read_zone(struct bytes text, long long *seconds)
{
    bool is_east = has_form(text, "+00:00");

    *seconds = 0;
    if (bytes_equal(text, BYTES("Z"))) {
        return true;
    }
    if ((!is_east && !has_form(text, "-00:00")) || number_at(text, 1) > 23 ||
        number_at(text, 4) > 59) {
        return false;
    }
    *seconds = (number_at(text, 1) * 3600LL + number_at(text, 4) * 60LL) * (is_east ? 1 : -1);
    return true;
}

/* RFC 3339 section 5.6, in whole seconds. */
static bool read_moment(struct bytes text, uint64_t *milliseconds)
{
    long long seconds = 0;
    long long east = 0;
    bool good = text.length > DATE_TIME_LENGTH &&
                has_form(bytes_first(text, DATE_TIME_LENGTH), DATE_TIME_FORM) &&
                read_date_time(text, &seconds) &&
                read_zone(bytes_skip(text, DATE_TIME_LENGTH), &east) && seconds - east > 0;

    *milliseconds = good ? (uint64_t)(seconds - east) * 1000 : 0;
    return good;
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

static uint32_t count_of(struct bytes page, const char *name)
{
    uint32_t count = 0;
    const char *found;

    while ((found = memmem(page.at, page.length, name, strlen(name))) != NULL) {
        page = bytes_skip(page, (size_t)(found - page.at) + strlen(name));
        count++;
    }
    return count;
}

/* What the page may grow to: as if the names stayed beside the values. */
static size_t filled_size(struct bytes page)
{
    uint32_t count =
        count_of(page, "{place}") + count_of(page, "{wait}") + count_of(page, "{again}");

    return page.length + (size_t)count * WAITING_VALUE_MOST;
}

void config_read_waiting_page(struct reading *reading, const struct node *node, void *at)
{
    struct bytes *page = at;

    if (config_read_own_file(reading, node, WAITING_PAGE_MOST, page) &&
        filled_size(*page) > WAITING_FILLED_MOST) {
        READING_ERROR(
            reading, node,
            "'waiting_room.page': with {place}, {wait} and {again} filled in the page may "
            "have %zu bytes, and %u are the most; name them less often",
            filled_size(*page), WAITING_FILLED_MOST);
    }
}
