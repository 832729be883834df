/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/repeats: what was seen lately is known, and memory is bounded. */
#include "exchange/repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define A_SECOND 1000000u

static void seen_again_within_the_window(void **state)
{
    struct repeats *repeats = repeats_new();

    (void)state;
    assert_false(repeats_note(repeats, 7, 0));
    assert_true(repeats_note(repeats, 7, A_SECOND));
    assert_false(repeats_note(repeats, 7 + (1ULL << 32), A_SECOND));
    /* Each time renews it. */
    assert_true(repeats_note(repeats, 7, (uint64_t)(REPEATS_WINDOW_S + 1) * A_SECOND));
    assert_false(repeats_note(repeats, 7, (uint64_t)(2 * REPEATS_WINDOW_S + 2) * A_SECOND));
    repeats_free(&repeats);
}

/* Among very many, the latest are known. */
static void the_oldest_makes_room(void **state)
{
    struct repeats *repeats = repeats_new();

    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        assert_false(repeats_note(repeats, i << 32, i * A_SECOND));
    }
    for (uint64_t i = 1; i < 5; i++) {
        assert_true(repeats_note(repeats, i << 32, 5 * A_SECOND));
    }
    assert_false(repeats_note(repeats, 0, 5 * A_SECOND));
    repeats_free(&repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seen_again_within_the_window),
        cmocka_unit_test(the_oldest_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
