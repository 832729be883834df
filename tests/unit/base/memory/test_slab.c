/* SPDX-License-Identifier: BSD-2-Clause */
/* base/memory/slab: objects that do not overlap, the warmest first, memory that goes back. */
#include "base/memory/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANY 5000

/* This program's own way to the kernel, so that memory can run out. */
static bool kernel_has_none;

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (kernel_has_none) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

static void objects_are_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 24, 200, 2048, 2049, 4160, 32832, 200000};

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct slab_pool *pool = slab_pool_new(sizes[s]);
        unsigned char *objects[200];

        assert_non_null(pool);
        for (int i = 0; i < 200; i++) {
            objects[i] = slab_take(pool);
            assert_non_null(objects[i]);
            assert_int_equal((uintptr_t)objects[i] % 16, 0);
            memset(objects[i], i, sizes[s]);
        }
        for (int i = 0; i < 200; i++) {
            assert_int_equal(objects[i][0], i);
            assert_int_equal(objects[i][sizes[s] - 1], i);
            slab_give(pool, objects[i]);
        }
        slab_pool_free(&pool);
        assert_null(pool);
    }
}

static void the_one_given_back_last_is_taken_first(void **state)
{
    struct slab_pool *pool = slab_pool_new(64);
    void *first = slab_take(pool);
    void *second = slab_take(pool);
    void *third = slab_take(pool);

    (void)state;
    slab_give(pool, first);
    slab_give(pool, second);
    assert_ptr_equal(slab_take(pool), second);
    assert_ptr_equal(slab_take(pool), first);
    slab_give(pool, first);
    slab_give(pool, second);
    slab_give(pool, third);
    slab_pool_free(&pool);
}

static void so_it_is_after_a_trim(void **state)
{
    struct slab_pool *pool = slab_pool_new(64);
    void *objects[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        objects[i] = slab_take(pool);
    }
    for (int i = 1; i < 8; i++) {
        slab_give(pool, objects[i]);
    }
    slab_pool_trim(pool);
    for (int i = 7; i > 0; i--) {
        assert_ptr_equal(slab_take(pool), objects[i]);
    }
    for (int i = 0; i < 8; i++) {
        slab_give(pool, objects[i]);
    }
    slab_pool_free(&pool);
}

static void as_much_is_cleared_as_asked_for(void **state)
{
    struct slab_pool *pool = slab_pool_new(64);
    unsigned char *object;

    (void)state;
    slab_pool_clear(pool, 33);
    for (int round = 0; round < 2; round++) {
        object = slab_take(pool);
        for (int i = 0; i < 33; i++) {
            assert_int_equal(object[i], 0);
        }
        memset(object, 0x5a, 64);
        slab_give(pool, object);
    }
    slab_pool_free(&pool);
}

static void it_counts_what_is_out(void **state)
{
    struct slab_pool *pool = slab_pool_new(100);
    void *one = slab_take(pool);
    void *other = slab_take(pool);

    (void)state;
    assert_int_equal(slab_pool_used(pool), 2);
    assert_true(slab_pool_reserved(pool) >= 200);
    slab_give(pool, one);
    assert_int_equal(slab_pool_used(pool), 1);
    slab_give(pool, other);
    assert_int_equal(slab_pool_used(pool), 0);
    slab_pool_free(&pool);
}

static void a_burst_leaves_no_memory_behind(void **state)
{
    struct slab_pool *pool = slab_pool_new(1000);
    static void *objects[MANY];
    size_t after_one;

    (void)state;
    objects[0] = slab_take(pool);
    after_one = slab_pool_reserved(pool);
    for (int i = 1; i < MANY; i++) {
        objects[i] = slab_take(pool);
    }
    assert_true(slab_pool_reserved(pool) >= MANY * 1000);
    for (int i = 0; i < MANY; i++) {
        slab_give(pool, objects[i]);
    }
    slab_pool_trim(pool); /* the interval that ends here needed all of it */
    assert_true(slab_pool_reserved(pool) >= MANY * 1000);
    slab_pool_trim(pool);
    assert_true(slab_pool_reserved(pool) <= 2 * after_one);
    slab_pool_free(&pool);
}

/* Of the first 64 KiB of a slab of that size. */
static size_t resident_pages(void *address, size_t slab_size)
{
    unsigned char present[16];
    size_t pages = 0;

    assert_int_equal(
        mincore((void *)((uintptr_t)address & ~(uintptr_t)(slab_size - 1)), 16 * 4096, present), 0);
    for (int i = 0; i < 16; i++) {
        pages += present[i] & 1;
    }
    return pages;
}

static void leaves_no_pages(size_t size, int count, size_t slab_size)
{
    struct slab_pool *pool = slab_pool_new(size);
    void *objects[100];

    for (int i = 0; i < count; i++) {
        objects[i] = slab_take(pool);
        memset(objects[i], 0x5a, size);
    }
    for (int i = 0; i < count; i++) {
        slab_give(pool, objects[i]);
    }
    assert_true(resident_pages(objects[0], slab_size) > 10);
    slab_pool_trim(pool);
    slab_pool_trim(pool);
    assert_true(resident_pages(objects[0], slab_size) < 3); /* its head */
    assert_true(slab_pool_reserved(pool) > 0);
    objects[0] = slab_take(pool);
    memset(objects[0], 0x5a, size);
    slab_give(pool, objects[0]);
    slab_pool_free(&pool);
}

static void a_spare_slab_keeps_no_pages_of_a_burst(void **state)
{
    (void)state;
    leaves_no_pages(8192, 20, 1 << 20);
    leaves_no_pages(576, 100, 1 << 16);
}

static void trimming_spares_what_is_in_use(void **state)
{
    struct slab_pool *pool = slab_pool_new(1000);
    static unsigned char *objects[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        objects[i] = slab_take(pool);
    }
    for (int i = 0; i < MANY; i++) {
        if (i % 500 != 0) {
            slab_give(pool, objects[i]);
        } else {
            memset(objects[i], 0x5a, 1000);
        }
    }
    slab_pool_trim(pool);
    slab_pool_trim(pool);
    slab_pool_trim(pool);
    for (int i = 0; i < MANY; i += 500) {
        assert_int_equal(objects[i][999], 0x5a);
        slab_give(pool, objects[i]);
    }
    slab_pool_free(&pool);
}

/* Takes and gives in random order: no object is ever lent twice. */
static void no_object_is_lent_twice(void **state)
{
    struct slab_pool *pool = slab_pool_new(48);
    static uint32_t *objects[3000];
    uint32_t seed = 12345;

    (void)state;
    for (uint32_t round = 0; round < 100000; round++) {
        uint32_t i = (seed = seed * 1664525 + 1013904223) >> 8;

        i %= 3000;
        if (objects[i] == NULL) {
            objects[i] = slab_take(pool);
            *objects[i] = i;
        } else {
            assert_int_equal(*objects[i], i);
            slab_give(pool, objects[i]);
            objects[i] = NULL;
        }
        if (round % 10000 == 0) {
            slab_pool_trim(pool);
        }
    }
    for (uint32_t i = 0; i < 3000; i++) {
        if (objects[i] != NULL) {
            assert_int_equal(*objects[i], i);
            slab_give(pool, objects[i]);
        }
    }
    slab_pool_free(&pool);
}

static void without_memory_there_is_no_object(void **state)
{
    struct slab_pool *pool = slab_pool_new(20000);
    void *objects[2 * MANY / 100];
    size_t count = 0;
    void *late;

    (void)state;
    kernel_has_none = true;
    assert_null(slab_take(pool));
    assert_int_equal(slab_pool_used(pool), 0);
    assert_int_equal(slab_pool_reserved(pool), 0);
    kernel_has_none = false;
    objects[count++] = slab_take(pool);
    kernel_has_none = true;
    while (count < sizeof(objects) / sizeof(objects[0]) &&
           (objects[count] = slab_take(pool)) != NULL) {
        count++; /* what is left of the slab that is there */
    }
    assert_true(count < sizeof(objects) / sizeof(objects[0]));
    slab_give(pool, objects[--count]);
    late = slab_take(pool); /* no need for the kernel */
    assert_ptr_equal(late, objects[count]);
    slab_give(pool, late);
    kernel_has_none = false;
    while (count > 0) {
        slab_give(pool, objects[--count]);
    }
    slab_pool_free(&pool);
}

static void freeing_nothing_is_harmless(void **state)
{
    struct slab_pool *pool = NULL;

    (void)state;
    slab_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_and_apart),
        cmocka_unit_test(the_one_given_back_last_is_taken_first),
        cmocka_unit_test(so_it_is_after_a_trim),
        cmocka_unit_test(as_much_is_cleared_as_asked_for),
        cmocka_unit_test(it_counts_what_is_out),
        cmocka_unit_test(a_burst_leaves_no_memory_behind),
        cmocka_unit_test(trimming_spares_what_is_in_use),
        cmocka_unit_test(a_spare_slab_keeps_no_pages_of_a_burst),
        cmocka_unit_test(no_object_is_lent_twice),
        cmocka_unit_test(without_memory_there_is_no_object),
        cmocka_unit_test(freeing_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
