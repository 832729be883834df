/* SPDX-License-Identifier: BSD-2-Clause */
/* base/memory/region: pieces that stay where they are, and what they cost. */
#include "base/memory/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdint.h>
#include <string.h>

static int set_up(void **state)
{
    *state = buffer_pool_new();
    return 0;
}

static int tear_down(void **state)
{
    struct buffer_pool *pool = *state;

    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_free(&pool);
    return 0;
}

static void a_small_one_costs_half_a_kilobyte(void **state)
{
    struct buffer_pool *pool = *state;
    struct region region = {0};

    assert_int_equal(region_held(&region), 0);
    for (int i = 0; i < 20; i++) {
        assert_non_null(region_take(&region, pool, 24));
    }
    assert_int_equal(region_held(&region), BUFFER_TINY_BYTES);
    region_release(&region, pool);
    assert_int_equal(region_held(&region), 0);
}

static void pieces_stay_apart_and_aligned(void **state)
{
    struct buffer_pool *pool = *state;
    struct region region = {0};
    char *pieces[300];

    for (size_t i = 0; i < 300; i++) {
        pieces[i] = region_take(&region, pool, i + 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % sizeof(void *), 0);
        memset(pieces[i], (int)(i % 256), i + 1);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t j = 0; j <= i; j++) {
            assert_int_equal((uint8_t)pieces[i][j], i % 256);
        }
    }
    region_release(&region, pool);
}

static void a_piece_is_as_large_as_a_buffer_at_most(void **state)
{
    struct buffer_pool *pool = *state;
    struct region region = {0};

    assert_null(region_take(&region, pool, REGION_PIECE_MOST + 1));
    assert_non_null(region_take(&region, pool, REGION_PIECE_MOST));
    assert_int_equal(region_held(&region), BUFFER_LARGE_BYTES);
    region_release(&region, pool);
}

static void what_was_handed_over_is_left_as_it_is(void **state)
{
    struct buffer_pool *pool = *state;
    struct buffer *buffer = buffer_borrow(pool, BUFFER_SMALL);
    const char *text = buffer->bytes;
    struct region region = {0};

    strcpy(buffer->bytes, "a head");
    region_take_over(&region, &buffer);
    assert_null(buffer);
    memset(region_take(&region, pool, 400), 'x', 400);
    buffer = buffer_borrow(pool, BUFFER_SMALL);
    region_take_over(&region, &buffer);
    memset(region_take(&region, pool, 80), 'y', 80); /* beside the 400 */
    assert_string_equal(text, "a head");
    assert_int_equal(region_held(&region), 2 * BUFFER_SMALL_BYTES + BUFFER_TINY_BYTES);
    region_release(&region, pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_one_costs_half_a_kilobyte),
        TEST(pieces_stay_apart_and_aligned),
        TEST(a_piece_is_as_large_as_a_buffer_at_most),
        TEST(what_was_handed_over_is_left_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
