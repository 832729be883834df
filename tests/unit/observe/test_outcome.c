/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/outcome: every end has a name of its own. */
#include "observe/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_end_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_END_COUNT; i++) {
        assert_true(strlen(outcome_end_name((enum outcome_end)i)) > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(outcome_end_name((enum outcome_end)i),
                                    outcome_end_name((enum outcome_end)j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
