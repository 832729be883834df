/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/line_ring: order, wrapping, being full, starting over, and two threads at it
 * (this test is also run under ThreadSanitizer). */
#include "observe/line_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct fixture {
    struct line_ring *ring;
    _Atomic uint32_t wakeup;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->ring = aligned_alloc(_Alignof(struct line_ring), sizeof(*fixture->ring));
    *state = fixture;
    return line_ring_init(fixture->ring, &fixture->wakeup) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    line_ring_release(fixture->ring);
    free(fixture->ring);
    free(fixture);
    return 0;
}

static bool put(struct line_ring *ring, uint64_t number, size_t filling, bool *wake)
{
    static const char fill[LINE_RING_LINE_MAX] = {0};
    struct text line;

    if (!line_ring_begin(ring, &line)) {
        return false;
    }
    text_add_number(&line, number);
    text_add_char(&line, ' ');
    text_add(&line, fill, filling);
    text_add_char(&line, '\n');
    *wake = line_ring_commit(ring, &line);
    return true;
}

static uint64_t take_line(struct line_ring *ring)
{
    struct bytes line = line_ring_line(ring);
    uint64_t number;

    assert_true(line.length > 2);
    assert_int_equal(line.at[line.length - 1], '\n');
    number = strtoull(line.at, NULL, 10);
    line_ring_consume(ring, line.length);
    return number;
}

static void lines_come_out_as_they_went_in(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    bool wake;

    assert_int_equal(line_ring_length(ring), 0);
    assert_int_equal(line_ring_piece(ring).length, 0);
    assert_true(put(ring, 1, 0, &wake));
    assert_true(put(ring, 2, 0, &wake));
    assert_false(wake);
    assert_int_equal(line_ring_length(ring), 6);
    assert_memory_equal(line_ring_piece(ring).at, "1 \n2 \n", 6);
    assert_int_equal(take_line(ring), 1);
    assert_int_equal(take_line(ring), 2);
    assert_int_equal(line_ring_length(ring), 0);
}

static void a_full_ring_drops_counts_and_recovers(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    uint64_t sent = 0;
    unsigned wakes = 0;
    bool wake = false;

    while (put(ring, sent, 1000, &wake)) {
        sent++;
        wakes += wake;
    }
    assert_int_equal(wakes, 1); /* at half full, and not again before the writer came */
    assert_in_range(sent, 4000, 4200);
    assert_false(put(ring, 0, 1000, &wake));
    assert_int_equal(ring->dropped, 2);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(take_line(ring), i);
    }
    assert_true(put(ring, sent, 1000, &wake));
    assert_true(wake); /* still more than half full, and the writer has moved */
    for (uint64_t i = 10; i <= sent; i++) {
        assert_int_equal(take_line(ring), i);
    }
    assert_int_equal(line_ring_length(ring), 0);
    assert_int_equal(ring->dropped, 2);
}

/* Kept half full, so that it never starts over and the end of its memory is crossed often. */
static void lines_across_the_end_stay_whole(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    uint64_t taken = 0;
    bool wake;

    for (uint64_t i = 0; i < 30000; i++) {
        assert_true(put(ring, i, 1000 + i % 2000, &wake));
        if (i >= 500) {
            assert_int_equal(take_line(ring), taken++);
        }
    }
    while (line_ring_length(ring) > 0) {
        assert_int_equal(take_line(ring), taken++);
    }
    assert_int_equal(taken, 30000);
}

/* The same by pieces, which end at the end of the memory wherever a line may stand. */
static void pieces_across_the_end_join_up(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    uint64_t newlines = 0;
    bool wake;

    for (uint64_t i = 0; i < 30000; i++) {
        assert_true(put(ring, i, 997, &wake));
        if (line_ring_length(ring) > LINE_RING_BYTES / 2) {
            struct bytes piece = line_ring_piece(ring);

            for (size_t at = 0; at < piece.length; at++) {
                newlines += piece.at[at] == '\n';
            }
            line_ring_consume(ring, piece.length);
        }
    }
    while (line_ring_length(ring) > 0) {
        struct bytes piece = line_ring_piece(ring);

        for (size_t at = 0; at < piece.length; at++) {
            newlines += piece.at[at] == '\n';
        }
        line_ring_consume(ring, piece.length);
    }
    assert_int_equal(newlines, 30000);
}

static void a_quiet_ring_stays_in_its_first_pages(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    size_t furthest = 0;
    bool wake;

    for (uint64_t i = 0; i < 20000; i++) {
        struct bytes line;

        assert_true(put(ring, i, 700, &wake));
        line = line_ring_line(ring);
        if ((size_t)(line.at - ring->bytes) > furthest) {
            furthest = (size_t)(line.at - ring->bytes);
        }
        assert_int_equal(take_line(ring), i);
        assert_false(wake);
    }
    assert_in_range(furthest, LINE_RING_WARM_BYTES / 2, LINE_RING_WARM_BYTES + LINE_RING_LINE_MAX);
}

static size_t resident_bytes(const struct line_ring *ring)
{
    static unsigned char present[LINE_RING_BYTES / 4096];
    size_t pages = 0;

    assert_int_equal(mincore(ring->bytes, LINE_RING_BYTES, present), 0);
    for (size_t i = 0; i < sizeof(present); i++) {
        pages += present[i] & 1;
    }
    return pages * 4096;
}

/* The writer was kept waiting until the ring was full; then it comes in time again. */
static void a_burst_leaves_no_pages_behind(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    uint64_t put_in = 0;
    uint64_t taken = 0;
    bool wake;

    while (put(ring, put_in, 700, &wake)) {
        put_in++;
    }
    assert_true(resident_bytes(ring) > LINE_RING_BYTES * 3u / 4);
    while (taken < put_in) {
        assert_int_equal(take_line(ring), taken++);
    }
    for (int i = 0; i < 100; i++) {
        assert_true(put(ring, put_in++, 700, &wake));
        assert_int_equal(take_line(ring), taken++);
    }
    assert_true(resident_bytes(ring) <= LINE_RING_WARM_BYTES + 65536);
}

/* All clients have left and none comes; the clock goes on. */
static void a_burst_before_a_silence_leaves_none_either(void **state)
{
    struct line_ring *ring = ((struct fixture *)*state)->ring;
    uint64_t put_in = 0;
    uint64_t taken = 0;
    bool wake;

    for (int burst = 0; burst < 3; burst++) {
        while (put(ring, put_in, 700, &wake)) {
            put_in++;
        }
        line_ring_rest(ring);
        while (taken < put_in) {
            assert_int_equal(take_line(ring), taken++);
        }
        line_ring_rest(ring);
        line_ring_rest(ring);
        assert_true(resident_bytes(ring) <= LINE_RING_REST_BYTES);
    }
    assert_true(put(ring, put_in, 700, &wake));
    assert_int_equal(take_line(ring), put_in);
}

#define THREADED_LINES 60000

static void *produce(void *owner)
{
    struct fixture *fixture = owner;
    bool wake;

    for (uint64_t i = 0; i < THREADED_LINES;) {
        if (put(fixture->ring, i, i % 900, &wake)) {
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void two_threads_agree(void **state)
{
    struct fixture *fixture = *state;
    pthread_t producer;

    assert_int_equal(pthread_create(&producer, NULL, produce, fixture), 0);
    for (uint64_t expected = 0; expected < THREADED_LINES;) {
        if (line_ring_length(fixture->ring) > 0) {
            assert_int_equal(take_line(fixture->ring), expected++);
        } else {
            sched_yield();
        }
    }
    pthread_join(producer, NULL);
    assert_int_equal(line_ring_length(fixture->ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_out_as_they_went_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_drops_counts_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_across_the_end_stay_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_across_the_end_join_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_quiet_ring_stays_in_its_first_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_leaves_no_pages_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_before_a_silence_leaves_none_either, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_threads_agree, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
