/* SPDX-License-Identifier: BSD-2-Clause */
/* base/rotation: each member gets exactly its weight in every period, spread evenly. */
#include "base/rotation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define MEMBERS_MAX 8
#define PERIODS 3

struct weights {
    uint32_t count;
    uint32_t weight[MEMBERS_MAX];
};

static const struct weights examples[] = {
    {1, {1}},
    {1, {10000}},
    {2, {9000, 1000}},
    {2, {9999, 1}},
    {2, {5000, 5000}},
    {3, {5, 1, 1}},
    {3, {0, 3, 0}},
    {4, {1, 2, 3, 4}},
    {5, {9500, 500, 0, 0, 0}},
    {8, {1000, 1, 999, 17, 500, 500, 3, 250}},
};

static void start(struct rotation *rotation, struct rotation_member *members,
                  const struct weights *weights, uint32_t offset)
{
    memset(members, 0, MEMBERS_MAX * sizeof(*members));
    for (uint32_t i = 0; i < weights->count; i++) {
        members[i].weight = weights->weight[i];
    }
    rotation_init(rotation, members, weights->count, offset);
}

static uint32_t total_of(const struct weights *weights)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < weights->count; i++) {
        total += weights->weight[i];
    }
    return total;
}

static void every_period_is_exact(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
        const struct weights *weights = &examples[e];
        struct rotation_member members[MEMBERS_MAX];
        struct rotation rotation;

        start(&rotation, members, weights, 0);
        for (int period = 0; period < PERIODS; period++) {
            uint32_t turns[MEMBERS_MAX] = {0};

            for (uint32_t i = 0; i < total_of(weights); i++) {
                uint32_t turn = rotation_next(&rotation);

                assert_true(turn < weights->count);
                turns[turn]++;
            }
            assert_memory_equal(turns, weights->weight, weights->count * sizeof(uint32_t));
        }
    }
}

/* Also of a period that begins anywhere, not only at the first turn. */
static void any_run_of_a_period_is_exact(void **state)
{
    const struct weights weights = {4, {7, 2, 5, 1}};
    struct rotation_member members[MEMBERS_MAX];
    struct rotation rotation;
    uint32_t order[45];

    (void)state;
    start(&rotation, members, &weights, 0);
    for (size_t i = 0; i < 45; i++) {
        order[i] = rotation_next(&rotation);
    }
    for (size_t from = 0; from + 15 <= 45; from++) {
        uint32_t turns[MEMBERS_MAX] = {0};

        for (size_t i = from; i < from + 15; i++) {
            turns[order[i]]++;
        }
        assert_memory_equal(turns, weights.weight, 4 * sizeof(uint32_t));
    }
}

/* After n turns no member is a whole turn per member away from n * weight / total. */
static void turns_are_spread_evenly(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof(examples) / sizeof(examples[0]); e++) {
        const struct weights *weights = &examples[e];
        struct rotation_member members[MEMBERS_MAX];
        struct rotation rotation;
        uint32_t turns[MEMBERS_MAX] = {0};
        uint32_t total = total_of(weights);

        start(&rotation, members, weights, 0);
        for (uint32_t n = 1; n <= total; n++) {
            turns[rotation_next(&rotation)]++;
            for (uint32_t i = 0; i < weights->count; i++) {
                double ideal = (double)n * weights->weight[i] / total;
                double most = weights->count <= 2 ? 1.0 : weights->count;

                assert_true(turns[i] >= ideal - most && turns[i] <= ideal + most);
            }
        }
    }
}

static void a_rare_arm_never_has_two_turns_in_a_row(void **state)
{
    const struct weights weights = {2, {9000, 1000}};
    struct rotation_member members[MEMBERS_MAX];
    struct rotation rotation;
    uint32_t since = 10;

    (void)state;
    start(&rotation, members, &weights, 0);
    for (uint32_t i = 0; i < 20000; i++) {
        if (rotation_next(&rotation) == 1) {
            assert_true(i < 10 || since == 10);
            since = 0;
        }
        since++;
    }
}

static void equal_members_begin_where_they_are_reported(void **state)
{
    const struct weights weights = {3, {4, 4, 4}};
    struct rotation_member members[MEMBERS_MAX];
    struct rotation rotation;

    (void)state;
    for (uint32_t offset = 0; offset < 7; offset++) {
        start(&rotation, members, &weights, offset);
        for (uint32_t i = 0; i < 6; i++) {
            assert_int_equal(rotation_next(&rotation), (offset + i) % 3);
        }
    }
}

static void weightless_members_have_no_turn(void **state)
{
    const struct weights weights = {3, {0, 10000, 0}};
    struct rotation_member members[MEMBERS_MAX];
    struct rotation rotation;

    (void)state;
    start(&rotation, members, &weights, 0);
    for (uint32_t i = 0; i < 20000; i++) {
        assert_int_equal(rotation_next(&rotation), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_period_is_exact),
        cmocka_unit_test(any_run_of_a_period_is_exact),
        cmocka_unit_test(turns_are_spread_evenly),
        cmocka_unit_test(a_rare_arm_never_has_two_turns_in_a_row),
        cmocka_unit_test(equal_members_begin_where_they_are_reported),
        cmocka_unit_test(weightless_members_have_no_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
