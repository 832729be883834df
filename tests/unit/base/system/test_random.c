/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/random: the known sequence, seeding, and bounded numbers. */
#include "base/system/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Worked out by hand from the definition, state 1, 2, 3, 4. */
static void the_sequence_is_xoshiro256_plus_plus(void **state)
{
    struct random random = {{1, 2, 3, 4}};

    (void)state;
    assert_int_equal(random_next(&random), ((uint64_t)5 << 23) + 1);
    assert_int_equal(random.state[0], 7);
    assert_int_equal(random.state[1], 0);
    assert_int_equal(random.state[2], 2 ^ ((uint64_t)2 << 17));
    assert_int_equal(random.state[3], (uint64_t)6 << 45);
}

static void two_seeds_differ(void **state)
{
    struct random a;
    struct random b;

    (void)state;
    random_init(&a);
    random_init(&b);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void bounded_numbers_stay_below_and_spread(void **state)
{
    struct random random;
    unsigned seen[7] = {0};

    (void)state;
    random_init(&random);
    for (int i = 0; i < 70000; i++) {
        uint64_t number = random_below(&random, 7);

        assert_true(number < 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9000, 11000); /* ten standard deviations */
    }
    assert_int_equal(random_below(&random, 1), 0);
    assert_int_equal(random_below(&random, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_xoshiro256_plus_plus),
        cmocka_unit_test(two_seeds_differ),
        cmocka_unit_test(bounded_numbers_stay_below_and_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
