/* SPDX-License-Identifier: BSD-2-Clause */
/* config/schema/suggest: the nearest known name, and silence where none is near. */
#include "config/schema/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect_nearest(const char *typed, const char *const *known, const char *expected)
{
    struct suggestion suggestion;
    char hint[HINT_MAX];

    config_suggest_begin(&suggestion, bytes_of(typed));
    for (; *known != NULL; known++) {
        config_suggest_offer(&suggestion, bytes_of(*known));
    }
    assert_string_equal(config_suggest_hint(&suggestion, hint), expected);
}

static const char *const names[] = {"head",   "headers", "listeners", "timeouts",
                                    "limits", "user",    "via",       NULL};

static void one_edit_away(void **state)
{
    (void)state;
    expect_nearest("heads", names, "; did you mean 'head'?");
    expect_nearest("timeout", names, "; did you mean 'timeouts'?");
    expect_nearest("tiemouts", names, "; did you mean 'timeouts'?"); /* two letters swapped */
    expect_nearest("USER", names, "; did you mean 'user'?");
    expect_nearest("lisenres", names, "; did you mean 'listeners'?");
}

static void nothing_near(void **state)
{
    (void)state;
    expect_nearest("colour", names, "");
    expect_nearest("x", names, "");
    expect_nearest("", names, "");
}

static void long_names_are_left_alone(void **state)
{
    static const char *const one[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        NULL};

    (void)state;
    expect_nearest(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", one,
        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_edit_away),
        cmocka_unit_test(nothing_near),
        cmocka_unit_test(long_names_are_left_alone),
    };

    return cmocka_run_group_tests_name("config/schema/suggest", tests, NULL, NULL);
}
