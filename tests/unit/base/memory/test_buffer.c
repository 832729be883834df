/* SPDX-License-Identifier: BSD-2-Clause */
/* base/memory/buffer: two sizes that are lent and come back, and queues that keep bytes in order. */
#include "base/memory/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void fill(struct buffer *buffer, struct bytes bytes)
{
    assert_true(bytes.length <= buffer_room(buffer));
    memcpy(buffer_tail(buffer), bytes.at, bytes.length);
    buffer->end += (uint32_t)bytes.length;
}

/* All that a queue holds, in order. */
static size_t gather(const struct buffer_queue *queue, char *out, size_t room)
{
    struct iovec vectors[64];
    int count = buffer_queue_vectors(queue, vectors, 64);
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        assert_true(length + vectors[i].iov_len <= room);
        memcpy(out + length, vectors[i].iov_base, vectors[i].iov_len);
        length += vectors[i].iov_len;
    }
    return length;
}

static void two_sizes_are_lent_and_returned(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer *small = buffer_borrow(pool, BUFFER_SMALL);
    struct buffer *large = buffer_borrow(pool, BUFFER_LARGE);

    (void)state;
    assert_int_equal(buffer_length(small), 0);
    assert_true(buffer_room(small) >= 4000);
    assert_true(buffer_room(large) >= 32000);
    assert_true(buffer_pool_lent(pool) >= buffer_room(small) + buffer_room(large));
    buffer_return(pool, &small);
    buffer_return(pool, &large);
    assert_null(small);
    assert_null(large);
    buffer_return(pool, &large);
    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_trim(pool);
    buffer_pool_free(&pool);
    assert_null(pool);
}

static void what_is_left_of_a_large_one_moves_into_a_small_one(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer *buffer = buffer_borrow(pool, BUFFER_LARGE);
    struct bytes taken;
    size_t lent;

    (void)state;
    fill(buffer, BYTES("gone taken gone content"));
    buffer->start = 16;
    taken = (struct bytes){buffer->bytes + 5, 5};
    buffer_shrink(pool, &buffer, &taken);
    assert_int_equal(buffer->size, BUFFER_SMALL);
    assert_true(bytes_equal(buffer_content(buffer), BYTES("content")));
    assert_true(bytes_equal(taken, BYTES("taken")));
    assert_ptr_equal(taken.at, buffer->bytes);
    lent = buffer_pool_lent(pool);
    buffer_shrink(pool, &buffer, &taken);
    assert_int_equal(buffer_pool_lent(pool), lent);
    buffer_return(pool, &buffer);
    buffer_pool_free(&pool);
}

static void but_not_more_than_a_small_one_takes(void **state)
{
    static const char much[BUFFER_SMALL_BYTES];
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer *buffer = buffer_borrow(pool, BUFFER_LARGE);
    struct bytes taken = {0};

    (void)state;
    fill(buffer, (struct bytes){much, sizeof(much)});
    buffer_shrink(pool, &buffer, &taken);
    assert_int_equal(buffer->size, BUFFER_LARGE);
    assert_int_equal(buffer_length(buffer), sizeof(much));
    buffer_return(pool, &buffer);
    buffer_pool_free(&pool);
}

static void compacting_moves_all_room_behind_the_content(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer *buffer = buffer_borrow(pool, BUFFER_SMALL);
    size_t whole = buffer_room(buffer);

    (void)state;
    fill(buffer, BYTES("taken already, still here"));
    buffer->start += 15;
    buffer_compact(buffer);
    assert_int_equal(buffer_room(buffer), whole - 10);
    assert_true(bytes_equal(buffer_content(buffer), BYTES("still here")));
    buffer_compact(buffer);
    assert_true(bytes_equal(buffer_content(buffer), BYTES("still here")));
    buffer_return(pool, &buffer);
    buffer_pool_free(&pool);
}

static void growing_keeps_the_content(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer *buffer = buffer_borrow(pool, BUFFER_SMALL);

    (void)state;
    fill(buffer, BYTES("gone, kept"));
    buffer->start += 6;
    assert_true(buffer_grow(pool, &buffer));
    assert_int_equal(buffer->size, BUFFER_LARGE);
    assert_true(bytes_equal(buffer_content(buffer), BYTES("kept")));
    assert_true(buffer_room(buffer) > BUFFER_SMALL_BYTES);
    buffer_return(pool, &buffer);
    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_free(&pool);
}

static void a_queue_takes_over_buffers(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};
    struct buffer *buffer = buffer_borrow(pool, BUFFER_SMALL);
    char out[64];

    (void)state;
    assert_true(buffer_queue_add(pool, &queue, BYTES("one ")));
    fill(buffer, BYTES("two "));
    buffer_queue_take(&queue, &buffer);
    assert_null(buffer);
    assert_true(buffer_queue_add(pool, &queue, BYTES("three")));
    assert_int_equal(queue.length, 13);
    assert_int_equal(gather(&queue, out, sizeof(out)), 13);
    assert_memory_equal(out, "one two three", 13);
    buffer_queue_clear(pool, &queue);
    assert_int_equal(queue.length, 0);
    assert_null(queue.first);
    assert_null(queue.last);
    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_free(&pool);
}

static void small_pieces_share_a_buffer(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(buffer_queue_add(pool, &queue, BYTES("0123456789")));
    }
    assert_int_equal(buffer_pool_lent(pool), BUFFER_SMALL_BYTES);
    buffer_queue_clear(pool, &queue);
    buffer_pool_free(&pool);
}

/* A large one for as much as a large one is worth would hold far more. */
static void what_is_to_wait_is_held_in_small_ones(void **state)
{
    static const char text[32 * 1024];
    struct bytes bytes = {text, sizeof(text)};
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};

    (void)state;
    assert_true(buffer_queue_add(pool, &queue, bytes));
    assert_int_equal(buffer_queue_held(&queue), BUFFER_LARGE_BYTES);
    buffer_queue_clear(pool, &queue);
    assert_true(buffer_queue_add_to_wait(pool, &queue, bytes));
    assert_true(buffer_queue_held(&queue) <= sizeof(text) + 2 * BUFFER_SMALL_BYTES);
    buffer_queue_clear(pool, &queue);
    buffer_pool_free(&pool);
}

static void dropping_nothing_of_an_empty_queue_is_harmless(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};
    struct iovec vectors[2];

    (void)state;
    assert_true(buffer_queue_add(pool, &queue, (struct bytes){NULL, 0}));
    buffer_queue_drop(pool, &queue, 0);
    assert_int_equal(buffer_queue_vectors(&queue, vectors, 2), 0);
    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_free(&pool);
}

static void vectors_are_bounded(void **state)
{
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};
    struct iovec vectors[2];
    char *much = calloc(1, 100000);

    (void)state;
    assert_true(buffer_queue_add(pool, &queue, (struct bytes){much, 100000}));
    assert_int_equal(buffer_queue_vectors(&queue, vectors, 2), 2);
    buffer_queue_clear(pool, &queue);
    free(much);
    buffer_pool_free(&pool);
}

/* Random pieces in, random counts out: the same bytes in the same order, and memory for no more
 * than what waits. */
static void bytes_come_out_as_they_went_in(void **state)
{
    static char stream[300000];
    struct buffer_pool *pool = buffer_pool_new();
    struct buffer_queue queue = {0};
    size_t in = 0;
    size_t out = 0;
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(stream); i++) {
        stream[i] = (char)(seed = seed * 1664525 + 1013904223);
    }
    while (out < sizeof(stream)) {
        size_t count = (seed = seed * 1664525 + 1013904223) >> 16;
        struct iovec vector;

        count %= (seed >> 8) % 4 == 0 ? 50000 : 300;
        if (count > sizeof(stream) - in) {
            count = sizeof(stream) - in;
        }
        assert_true(buffer_queue_add(pool, &queue, (struct bytes){stream + in, count}));
        in += count;
        assert_int_equal(queue.length, in - out);
        count = (seed >> 4) % (queue.length + 1);
        if (in == sizeof(stream)) {
            count = queue.length;
        }
        if (buffer_queue_vectors(&queue, &vector, 1) == 1) {
            assert_memory_equal(vector.iov_base, stream + out, vector.iov_len);
        }
        buffer_queue_drop(pool, &queue, count);
        out += count;
    }
    assert_int_equal(buffer_pool_lent(pool), 0);
    buffer_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sizes_are_lent_and_returned),
        cmocka_unit_test(what_is_left_of_a_large_one_moves_into_a_small_one),
        cmocka_unit_test(but_not_more_than_a_small_one_takes),
        cmocka_unit_test(compacting_moves_all_room_behind_the_content),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(a_queue_takes_over_buffers),
        cmocka_unit_test(small_pieces_share_a_buffer),
        cmocka_unit_test(what_is_to_wait_is_held_in_small_ones),
        cmocka_unit_test(dropping_nothing_of_an_empty_queue_is_harmless),
        cmocka_unit_test(vectors_are_bounded),
        cmocka_unit_test(bytes_come_out_as_they_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
