/* SPDX-License-Identifier: BSD-2-Clause */
/* base/text: numbers, JSON strings, and running out of room. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#define assert_text(text, expected) \
    do { \
        assert_int_equal(text_length(text), strlen(expected)); \
        assert_memory_equal((text)->start, (expected), strlen(expected)); \
    } while (0)

static void numbers_are_written_in_decimal(void **state)
{
    static const uint64_t numbers[] = {0,         1,          9,           10,        99,
                                       100,       101,        999,         1000,      9999,
                                       10000,     12345,      999999,      1000000,   99999999,
                                       100000000, UINT32_MAX, 9999999999u, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char memory[32];
        char expected[32];
        struct text text = text_over(memory, sizeof(memory));

        snprintf(expected, sizeof(expected), "%" PRIu64, numbers[i]);
        text_add_number(&text, numbers[i]);
        assert_text(&text, expected);
    }
}

static void numbers_are_written_in_hex(void **state)
{
    char memory[64];
    struct text text = text_over(memory, sizeof(memory));

    (void)state;
    text_add_hex(&text, 0);
    text_add_char(&text, ' ');
    text_add_hex(&text, 0x1f);
    text_add_char(&text, ' ');
    text_add_hex(&text, UINT64_MAX);
    assert_text(&text, "0 1f ffffffffffffffff");
}

static void text_that_does_not_fit_is_left_out_and_remembered(void **state)
{
    char memory[4];
    struct text text = text_over(memory, sizeof(memory));

    (void)state;
    text_add_literal(&text, "abc");
    assert_false(text.overflowed);
    text_add_number(&text, 12);
    assert_true(text.overflowed);
    assert_text(&text, "abc");
    text_add_char(&text, 'd');
    text_add_char(&text, 'e');
    assert_text(&text, "abcd");
}

static void assert_json(struct bytes input, size_t most, const char *expected)
{
    char memory[256];
    struct text text = text_over(memory, sizeof(memory));

    text_add_json_cut(&text, input, most);
    assert_false(text.overflowed);
    assert_text(&text, expected);
}

#define ALL SIZE_MAX

static void json_keeps_plain_text(void **state)
{
    (void)state;
    assert_json(BYTES(""), ALL, "");
    assert_json((struct bytes){NULL, 0}, ALL, "");
    assert_json(BYTES("/v1/payments/a-path-longer-than-eight?~\x7f"), ALL,
                "/v1/payments/a-path-longer-than-eight?~\x7f");
}

static void json_escapes_quotes_backslashes_and_control_bytes(void **state)
{
    (void)state;
    assert_json(BYTES("say \"hi\\there\""), ALL, "say \\\"hi\\\\there\\\"");
    assert_json(BYTES("a\nb\0c\x1f"), ALL, "a\\u000ab\\u0000c\\u001f");
}

static void json_escapes_are_found_at_every_position(void **state)
{
    static const unsigned char special[] = {0x00, 0x1f, '"', '\\', 0x80, 0xff};

    (void)state;
    for (size_t s = 0; s < sizeof(special); s++) {
        for (size_t position = 0; position < 24; position++) {
            char input[24];
            char memory[64];
            struct text text = text_over(memory, sizeof(memory));

            memset(input, 'x', sizeof(input));
            input[position] = (char)special[s];
            text_add_json(&text, (struct bytes){input, sizeof(input)});
            assert_int_equal(memory[position], '\\');
            assert_int_equal(text_length(&text), special[s] == '"' || special[s] == '\\' ? 25 : 29);
        }
    }
}

static void json_keeps_well_formed_utf8(void **state)
{
    (void)state;
    assert_json(BYTES("/caf\xc3\xa9/\xe2\x82\xac/\xf0\x9f\x8e\x89"), ALL,
                "/caf\xc3\xa9/\xe2\x82\xac/\xf0\x9f\x8e\x89");
}

static void json_shows_malformed_utf8_byte_by_byte(void **state)
{
    (void)state;
    assert_json(BYTES("\xff"), ALL, "\\u00ff");
    assert_json(BYTES("\xc3"), ALL, "\\u00c3");
    assert_json(BYTES("\xc3("), ALL, "\\u00c3(");
    assert_json(BYTES("\xc0\xaf"), ALL, "\\u00c0\\u00af");            /* overlong "/" */
    assert_json(BYTES("\xe0\x80\xaf"), ALL, "\\u00e0\\u0080\\u00af"); /* overlong */
    assert_json(BYTES("\xed\xa0\x80"), ALL, "\\u00ed\\u00a0\\u0080"); /* surrogate */
    assert_json(BYTES("\xf4\x90\x80\x80"), ALL, "\\u00f4\\u0090\\u0080\\u0080");
    assert_json(BYTES("\xe2\x82"), ALL, "\\u00e2\\u0082");
}

static void json_is_cut_between_characters(void **state)
{
    (void)state;
    assert_json(BYTES("abcdef"), 4, "abcd");
    assert_json(BYTES("abcdef"), 0, "");
    assert_json(BYTES("abc\"d"), 4, "abc");
    assert_json(BYTES("abc\"d"), 5, "abc\\\"");
    assert_json(BYTES("abc\nd"), 8, "abc");
    assert_json(BYTES("ab\xc3\xa9z"), 3, "ab");
    assert_json(BYTES("ab\xc3\xa9z"), 4, "ab\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(numbers_are_written_in_hex),
        cmocka_unit_test(text_that_does_not_fit_is_left_out_and_remembered),
        cmocka_unit_test(json_keeps_plain_text),
        cmocka_unit_test(json_escapes_quotes_backslashes_and_control_bytes),
        cmocka_unit_test(json_escapes_are_found_at_every_position),
        cmocka_unit_test(json_keeps_well_formed_utf8),
        cmocka_unit_test(json_shows_malformed_utf8_byte_by_byte),
        cmocka_unit_test(json_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
