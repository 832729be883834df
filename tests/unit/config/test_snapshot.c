/* SPDX-License-Identifier: BSD-2-Clause */
/* config/snapshot: lives until its last user has let go. */
#include "config/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void lives_as_long_as_a_reference(void **state)
{
    struct arena *arena = arena_new();
    struct settings *settings = arena_take(arena, sizeof(*settings));
    struct snapshot *first;
    struct snapshot *second;

    (void)state;
    settings->workers = 7;
    first = snapshot_new(arena, settings);
    second = snapshot_ref(first);
    snapshot_unref(&first);
    assert_null(first);
    assert_int_equal(snapshot_settings(second)->workers, 7); /* the sanitizer would tell */
    snapshot_unref(&second);
    assert_null(second);
    snapshot_unref(&second); /* letting go of nothing is nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_as_long_as_a_reference),
    };

    return cmocka_run_group_tests_name("config/snapshot", tests, NULL, NULL);
}
