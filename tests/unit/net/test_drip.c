/* SPDX-License-Identifier: BSD-2-Clause */
/* net/drip: who sends in very small pieces without waiting for anything is found out, and no
 * other. */
#include "net/drip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct drip drip;

static bool reads(unsigned times, size_t count, uint64_t written, uint64_t written_each)
{
    drip = (struct drip){0};
    for (unsigned i = 0; i < times; i++) {
        drip_note(&drip, count, written);
        written += written_each;
    }
    return drip_is_on(&drip);
}

static void small_reads_in_a_row_are_a_drip(void **state)
{
    (void)state;
    assert_false(reads(31, 1, 0, 0));
    assert_true(reads(32, 1, 0, 0));
    assert_true(reads(1000, 63, 0, 0));
    assert_true(reads(33, 1, 500, 0));
}

static void large_reads_and_conversations_are_none(void **state)
{
    (void)state;
    assert_false(reads(1000, 64, 0, 0));
    assert_false(reads(1000, 5, 0, 7)); /* each is answered */
    assert_true(reads(40, 1, 0, 0));
    drip_note(&drip, 1000, 0);
    assert_false(drip_is_on(&drip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_reads_in_a_row_are_a_drip),
        cmocka_unit_test(large_reads_and_conversations_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
