/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_control.h"

#include "http/characters.h"

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

/* One quoted-string of RFC 9110 section 5.6.4 and nothing behind it. */
static bool is_quoted_string(struct bytes text)
{
    size_t at = 1;

    if (text.length < 2 || text.at[0] != '"') {
        return false;
    }
    while (at < text.length && text.at[at] != '"') {
        at += text.at[at] == '\\' ? 2 : 1;
    }
    return at + 1 == text.length;
}

/* token [ "=" ( token / quoted-string ) ]: RFC 9111 section 5.2. */
static bool is_well_formed(struct bytes name, bool has_argument, struct bytes argument)
{
    return http_all_are(name, HTTP_CHAR_TOKEN) &&
           (!has_argument || http_all_are(argument, HTTP_CHAR_TOKEN) || is_quoted_string(argument));
}

/* Other readers may find another directive in what is not well-formed, so that it counts as the one that
 * lets the least happen. */
void cache_control_read(struct bytes value, struct cache_control *control)
{
    struct bytes element;

    while (http_list_next(&value, &element)) {
        const char *sign = memchr(element.at, '=', element.length);
        size_t length = sign != NULL ? (size_t)(sign - element.at) : element.length;
        struct bytes name = bytes_first(element, length);
        struct bytes argument =
            sign != NULL ? bytes_skip(element, length + 1) : (struct bytes){element.at, 0};

        if (is_well_formed(name, sign != NULL, argument)) {
            note_directive(control, name, argument, sign != NULL);
        } else {
            control->no_store = true;
        }
    }
}

bool cache_pragma_forbids(struct bytes value)
{
    struct cache_control pragma = {.no_store = false};

    cache_control_read(value, &pragma);
    return pragma.no_cache || pragma.no_store;
}
