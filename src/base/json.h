/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes JSON onto a page, a member a call; commas and line breaks come by themselves. Names are
 * NULL inside of lists. Each object is on lines of its own unless it is a row (json_begin_row):
 * people read this too. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/page.h"

struct json {
    struct page *page;
    uint32_t depth;
    uint32_t rows; /* depth from which all is on one line; 0: none */
    bool begun;    /* the present object or list has a member */
};

struct json json_on(struct page *page);
void json_begin_object(struct json *json, const char *name);
/* An object that stands on one line. */
void json_begin_row(struct json *json, const char *name);
void json_end_object(struct json *json);
void json_begin_list(struct json *json, const char *name);
void json_end_list(struct json *json);

void json_text(struct json *json, const char *name, const char *value); /* NULL value: null */
void json_bytes(struct json *json, const char *name, struct bytes value);
void json_number(struct json *json, const char *name, uint64_t value);
/* A number with two decimals; `value` in hundredths. */
void json_hundredths(struct json *json, const char *name, uint64_t value);
void json_flag(struct json *json, const char *name, bool value);
/* Counted in 0.01 %, as the configuration would say it: 9500 is "95%", 5 is "0.05%". */
void json_percent(struct json *json, const char *name, uint64_t value);
/* Seconds since 1970, as "2025-01-31T23:59:59Z". */
void json_time(struct json *json, const char *name, uint64_t realtime_s);

#endif
