/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/cut_cause: every cause has words of its own, fit for a metric's label. */
#include "observe/cut_cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void every_name_is_lower_case_words(void **state)
{
    (void)state;
    for (int cause = 0; cause < CUT_CAUSE_COUNT; cause++) {
        const char *name = cut_cause_name((enum cut_cause)cause);

        assert_true(strlen(name) > 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
    }
}

static void no_two_share_a_word_or_a_sentence(void **state)
{
    (void)state;
    for (int a = 0; a < CUT_CAUSE_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(cut_cause_name((enum cut_cause)a),
                                    cut_cause_name((enum cut_cause)b));
            assert_string_not_equal(cut_cause_sentence((enum cut_cause)a),
                                    cut_cause_sentence((enum cut_cause)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_lower_case_words),
        cmocka_unit_test(no_two_share_a_word_or_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
