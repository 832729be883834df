/* SPDX-License-Identifier: BSD-2-Clause */
/* When the memory that a crowd took is given back: told by `crowd`, which begins anew then. */
#include "tls/tls_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

static void come(struct tls_context *worker_context, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        tls_context_joined(worker_context);
    }
}

/* The largest number of connections at which memory was given back on the way down. */
static uint32_t trimmed_at(struct tls_context *worker_context)
{
    uint32_t crowd = worker_context->crowd;

    while (worker_context->connections > 0) {
        tls_context_left(worker_context);
        if (worker_context->crowd != crowd) {
            return worker_context->connections;
        }
    }
    return UINT32_MAX;
}

static void test_a_crowd_that_goes(void **state)
{
    struct tls_context worker_context = {0};

    (void)state;
    come(&worker_context, 800);
    assert_int_equal(trimmed_at(&worker_context), 100);
    assert_int_equal(trimmed_at(&worker_context), 12);
    assert_int_equal(trimmed_at(&worker_context), 1);
    assert_int_equal(trimmed_at(&worker_context), 0);
}

static void test_a_few_that_come_and_go(void **state)
{
    struct tls_context worker_context = {0};

    (void)state;
    for (int i = 0; i < 10; i++) {
        come(&worker_context, 200);
        assert_int_equal(trimmed_at(&worker_context), UINT32_MAX);
    }
}

static void test_a_few_after_a_crowd(void **state)
{
    struct tls_context worker_context = {0};
    int trims = 0;

    (void)state;
    come(&worker_context, 800);
    for (int i = 0; i < 100; i++) {
        trims += trimmed_at(&worker_context) != UINT32_MAX;
        come(&worker_context, 20);
    }
    assert_int_equal(trims, 4);
}

static size_t usable(size_t size)
{
    void *held = OPENSSL_malloc(size);
    size_t room = malloc_usable_size(held);

    assert_non_null(held);
    memset(held, 1, size);
    OPENSSL_free(held);
    return room;
}

static void test_small_pieces_have_few_sizes(void **state)
{
    size_t sizes = 0;
    size_t last = 0;

    (void)state;
    for (size_t size = 1; size <= 1000; size++) {
        size_t room = usable(size);

        assert_true(room >= size);
        sizes += room != last;
        last = room;
    }
    assert_in_range(sizes, 9, 12);
    assert_true(usable(5000) < 5100);
}

static void test_a_piece_that_grows_keeps_its_bytes(void **state)
{
    char *held = OPENSSL_malloc(5);

    (void)state;
    memcpy(held, "word", 5);
    for (size_t size = 5; size < 5000; size += 7) {
        held = OPENSSL_realloc(held, size);
        assert_string_equal(held, "word");
    }
    assert_null(OPENSSL_realloc(held, 0));
    assert_null(OPENSSL_malloc(0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crowd_that_goes),
        cmocka_unit_test(test_a_few_that_come_and_go),
        cmocka_unit_test(test_a_few_after_a_crowd),
        cmocka_unit_test(test_small_pieces_have_few_sizes),
        cmocka_unit_test(test_a_piece_that_grows_keeps_its_bytes),
    };

    tls_use_few_sizes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
