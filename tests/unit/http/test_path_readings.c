/* SPDX-License-Identifier: BSD-2-Clause */
/* http/path_readings: each habit alone, in the order of real servers, and the bound of the work. */
#include "http/path_readings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void expect_read(const char *path, unsigned habits, const char *expected)
{
    char *room = malloc(2 * strlen(path));
    struct path_reading reading = path_read(bytes_of(path), habits, room);

    if (expected == NULL) {
        assert_true(reading.climbs);
    } else if (reading.climbs || !bytes_equal(reading.path, bytes_of(expected))) {
        fail_msg("%s read with %x is %.*s", path, habits, (int)reading.path.length,
                 reading.path.at);
    }
    free(room);
}

static void each_habit_alone(void **state)
{
    (void)state;
    expect_read("/a;v=1/b;w", PATH_CUTS_FIRST, "/a/b");
    expect_read("/a%3Bv/b", PATH_CUTS_FIRST, "/a%3Bv/b");
    expect_read("/a%2Fb%5Cc%3Bd", PATH_DECODES, "/a/b\\c;d");
    expect_read("/%C3%A9%20%2F", PATH_DECODES, "/%C3%A9%20/"); /* as routes spell them */
    expect_read("/a%3Fb%23c", PATH_DECODES, "/a%3Fb%23c");
    expect_read("/a%3Fb", PATH_DECODES | PATH_ENDS_AT_MARKS, "/a");
    expect_read("/a%23b", PATH_DECODES | PATH_ENDS_AT_MARKS, "/a");
    expect_read("/a%252Fb%2541%25zz%25", PATH_DECODES_TWICE, "/a/bA%25zz%25");
    expect_read("/a%252Fb", PATH_DECODES, "/a%252Fb");
    expect_read("/%25c3%25a9", PATH_DECODES_TWICE, "/%C3%A9");
    expect_read("/a\\b", PATH_BACKSLASHES, "/a/b");
    expect_read("//host/a/b", PATH_AUTHORITY, "/a/b");
    expect_read("//host", PATH_AUTHORITY, "/");
    expect_read("///host/a", PATH_AUTHORITY, "/a");
    expect_read("////host//a", PATH_AUTHORITY, "//a");
    expect_read("///", PATH_AUTHORITY, "/");
    expect_read("/a//b///c//", PATH_MERGES, "/a/b/c/");
    expect_read("/a/./b/../c/.", PATH_DOTS, "/a/c/");
    expect_read("/a//../b", PATH_DOTS, "/a/b");
    expect_read("/a//../b", PATH_DOTS | PATH_MERGES, "/b");
    expect_read("/a/..", PATH_DOTS, "/");
    expect_read("/a/../..", PATH_DOTS, NULL);
}

static void as_real_servers_do(void **state)
{
    (void)state;
    /* Tomcat: parameters, then escapes, then segments. */
    expect_read("/pub/..;x=%2F/admin", PATH_CUTS_FIRST | PATH_DECODES | PATH_DOTS, "/admin");
    expect_read("/pub;/%2E/admin", PATH_CUTS_FIRST, "/pub/%2E/admin");
    /* Others cut after decoding. */
    expect_read("/pub/..%3B/admin", PATH_DECODES | PATH_CUTS_LAST | PATH_DOTS, "/admin");
    expect_read("/a;b%2Fc", PATH_DECODES | PATH_CUTS_LAST, "/a/c");
    /* WHATWG URL: backslashes, then the host. */
    expect_read("/\\x/admin", PATH_BACKSLASHES | PATH_AUTHORITY | PATH_DOTS, "/admin");
    expect_read("/x/..%5Cadmin", PATH_DECODES | PATH_BACKSLASHES | PATH_DOTS, "/admin");
}

/* Whether one of the readings of a path is this. */
static bool is_among(const char *path, const char *wanted)
{
    char *room = malloc(2 * strlen(path));
    struct path_readings readings;
    struct path_reading reading;
    bool found = false;

    path_readings_begin(&readings, bytes_of(path), room);
    while (path_readings_next(&readings, &reading) == PATH_READING) {
        found = found || bytes_equal(reading.path, bytes_of(wanted));
    }
    free(room);
    return found;
}

static void all_that_differ_are_walked(void **state)
{
    (void)state;
    assert_true(is_among("/pub/..%2Fadmin", "/admin"));
    assert_true(is_among("/pub/..%2Fadmin", "/pub/../admin"));
    assert_true(is_among("/pub;a/..;b%2Fadmin", "/admin"));
    assert_true(is_among("/pub%5C..%255Cadmin", "/admin"));
    assert_true(is_among("/pub/%252E%252E/admin", "/admin"));
    assert_true(is_among("/pub/%252E%252E%253Bx/admin", "/admin"));
    assert_true(is_among("/admin%3Bx", "/admin"));
    assert_true(is_among("/admin%23x", "/admin"));
    assert_true(is_among("/%2F%2Fadmin", "/admin"));
    assert_true(is_among("/%2Fhost%2Fadmin", "/admin"));
    assert_false(is_among("/100%25", "/100%25")); /* nothing to read otherwise */
}

static unsigned count(struct bytes path, enum path_step *end)
{
    char *room = malloc(2 * path.length);
    struct path_readings readings;
    struct path_reading reading;
    unsigned steps = 0;

    path_readings_begin(&readings, path, room);
    while ((*end = path_readings_next(&readings, &reading)) == PATH_READING) {
        steps++;
    }
    free(room);
    return steps;
}

static void an_honest_path_has_few(void **state)
{
    enum path_step end;

    (void)state;
    assert_int_equal(count(BYTES("/projects/a%2Fb"), &end), 1);
    assert_int_equal(count(BYTES("/a;v=1/b"), &end), 1);
    assert_int_equal(count(BYTES("/100%25"), &end), 0);
    assert_true(count(BYTES("/go/https%3A%2F%2Fa.example%2Fb%3Fc%3D1%23d"), &end) <= 12);
    assert_int_equal(end, PATH_NO_MORE);
}

static void the_work_is_bounded(void **state)
{
    static const char piece[] = "/a;%2F..;%5C%253B%3F%252E//";
    char path[30000];
    enum path_step end;

    (void)state;
    for (size_t i = 0; i < sizeof(path); i++) {
        path[i] = piece[i % (sizeof(piece) - 1)];
    }
    assert_true(count((struct bytes){path, 27}, &end) > 50);
    assert_int_equal(end, PATH_NO_MORE);
    assert_true(count((struct bytes){path, sizeof(path)}, &end) <= 6);
    assert_int_equal(end, PATH_TOO_MANY);
}

static void habits_have_words(void **state)
{
    char text[PATH_HABITS_TEXT_MAX];

    (void)state;
    path_habits_text(PATH_DECODES | PATH_DOTS, text);
    assert_string_equal(text, "decoded, dots removed");
    path_habits_text(0x1ff, text);
    assert_true(strlen(text) < sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_habit_alone),           cmocka_unit_test(as_real_servers_do),
        cmocka_unit_test(all_that_differ_are_walked), cmocka_unit_test(an_honest_path_has_few),
        cmocka_unit_test(the_work_is_bounded),        cmocka_unit_test(habits_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
