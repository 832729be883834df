/* SPDX-License-Identifier: BSD-2-Clause */
/* base/memory/pieces: pieces of all sizes, apart from each other, that keep their content as they
 * are resized and whose memory goes back. */
#include "base/memory/pieces.h"

#include "base/memory/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define LARGEST 1300

static bool holds(const unsigned char *piece, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++) {
        if (piece[i] != byte) {
            return false;
        }
    }
    return true;
}

static void pieces_of_all_sizes_are_apart(void **state)
{
    static unsigned char *pieces[LARGEST];
    struct piece_pool *pool = piece_pool_new();

    (void)state;
    assert_non_null(pool);
    for (size_t size = 0; size < LARGEST; size++) {
        pieces[size] = piece_take(pool, size);
        assert_non_null(pieces[size]);
        assert_int_equal((uintptr_t)pieces[size] % 8, 0);
        memset(pieces[size], (int)(size % 256), size);
    }
    for (size_t size = 0; size < LARGEST; size++) {
        assert_true(holds(pieces[size], size, (unsigned char)size));
        assert_true(piece_held(pieces[size]) >= size);
        piece_give(pool, pieces[size]);
    }
    piece_pool_free(&pool);
}

static void check_resized(struct piece_pool *pool)
{
    static const size_t sizes[] = {1, 24, 25, 60, 1000, 1017, 5000, 6000, 900, 3, 2000, 0};
    unsigned char *piece = piece_take(pool, 0);
    size_t before = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t kept = sizes[i] < before ? sizes[i] : before;

        piece = piece_resize(pool, piece, sizes[i]);
        assert_non_null(piece);
        assert_true(holds(piece, kept, 'k'));
        memset(piece, 'k', sizes[i]);
        before = sizes[i];
    }
    piece_give(pool, piece);
}

static void a_piece_keeps_its_content_as_it_is_resized(void **state)
{
    struct piece_pool *pool = piece_pool_new();

    (void)state;
    check_resized(pool);
    check_resized(NULL);
    piece_pool_free(&pool);
}

static void what_cannot_be_had_is_refused(void **state)
{
    struct piece_pool *pool = piece_pool_new();
    void *piece = piece_take(pool, 10);

    (void)state;
    assert_null(piece_take(pool, SIZE_MAX));
    assert_null(piece_resize(pool, piece, SIZE_MAX));
    piece_give(pool, piece);
    piece_give(pool, NULL);
    assert_int_equal(piece_held(NULL), 0);
    piece_pool_free(&pool);
}

static void what_a_burst_had_goes_back(void **state)
{
    static void *pieces[5000];
    struct slab_account account = {0};
    struct piece_pool *pool = piece_pool_new();

    (void)state;
    piece_pool_account(pool, &account);
    for (size_t i = 0; i < 5000; i++) {
        pieces[i] = piece_take(pool, 100);
    }
    assert_true(atomic_load(&account.reserved) >= 5000 * 100);
    for (size_t i = 0; i < 5000; i++) {
        piece_give(pool, pieces[i]);
    }
    piece_pool_trim(pool);
    piece_pool_trim(pool);
    assert_true(atomic_load(&account.reserved) < 100 * 1024);
    piece_pool_free(&pool);
    assert_int_equal(atomic_load(&account.reserved), 0);
}

/* An HTTP/2 session that gets none is over, with all its streams. */
static void beyond_the_ceiling_of_slabs_there_are_still_pieces(void **state)
{
    struct slab_account account = {.ceiling = 1};
    struct piece_pool *pool = piece_pool_new();
    unsigned char *piece;

    (void)state;
    piece_pool_account(pool, &account);
    piece = piece_take(pool, 100);
    assert_non_null(piece);
    assert_int_equal(atomic_load(&account.reserved), 0);
    assert_true(piece_held(piece) < 200);
    memset(piece, 'k', 100);
    atomic_store(&account.ceiling, 0); /* slabs come again: it moves into one */
    piece = piece_resize(pool, piece, 101);
    assert_true(holds(piece, 100, 'k'));
    assert_true(atomic_load(&account.reserved) > 0);
    piece_give(pool, piece);
    atomic_store(&account.ceiling, 1);
    check_resized(pool);
    piece_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_all_sizes_are_apart),
        cmocka_unit_test(a_piece_keeps_its_content_as_it_is_resized),
        cmocka_unit_test(what_cannot_be_had_is_refused),
        cmocka_unit_test(what_a_burst_had_goes_back),
        cmocka_unit_test(beyond_the_ceiling_of_slabs_there_are_still_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
