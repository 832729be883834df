/* SPDX-License-Identifier: BSD-2-Clause */
/* net/pressure: the ladder, up at once and down step by step; the ceiling of all slabs. */
#include "net/pressure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND 1000000u
#define MIB ((uint64_t)1024 * 1024)

static uint64_t now_us = 1000 * (uint64_t)SECOND;

static void memory_is(struct pressure *pressure, uint64_t mib)
{
    pressure_report(pressure, 0, mib * MIB, 0, now_us);
}

static void it_rises_at_once(void **state)
{
    static const struct {
        uint64_t mib;
        enum pressure_level level;
    } steps[] = {{10, PRESSURE_NONE},   {74, PRESSURE_NONE},    {76, PRESSURE_IDLE},
                 {84, PRESSURE_BODIES}, {91, PRESSURE_REFUSES}, {96, PRESSURE_CUTS},
                 {300, PRESSURE_CUTS}};
    struct pressure *pressure = pressure_new(2, 100 * MIB, 1000);

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        memory_is(pressure, steps[i].mib);
        assert_int_equal(pressure_of(pressure, PRESSURE_MEMORY), steps[i].level);
        assert_int_equal(pressure_of(pressure, PRESSURE_DESCRIPTORS), PRESSURE_NONE);
        assert_int_equal(pressure_now(pressure), steps[i].level);
    }
    pressure_free(&pressure);
    assert_null(pressure);
    assert_int_equal(pressure_now(NULL), PRESSURE_NONE);
}

static void it_falls_a_step_a_second(void **state)
{
    struct pressure *pressure = pressure_new(1, 100 * MIB, 1000);

    (void)state;
    memory_is(pressure, 99);
    for (int level = PRESSURE_CUTS; level > PRESSURE_NONE; level--) {
        now_us += SECOND / 2;
        memory_is(pressure, 1);
        assert_int_equal(pressure_now(pressure), level);
        now_us += SECOND / 2;
        memory_is(pressure, 1);
        assert_int_equal(pressure_now(pressure), level - 1);
    }
    pressure_free(&pressure);
}

static void it_does_not_flutter(void **state)
{
    struct pressure *pressure = pressure_new(1, 100 * MIB, 1000);

    (void)state;
    memory_is(pressure, 91);
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    now_us += 10 * SECOND;
    memory_is(pressure, 86); /* below its rung, not clearly */
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    memory_is(pressure, 84);
    assert_int_equal(pressure_now(pressure), PRESSURE_BODIES);
    pressure_free(&pressure);
}

static void refusing_for_long_is_not_enough(void **state)
{
    struct pressure *pressure = pressure_new(1, 100 * MIB, 1000);

    (void)state;
    memory_is(pressure, 91);
    now_us += 10 * SECOND;
    memory_is(pressure, 91); /* none was refused: clients that are there may stay */
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    pressure_did(pressure, PRESSURE_REFUSED, 1);
    memory_is(pressure, 91);
    assert_int_equal(pressure_now(pressure), PRESSURE_CUTS);
    now_us += SECOND;
    memory_is(pressure, 89);
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    now_us += SECOND / 2;
    pressure_did(pressure, PRESSURE_REFUSED, 1);
    memory_is(pressure, 91);
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    now_us += SECOND / 2;
    memory_is(pressure, 91);
    assert_int_equal(pressure_now(pressure), PRESSURE_CUTS);
    pressure_free(&pressure);
}

static void all_that_is_held_counts(void **state)
{
    struct pressure *pressure = pressure_new(2, 100 * MIB, 1000);

    (void)state;
    pressure_report(pressure, 0, 40 * MIB, 500, now_us);
    pressure_report(pressure, 1, 30 * MIB, 350, now_us);
    assert_int_equal(pressure_now(pressure), PRESSURE_NONE);
    pressure_note_resident(pressure, 10 * MIB); /* no slab is known: all of it is elsewhere */
    pressure_report(pressure, 1, 30 * MIB, 350, now_us);
    assert_int_equal(pressure_of(pressure, PRESSURE_MEMORY), PRESSURE_IDLE);
    pressure_note_descriptors(pressure, 120);
    pressure_report(pressure, 1, 30 * MIB, 350, now_us);
    assert_int_equal(pressure_of(pressure, PRESSURE_DESCRIPTORS), PRESSURE_REFUSES);
    assert_int_equal(pressure_now(pressure), PRESSURE_REFUSES);
    pressure_set_budget(pressure, PRESSURE_DESCRIPTORS, 10000);
    now_us += SECOND;
    pressure_report(pressure, 0, 40 * MIB, 500, now_us);
    assert_int_equal(pressure_of(pressure, PRESSURE_DESCRIPTORS), PRESSURE_BODIES);
    pressure_free(&pressure);
}

/* Whatever the ladder does: slabs never take more than the budget. */
static void slabs_end_at_the_ceiling(void **state)
{
    struct pressure *pressure = pressure_new(1, 16 * MIB, 1000);
    struct slab_pool *pools[2] = {slab_pool_new(4160), slab_pool_new(200)};
    void *objects[2][100000];
    size_t taken[2] = {0, 0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        slab_pool_account(pools[i], pressure_slabs(pressure));
        while (taken[i] < 100000 && (objects[i][taken[i]] = slab_take(pools[i])) != NULL) {
            taken[i]++;
        }
    }
    assert_true(taken[0] > 3000 && taken[0] < 4100);
    assert_int_equal(taken[1], 0); /* the first took all that there is */
    assert_true(atomic_load(&pressure->slabs.reserved) <= 16 * MIB);
    assert_int_equal(slab_pool_reserved(pools[0]), atomic_load(&pressure->slabs.reserved));
    slab_give(pools[0], objects[0][--taken[0]]);
    objects[0][taken[0]] = slab_take(pools[0]); /* what is there can be used again */
    assert_non_null(objects[0][taken[0]++]);
    while (taken[0] > 0) {
        slab_give(pools[0], objects[0][--taken[0]]);
    }
    for (int i = 0; i < 2; i++) {
        slab_pool_free(&pools[i]);
    }
    assert_int_equal(atomic_load(&pressure->slabs.reserved), 0);
    pressure_free(&pressure);
}

/* Lines that the log got while the use was, in turn, what `mib` says. */
static unsigned lines_reported(struct pressure *pressure, const uint64_t *mib, size_t count)
{
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);
    unsigned lines = 0;
    int byte;

    assert_non_null(log);
    assert_true(before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    for (size_t i = 0; i < count; i++) {
        now_us += 2 * SECOND;
        memory_is(pressure, mib[i]);
    }
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    rewind(log);
    while ((byte = fgetc(log)) != EOF) {
        lines += byte == '\n';
    }
    fclose(log);
    return lines;
}

static void each_step_is_reported_once(void **state)
{
    static const uint64_t up[] = {91}; /* over two steps */
    static const uint64_t up_and_down[] = {96, 84, 84, 91, 96, 84, 84, 96};
    static const uint64_t end[] = {1, 1, 1, 1};
    struct pressure *pressure = pressure_new(1, 100 * MIB, 1000);

    (void)state;
    assert_int_equal(lines_reported(pressure, up, 1), 3);
    assert_int_equal(lines_reported(pressure, up_and_down, 8), 1);
    assert_int_equal(lines_reported(pressure, end, 4), 1);
    assert_int_equal(lines_reported(pressure, up, 1), 3);
    pressure_free(&pressure);
}

static void places_for_clients(void **state)
{
    struct pressure *pressure = pressure_new(2, 100 * MIB, 64);

    (void)state;
    pressure_note_descriptors(pressure, 24);
    assert_int_equal(pressure_client_places(pressure), (40 - 5) / 2);
    pressure_note_origins(pressure, true);
    assert_int_equal(pressure_client_places(pressure), (40 - 5 - 20) / 2);
    assert_int_equal(pressure_origin_places(pressure), 20 / 2);
    pressure_set_budget(pressure, PRESSURE_DESCRIPTORS, 20024);
    assert_int_equal(pressure_client_places(pressure), (20000 - 16 - 512) / 2);
    pressure_set_budget(pressure, PRESSURE_DESCRIPTORS, 20); /* one, whatever there is */
    assert_int_equal(pressure_client_places(pressure), 1);
    pressure_free(&pressure);
    assert_int_equal(pressure_client_places(NULL), UINT32_MAX);
    assert_int_equal(pressure_origin_places(NULL), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_rises_at_once),
        cmocka_unit_test(it_falls_a_step_a_second),
        cmocka_unit_test(it_does_not_flutter),
        cmocka_unit_test(all_that_is_held_counts),
        cmocka_unit_test(slabs_end_at_the_ceiling),
        cmocka_unit_test(refusing_for_long_is_not_enough),
        cmocka_unit_test(each_step_is_reported_once),
        cmocka_unit_test(places_for_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
