/* SPDX-License-Identifier: BSD-2-Clause */
/* base/uuid: form, version, variant, and order by time. */
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static void the_form_is_that_of_version_7(void **state)
{
    struct random random;

    (void)state;
    random_init(&random);
    for (int i = 0; i < 2000; i++) {
        char id[UUID_TEXT_LENGTH + 1] = {0};

        uuid_v7(id, 0x0193a5f2c4d7, &random);
        assert_memory_equal(id, "0193a5f2-c4d7-7", 15);
        assert_int_equal(strspn(id, "0123456789abcdef-"), UUID_TEXT_LENGTH);
        assert_int_equal(id[18], '-');
        assert_non_null(strchr("89ab", id[19]));
        assert_int_equal(id[23], '-');
        assert_null(strchr(id + 24, '-'));
    }
}

static void random_bits_are_written_in_order(void **state)
{
    struct random random = {{1, 2, 3, 4}};
    struct random same = random;
    uint64_t first = random_next(&same);
    uint64_t second = random_next(&same);
    char id[UUID_TEXT_LENGTH + 1] = {0};
    char expected[64];

    (void)state;
    uuid_v7(id, 1, &random);
    snprintf(expected, sizeof(expected), "00000000-0001-7%03x-%04x-%012llx",
             (unsigned)(first & 0xfff), (unsigned)(second >> 50 | 0x8000),
             (unsigned long long)(second >> 2 & 0xffffffffffff));
    assert_string_equal(id, expected);
}

static void later_ids_sort_after_earlier_ones(void **state)
{
    struct random random;
    char before[UUID_TEXT_LENGTH];
    char after[UUID_TEXT_LENGTH];

    (void)state;
    random_init(&random);
    uuid_v7(before, 1700000000000, &random);
    uuid_v7(after, 1700000000001, &random);
    assert_true(memcmp(before, after, sizeof(before)) < 0);
}

static void no_two_are_the_same(void **state)
{
    struct random random;
    char one[UUID_TEXT_LENGTH];
    char other[UUID_TEXT_LENGTH];

    (void)state;
    random_init(&random);
    uuid_v7(one, 5, &random);
    uuid_v7(other, 5, &random);
    assert_memory_not_equal(one, other, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_that_of_version_7),
        cmocka_unit_test(random_bits_are_written_in_order),
        cmocka_unit_test(later_ids_sort_after_earlier_ones),
        cmocka_unit_test(no_two_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
