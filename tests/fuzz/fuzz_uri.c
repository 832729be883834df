/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a path, an authority and a query. A normal path is normal: shorter or as long,
 * the same when taken again, without "//", dot segments and escapes of unreserved characters. */
#include "base/check.h"
#include "http/path_readings.h"
#include "http/uri.h"

#include <ctype.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static bool contains(struct bytes text, const char *what)
{
    return text.length > 0 && memmem(text.at, text.length, what, strlen(what)) != NULL;
}

static bool ends_with(struct bytes text, const char *what)
{
    size_t length = strlen(what);

    return text.length >= length && memcmp(text.at + text.length - length, what, length) == 0;
}

static void check_escapes(struct bytes normal)
{
    for (size_t i = 0; i < normal.length; i++) {
        if (normal.at[i] == '%') {
            char digits[3] = {0};
            long byte;

            CHECK(i + 2 < normal.length);
            memcpy(digits, normal.at + i + 1, 2);
            CHECK(isxdigit((unsigned char)digits[0]) && !islower((unsigned char)digits[0]));
            CHECK(isxdigit((unsigned char)digits[1]) && !islower((unsigned char)digits[1]));
            byte = strtol(digits, NULL, 16);
            CHECK(byte != 0);
            CHECK(byte >= 0x80 || (!isalnum((int)byte) && strchr("-._~", (int)byte) == NULL));
        }
    }
}

static void check_normal(struct bytes normal, size_t length_before)
{
    char *scratch = malloc(normal.length);
    struct bytes again;
    unsigned marks;

    CHECK(normal.length <= length_before);
    CHECK(uri_normalise_path(normal, scratch, &again, &marks));
    CHECK((marks & (URI_DOTS | URI_ESCAPES | URI_EMPTY)) == 0);
    CHECK(again.at == normal.at && again.length == normal.length);
    if (normal.length > 0 && normal.at[0] == '/') {
        CHECK(!contains(normal, "//") && !contains(normal, "/./") && !contains(normal, "/../"));
        CHECK(!ends_with(normal, "/.") && !ends_with(normal, "/.."));
        check_escapes(normal);
    }
    free(scratch);
}

/* Each stays in the room that was promised, and is no longer than the path. */
static void try_readings(struct bytes path)
{
    char *room = malloc(2 * path.length);
    struct path_readings readings;
    struct path_reading reading;
    unsigned count = 0;

    path_readings_begin(&readings, path, room);
    while (path_readings_next(&readings, &reading) == PATH_READING) {
        CHECK(reading.path.length <= path.length && reading.habits != 0 && count++ < 512);
        CHECK(reading.climbs || reading.path.at[0] == '/');
    }
    free(room);
}

static void try_path(struct bytes path)
{
    char *scratch = malloc(path.length);
    struct bytes normal;
    unsigned marks;

    if (uri_normalise_path(path, scratch, &normal, &marks)) {
        CHECK(normal.at == path.at || normal.at == scratch);
        check_normal(normal, path.length);
        if (normal.length > 0 && normal.at[0] == '/') {
            try_readings(normal);
            try_readings(uri_normalise_escapes(path, scratch));
        }
    }
    free(scratch);
}

static void try_authority(struct bytes authority)
{
    struct bytes host;
    struct bytes port;

    if (!uri_split_authority(authority, &host, &port)) {
        return;
    }
    CHECK(host.at == authority.at && host.length > 0 && host.length <= authority.length);
    CHECK(port.at + port.length == authority.at + authority.length && port.length <= 5);
    CHECK(host.length + port.length + 1 >= authority.length);
    for (size_t i = 0; i < authority.length; i++) {
        CHECK(authority.at[i] > ' ' && strchr("/?#@\\,\"", authority.at[i]) == NULL);
    }
}

/* The name to look for is what stands before the first "=". */
static void try_query(struct bytes query)
{
    const char *sign = query.length > 0 ? memchr(query.at, '=', query.length) : NULL;
    struct bytes name = bytes_first(query, sign != NULL ? (size_t)(sign - query.at) : 0);
    struct bytes value;
    bool found = uri_query_value(query, name, &value);

    CHECK(sign == NULL || found || memchr(name.at, '&', name.length) != NULL);
    if (found) {
        CHECK(value.at >= query.at && value.at + value.length <= query.at + query.length);
        CHECK(value.length == 0 || memchr(value.at, '&', value.length) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    char *copy = malloc(length);
    struct bytes text = {copy, length};

    memcpy(copy, input, length);
    try_path(text);
    try_authority(text);
    try_query(text);
    free(copy);
    return 0;
}
