/* SPDX-License-Identifier: BSD-2-Clause */
/* base/memory/arena: zeroed, aligned, copied, and honest about running out. */
#include "base/memory/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    for (size_t size = 0; size < 5000; size += 37) {
        unsigned char *taken = arena_take(arena, size);

        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(taken[i], 0);
        }
        memset(taken, 0xee, size);
    }
    assert_false(arena_failed(arena));
    arena_free(&arena);
    assert_null(arena);
}

static void larger_than_any_block_is_served(void **state)
{
    struct arena *arena = arena_new();
    char *taken = arena_take(arena, 5u * 1024 * 1024);

    (void)state;
    assert_non_null(taken);
    taken[5u * 1024 * 1024 - 1] = 1;
    assert_non_null(arena_take(arena, 1));
    arena_free(&arena);
}

static void copies_are_terminated(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    assert_string_equal(arena_copy(arena, bytes_first(BYTES("payments-v1"), 8)), "payments");
    assert_string_equal(arena_copy(arena, (struct bytes){NULL, 0}), "");
    assert_string_equal(arena_format(arena, "%s:%d", "origin", 80), "origin:80");
    arena_free(&arena);
}

static void impossible_sizes_fail_and_are_remembered(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    assert_null(arena_take(arena, SIZE_MAX));
    assert_true(arena_failed(arena));
    assert_non_null(arena_take(arena, 8));
    assert_true(arena_failed(arena));
    arena_free(&arena);
}

static void freeing_nothing_is_harmless(void **state)
{
    struct arena *arena = NULL;

    (void)state;
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(larger_than_any_block_is_served),
        cmocka_unit_test(copies_are_terminated),
        cmocka_unit_test(impossible_sizes_fail_and_are_remembered),
        cmocka_unit_test(freeing_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
