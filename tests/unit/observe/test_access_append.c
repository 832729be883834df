/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/access_append: numbers of every length, and texts that come out as base/text writes them,
 * with nothing written behind. */
#include "observe/access_append.h"

#include "base/system/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

static void assert_number(uint64_t number)
{
    char out[32] = {0};
    char expected[32];

    snprintf(expected, sizeof(expected), "%" PRIu64, number);
    assert_ptr_equal(append_number(out, number), out + strlen(expected));
    assert_string_equal(out, expected);
}

static void numbers_of_every_length_are_written(void **state)
{
    uint64_t power = 1;

    (void)state;
    for (uint64_t number = 0; number <= 100100; number++) {
        assert_number(number);
    }
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        assert_number(power - 1);
        assert_number(power);
        assert_number(power + 1);
    }
    assert_number(UINT64_MAX);
}

static void six_digits_are_six(void **state)
{
    char out[7] = {0};

    (void)state;
    assert_ptr_equal(append_six_digits(out, 42), out + 6);
    assert_string_equal(out, "000042");
    append_six_digits(out, 987654);
    assert_string_equal(out, "987654");
}

static void a_word_ends_at_its_limit(void **state)
{
    char out[8] = {0};

    (void)state;
    assert_ptr_equal(append_word(out, "1.1", 40), out + 3);
    assert_string_equal(out, "1.1");
    assert_ptr_equal(append_word(out, "longer", 4), out + 4);
    assert_string_equal(out, "long");
}

/* Of each text an own copy without a byte to spare, so that a sanitizer sees what is read. */
static void assert_text(const char *bytes, size_t length, size_t most)
{
    char out[256];
    char expected[256];
    char exact[64];
    struct text text = text_over(expected, sizeof(expected));
    char *end;

    memset(out, '#', sizeof(out));
    memcpy(exact + sizeof(exact) - length, bytes, length);
    text_add_json_cut(&text, (struct bytes){bytes, length}, most);
    end = append_json(out, (struct bytes){exact + sizeof(exact) - length, length}, most);
    assert_int_equal(end - out, text_length(&text));
    assert_memory_equal(out, expected, text_length(&text));
    assert_int_equal(out[most > length ? most : length], '#');
}

static void texts_are_those_of_base(void **state)
{
    static const char odd[] = {'"', '\\', '\n', 0x1f, 0x20, 0x7f, (char)0x80, (char)0xff, '!'};
    struct random random = {{1, 2, 3, 4}};
    char bytes[40];

    (void)state;
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        memset(bytes, 'a', sizeof(bytes));
        assert_text(bytes, length, 100);
        assert_text(bytes, length, length);
        assert_text(bytes, length, length / 2);
        for (size_t at = 0; at < length; at++) { /* one odd byte at each place */
            for (size_t i = 0; i < sizeof(odd); i++) {
                bytes[at] = odd[i];
                assert_text(bytes, length, 250);
                assert_text(bytes, length, length);
            }
            bytes[at] = 'a';
        }
    }
    for (int round = 0; round < 20000; round++) {
        size_t length = random_below(&random, sizeof(bytes) + 1);

        for (size_t i = 0; i < length; i++) {
            bytes[i] =
                (char)(round % 2 == 0 ? random_next(&random) : 0x20 + random_below(&random, 0x5f));
        }
        assert_text(bytes, length, 250);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_length_are_written),
        cmocka_unit_test(six_digits_are_six),
        cmocka_unit_test(a_word_ends_at_its_limit),
        cmocka_unit_test(texts_are_those_of_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
