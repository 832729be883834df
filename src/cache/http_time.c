/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/http_time.h"

#include <time.h>

/* One form: letters stand for what they read, all else for itself. */
static const struct bytes forms[] = {
    BYTES("www, dd MMM yyyy hh:mm:ss GMT"), /* IMF-fixdate */
    BYTES("www MMM DD hh:mm:ss yyyy"),      /* asctime: the day may have a blank before it */
};

static int month_of(const char *at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (memcmp(names + (size_t)i * 3, at, 3) == 0) {
            return i;
        }
    }
    return -1;
}

static bool add_digit(int *number, char digit)
{
    if (digit < '0' || digit > '9') {
        return false;
    }
    *number = *number * 10 + (digit - '0');
    return true;
}

static bool read_one(char kind, const char *at, struct tm *parts, int *year)
{
    switch (kind) {
    case 'w':
        return true;
    case 'd':
        return add_digit(&parts->tm_mday, *at);
    case 'D':
        return (*at == ' ' && parts->tm_mday == 0) || add_digit(&parts->tm_mday, *at);
    case 'y':
        return add_digit(year, *at);
    case 'h':
        return add_digit(&parts->tm_hour, *at);
    case 'm':
        return add_digit(&parts->tm_min, *at);
    case 's':
        return add_digit(&parts->tm_sec, *at);
    default:
        return kind == *at;
    }
}

static bool read_form(struct bytes form, struct bytes text, struct tm *parts, int *year)
{
    if (text.length != form.length) {
        return false;
    }
    for (size_t i = 0; i < form.length; i++) {
        if (form.at[i] == 'M' && form.at[i + 1] == 'M') {
            parts->tm_mon = month_of(text.at + i);
            if (parts->tm_mon < 0) {
                return false;
            }
            i += 2;
        } else if (!read_one(form.at[i], text.at + i, parts, year)) {
            return false;
        }
    }
    return true;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": more than 50 years ahead means the century before. */
static bool read_rfc850(struct bytes text, struct tm *parts, int *year)
{
    const char *comma = memchr(text.at, ',', text.length);
    time_t now = time(NULL);
    struct tm today;

    if (comma == NULL || !read_form(BYTES(", dd-MMM-yy hh:mm:ss GMT"),
                                    bytes_skip(text, (size_t)(comma - text.at)), parts, year)) {
        return false;
    }
    gmtime_r(&now, &today);
    *year += (today.tm_year + 1900) / 100 * 100;
    *year -= *year > today.tm_year + 1950 ? 100 : 0;
    return true;
}

static bool is_sound(const struct tm *parts, int year)
{
    return year >= 1970 && parts->tm_mday >= 1 && parts->tm_mday <= 31 && parts->tm_hour <= 23 &&
           parts->tm_min <= 59 && parts->tm_sec <= 60;
}

bool http_time_read(struct bytes text, int64_t *seconds)
{
    struct tm parts;
    bool read = false;
    int year = 0;

    for (size_t i = 0; !read && i < sizeof(forms) / sizeof(forms[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        year = 0;
        read = read_form(forms[i], text, &parts, &year);
    }
    if (!read && text.length > 0) {
        memset(&parts, 0, sizeof(parts));
        year = 0;
        read = read_rfc850(text, &parts, &year);
    }
    if (!read || !is_sound(&parts, year)) {
        return false;
    }
    parts.tm_year = year - 1900;
    *seconds = timegm(&parts);
    return true;
}
