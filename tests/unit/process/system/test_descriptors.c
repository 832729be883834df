/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/descriptors: the soft limit goes up to the hard one and no further. */
#include "process/system/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/resource.h>

static void the_soft_limit_becomes_the_hard_one(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(descriptors_raise_limit(), limit.rlim_max);
    assert_int_equal(descriptors_raise_limit(), limit.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

static void each_worker_and_listener_needs_some(void **state)
{
    (void)state;
    assert_true(descriptors_suffice(0, 64, 1)); /* it cannot be known */
    assert_true(descriptors_suffice(42, 2, 1));
    assert_false(descriptors_suffice(42, 3, 1));
    assert_false(descriptors_suffice(42, 2, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_becomes_the_hard_one),
        cmocka_unit_test(each_worker_and_listener_needs_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
