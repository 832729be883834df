/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_control.h"

#include <stddef.h>

bool cache_seconds_read(struct bytes text, uint32_t *seconds)
{
    uint64_t sum;

    if (text.length >= 2 && text.at[0] == '"' && text.at[text.length - 1] == '"') {
        text = (struct bytes){text.at + 1, text.length - 2};
    }
    if (!bytes_read_number(text, CACHE_SECONDS_MOST, &sum)) {
        return false;
    }
    *seconds = (uint32_t)sum;
    return true;
}

static const struct {
    struct bytes name;
    size_t flag;
} flags[] = {
    {BYTES("no-store"), offsetof(struct cache_control, no_store)},
    {BYTES("no-cache"), offsetof(struct cache_control, no_cache)},
    {BYTES("private"), offsetof(struct cache_control, is_private)},
    {BYTES("public"), offsetof(struct cache_control, is_public)},
    {BYTES("must-revalidate"), offsetof(struct cache_control, must_revalidate)},
    {BYTES("proxy-revalidate"), offsetof(struct cache_control, proxy_revalidate)},
    {BYTES("only-if-cached"), offsetof(struct cache_control, only_if_cached)},
};

static const struct {
    struct bytes name;
    size_t seconds;
} times[] = {
    {BYTES("max-age"), offsetof(struct cache_control, max_age)},
    {BYTES("s-maxage"), offsetof(struct cache_control, s_maxage)},
    {BYTES("max-stale"), offsetof(struct cache_control, max_stale)},
    {BYTES("min-fresh"), offsetof(struct cache_control, min_fresh)},
    {BYTES("stale-while-revalidate"), offsetof(struct cache_control, stale_while_revalidate)},
    {BYTES("stale-if-error"), offsetof(struct cache_control, stale_if_error)},
};

static void note_seconds(struct cache_seconds *seconds, struct bytes argument)
{
    uint32_t said = 0;

    if (!cache_seconds_read(argument, &said)) {
        said = 0;
    }
    seconds->seconds = seconds->said && seconds->seconds < said ? seconds->seconds : said;
    seconds->said = true;
}

static void note_directive(struct cache_control *control, struct bytes name, struct bytes argument,
                           bool has_argument)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (bytes_equal_fold(name, flags[i].name)) {
            *(bool *)((char *)control + flags[i].flag) = true;
            return;
        }
    }
    if (!has_argument && bytes_equal_fold(name, BYTES("max-stale"))) {
        control->max_stale_any = true;
        return;
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (bytes_equal_fold(name, times[i].name)) {
            note_seconds((struct cache_seconds *)(void *)((char *)control + times[i].seconds),
                         argument);
            return;
        }
    }
}

/* A string that does not end hides what stands behind it. */
static bool has_open_string(struct bytes element)
{
    bool open = false;

    for (size_t i = 0; i < element.length; i++) {
        if (open && element.at[i] == '\\') {
            i++;
        } else if (element.at[i] == '"') {
            open = !open;
        }
    }
    return open;
}

void cache_control_read(struct bytes value, struct cache_control *control)
{
    struct bytes element;

    while (http_list_next(&value, &element)) {
        const char *sign = memchr(element.at, '=', element.length);
        size_t length = sign != NULL ? (size_t)(sign - element.at) : element.length;
        struct bytes argument =
            sign != NULL ? bytes_skip(element, length + 1) : (struct bytes){element.at, 0};

        if (has_open_string(element)) {
            control->no_store = true;
        }
        note_directive(control, bytes_trim(bytes_first(element, length)), bytes_trim(argument),
                       sign != NULL);
    }
}
