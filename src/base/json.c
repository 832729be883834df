/* SPDX-License-Identifier: BSD-2-Clause */
/* Punctuation and indentation; the escaping is in base/text.c. */
#include "base/json.h"

#include <time.h>

struct json json_on(struct page *page)
{
    return (struct json){.page = page};
}

static void break_line(struct json *json)
{
    if (json->rows != 0 && json->depth >= json->rows) {
        return;
    }
    page_add_char(json->page, '\n');
    for (uint32_t i = 0; i < json->depth; i++) {
        page_add_text(json->page, "  ");
    }
}

static void begin_member(struct json *json, const char *name)
{
    bool in_row = json->rows != 0 && json->depth >= json->rows;

    if (json->begun) {
        page_add_text(json->page, in_row ? ", " : ",");
    }
    if (json->depth > 0) {
        break_line(json);
    }
    json->begun = true;
    if (name != NULL) {
        page_add_char(json->page, '"');
        page_add_json(json->page, bytes_of(name));
        page_add_text(json->page, "\": ");
    }
}

static void begin(struct json *json, const char *name, char bracket)
{
    begin_member(json, name);
    page_add_char(json->page, bracket);
    json->depth++;
    json->begun = false;
}

static void end(struct json *json, char bracket)
{
    bool had_members = json->begun;
    bool was_row = json->depth == json->rows;

    json->depth--;
    if (had_members && !was_row) {
        break_line(json);
    }
    if (was_row) {
        json->rows = 0;
    }
    page_add_char(json->page, bracket);
    json->begun = true;
    if (json->depth == 0) {
        page_add_char(json->page, '\n');
    }
}

void json_begin_object(struct json *json, const char *name)
{
    begin(json, name, '{');
}

void json_begin_row(struct json *json, const char *name)
{
    begin(json, name, '{');
    if (json->rows == 0) {
        json->rows = json->depth;
    }
}

void json_end_object(struct json *json)
{
    end(json, '}');
}

void json_begin_list(struct json *json, const char *name)
{
    begin(json, name, '[');
}

void json_end_list(struct json *json)
{
    end(json, ']');
}

void json_bytes(struct json *json, const char *name, struct bytes value)
{
    begin_member(json, name);
    page_add_char(json->page, '"');
    page_add_json(json->page, value);
    page_add_char(json->page, '"');
}

void json_text(struct json *json, const char *name, const char *value)
{
    if (value != NULL) {
        json_bytes(json, name, bytes_of(value));
    } else {
        begin_member(json, name);
        page_add_text(json->page, "null");
    }
}

void json_number(struct json *json, const char *name, uint64_t value)
{
    begin_member(json, name);
    page_add_number(json->page, value);
}

void json_hundredths(struct json *json, const char *name, uint64_t value)
{
    begin_member(json, name);
    page_format(json->page, "%llu.%02u", (unsigned long long)(value / 100),
                (unsigned)(value % 100));
}

void json_flag(struct json *json, const char *name, bool value)
{
    begin_member(json, name);
    page_add_text(json->page, value ? "true" : "false");
}

void json_percent(struct json *json, const char *name, uint64_t value)
{
    const unsigned long long whole = value / 100;
    const unsigned rest = (unsigned)(value % 100);

    begin_member(json, name);
    if (rest == 0) {
        page_format(json->page, "\"%llu%%\"", whole);
    } else if (rest % 10 == 0) {
        page_format(json->page, "\"%llu.%u%%\"", whole, rest / 10);
    } else {
        page_format(json->page, "\"%llu.%02u%%\"", whole, rest);
    }
}

void json_time(struct json *json, const char *name, uint64_t realtime_s)
{
    time_t seconds = (time_t)realtime_s;
    struct tm parts;
    char text[64];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_text(json, name, text);
}
