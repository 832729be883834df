/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a time as "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale. */
#include "http/date.h"

#include <string.h>

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void put_two(char *out, int number)
{
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
}

void http_date_format(time_t when, char out[HTTP_DATE_LENGTH + 1])
{
    const time_t epoch = 0;
    struct tm parts;

    if (gmtime_r(&when, &parts) == NULL || parts.tm_year < -1900 || parts.tm_year > 8099) {
        gmtime_r(&epoch, &parts);
    }
    memcpy(out, "Xxx, 00 Xxx 0000 00:00:00 GMT", HTTP_DATE_LENGTH + 1);
    memcpy(out, day_names + parts.tm_wday * 3, 3);
    put_two(out + 5, parts.tm_mday);
    memcpy(out + 8, month_names + parts.tm_mon * 3, 3);
    put_two(out + 12, (parts.tm_year + 1900) / 100);
    put_two(out + 14, (parts.tm_year + 1900) % 100);
    put_two(out + 17, parts.tm_hour);
    put_two(out + 20, parts.tm_min);
    put_two(out + 23, parts.tm_sec);
}
