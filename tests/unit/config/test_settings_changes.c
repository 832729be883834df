/* SPDX-License-Identifier: BSD-2-Clause */
/* config/settings_changes: what two files differ in, by identity, and how it is told. */
#include "config/settings_changes.h"

#include "config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static struct snapshot *load(const char *yaml)
{
    struct config_errors *errors = NULL;
    struct snapshot *snapshot = config_load_bytes("test.yaml", bytes_of(yaml), &errors);

    if (snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    assert_non_null(snapshot);
    return snapshot;
}

#define FIRST \
    "workers: 1\n" \
    "timeouts: {head: 5s, drain: 9s}\n" \
    "listeners: [{address: \"127.0.0.1:80\"}, {address: \"127.0.0.1:0\"}, " \
    "{address: \"127.0.0.1:0\", proxy_protocol: {from: [10.0.0.0/8]}}]\n" \
    "services:\n" \
    "  one: {origins: [\"10.0.0.1:80\", \"10.0.0.2:80\"]}\n" \
    "  two: {origins: [\"10.0.0.1:80\"]}\n" \
    "routes:\n" \
    "  - {name: a, match: {path: /a}, service: one}\n" \
    "  - {name: b, match: {path: /b}, service: two}\n" \
    "  - {name: c, service: two}\n"

static void changes_of(const char *before, const char *now,
                       void (*check)(const struct settings_changes *changes))
{
    struct snapshot *first = load(before);
    struct snapshot *second = load(now);
    struct settings_changes *changes =
        settings_changes_new(snapshot_settings(first), snapshot_settings(second));

    assert_non_null(changes);
    check(changes);
    settings_changes_free(&changes);
    assert_null(changes);
    snapshot_unref(&first);
    snapshot_unref(&second);
}

static void expect_line(const struct settings_changes *changes, const char *expected)
{
    char line[1024];

    assert_int_equal(settings_changes_report(changes, line, sizeof(line)), strlen(expected));
    assert_string_equal(line, expected);
}

static void sees_all_kept(const struct settings_changes *changes)
{
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(settings_changes_former(changes, CHANGE_OF_LISTENERS, i), i);
        assert_true(settings_changes_is_kept(changes, CHANGE_OF_ROUTES, i));
    }
    assert_false(settings_changes_option(changes, "workers"));
    assert_false(settings_changes_option(changes, "user"));
    expect_line(changes, "listeners: 3 kept; services: 2 kept; origins: 2 kept; routes: 3 kept");
}

static void the_same_file_changes_nothing(void **state)
{
    (void)state;
    changes_of(FIRST, FIRST, sees_all_kept);
}

/* Another spelling: order of keys, quotes, comments, flow or block. */
static void spelling_does_not_count(void **state)
{
    (void)state;
    changes_of(FIRST,
               "timeouts:\n  drain: \"9s\"\n  head: 5s # short\n"
               "workers: 1\n"
               "listeners:\n"
               "  - address: 127.0.0.1:80\n"
               "  - address: 127.0.0.1:0\n"
               "  - {proxy_protocol: {from: [10.0.0.0/8]}, address: 127.0.0.1:0}\n"
               "services:\n"
               "  two:\n    origins: [10.0.0.1:80]\n"
               "  one:\n    origins:\n      - 10.0.0.1:80\n      - 10.0.0.2:80\n"
               "routes:\n"
               "  - {match: {path: /a}, name: a, service: one}\n"
               "  - {name: b, service: two, match: {path: /b}}\n"
               "  - {service: two, name: c}\n",
               sees_all_kept);
}

static void sees_changes(const struct settings_changes *changes)
{
    assert_int_equal(settings_changes_former(changes, CHANGE_OF_LISTENERS, 0), 1);
    assert_int_equal(settings_changes_former(changes, CHANGE_OF_LISTENERS, 1), CHANGES_NONE);
    assert_true(settings_changes_is_removed(changes, CHANGE_OF_LISTENERS, 0));
    assert_false(settings_changes_is_removed(changes, CHANGE_OF_LISTENERS, 1));
    assert_int_equal(settings_changes_former(changes, CHANGE_OF_ROUTES, 0), 2);
    assert_true(settings_changes_is_kept(changes, CHANGE_OF_ROUTES, 0));
    assert_int_equal(settings_changes_former(changes, CHANGE_OF_ROUTES, 1), 0);
    assert_false(settings_changes_is_kept(changes, CHANGE_OF_ROUTES, 1));
    assert_int_equal(settings_changes_count(changes, CHANGE_OF_ORIGINS, CHANGE_ADDED), 1);
    assert_true(settings_changes_option(changes, "timeouts.head"));
    assert_true(settings_changes_option(changes, "via"));
    assert_true(settings_changes_option(changes, "timeouts.drain"));
    assert_false(settings_changes_option(changes, "workers"));
    expect_line(changes,
                "listeners: 1 added (127.0.0.9:81), 2 removed (127.0.0.1:80, 127.0.0.1:0), 1 kept; "
                "services: 1 changed (one), 1 kept; "
                "origins: 1 added (10.0.0.3:80), 1 removed (10.0.0.2:80), 1 kept; "
                "routes: 1 added (d), 1 changed (a), 1 removed (b), 1 kept; "
                "options: 1 added (via), 1 changed (timeouts.head), 1 removed (timeouts.drain)");
}

static void what_changed_is_found_by_name(void **state)
{
    (void)state;
    changes_of(FIRST,
               "workers: 1\n"
               "via: other\n"
               "timeouts: {head: 6s}\n"
               "listeners: [{address: \"127.0.0.1:0\"}, {address: \"127.0.0.9:81\"}]\n"
               "services:\n"
               "  one: {origins: [\"10.0.0.1:80\", \"10.0.0.3:80\"]}\n"
               "  two: {origins: [\"10.0.0.1:80\"]}\n"
               "routes:\n"
               "  - {name: c, service: two}\n"
               "  - {name: a, match: {path: /a}, service: two}\n"
               "  - {name: d, match: {path: /d}, service: one}\n",
               sees_changes);
}

static void sees_many(const struct settings_changes *changes)
{
    char line[1024];
    char little[20];

    settings_changes_report(changes, line, sizeof(line));
    assert_non_null(strstr(line, "routes: 7 added (r1, r2, r3, r4, r5, ...), 1 removed (all)"));
    assert_int_equal(settings_changes_report(changes, little, sizeof(little)), sizeof(little) - 1);
    assert_int_equal(strlen(little), sizeof(little) - 1);
}

static void long_lists_are_cut(void **state)
{
    (void)state;
    changes_of("listeners: [{address: \"127.0.0.1:80\"}]\nroutes: [{name: all, respond: {}}]\n",
               "listeners: [{address: \"127.0.0.1:80\"}]\nroutes:\n"
               "  - {name: r1, match: {path: /1}, respond: {}}\n"
               "  - {name: r2, match: {path: /2}, respond: {}}\n"
               "  - {name: r3, match: {path: /3}, respond: {}}\n"
               "  - {name: r4, match: {path: /4}, respond: {}}\n"
               "  - {name: r5, match: {path: /5}, respond: {}}\n"
               "  - {name: r6, match: {path: /6}, respond: {}}\n"
               "  - {name: r7, match: {path: /7}, respond: {}}\n",
               sees_many);
}

static void prints_marks(const struct settings_changes *changes)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    settings_changes_print(changes, out);
    fclose(out);
    assert_string_equal(text, "+ route new\n~ route all\n~ option via\n");
    free(text);
}

static void each_change_has_a_mark(void **state)
{
    (void)state;
    changes_of("via: a\nlisteners: [{address: \"127.0.0.1:80\"}]\n"
               "routes: [{name: all, respond: {}}]\n",
               "via: b\nlisteners: [{address: \"127.0.0.1:80\"}]\n"
               "routes: [{name: new, match: {path: /n}, respond: {}}, "
               "{name: all, respond: {status: 201}}]\n",
               prints_marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_file_changes_nothing), cmocka_unit_test(spelling_does_not_count),
        cmocka_unit_test(what_changed_is_found_by_name), cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(each_change_has_a_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
