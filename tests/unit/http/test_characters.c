/* SPDX-License-Identifier: BSD-2-Clause */
/* http/characters: the table against the RFCs' own lists, the scans against one byte at a time. */
#include "http/characters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>

static bool is_among(int byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

static bool is_ascii_alnum(int byte)
{
    return byte < 0x80 && isalnum(byte);
}

static void classes_are_those_of_the_rfcs(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool alnum = is_ascii_alnum(byte);
        bool unreserved = alnum || is_among(byte, "-._~");

        /* RFC 9110 section 5.6.2 */
        assert_int_equal(http_char_is((char)byte, HTTP_CHAR_TOKEN),
                         alnum || is_among(byte, "!#$%&'*+-.^_`|~"));
        /* RFC 3986 sections 2.3 and 3.2.2 */
        assert_int_equal(http_char_is((char)byte, HTTP_CHAR_UNRESERVED), unreserved);
        assert_int_equal(http_char_is((char)byte, HTTP_CHAR_HOST),
                         unreserved || is_among(byte, "!$&'()*+;="));
        assert_int_equal(http_char_is((char)byte, HTTP_CHAR_DIGIT), is_among(byte, "0123456789"));
        assert_int_equal(http_char_is((char)byte, HTTP_CHAR_HEX),
                         is_among(byte, "0123456789abcdefABCDEF"));
        if (http_char_is((char)byte, HTTP_CHAR_HEX)) {
            char digit[2] = {(char)byte, '\0'};

            assert_int_equal(http_hex_value((char)byte), strtol(digit, NULL, 16));
        }
    }
}

static bool may_stand_in_value(int byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static bool may_stand_in_target(int byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '#';
}

static bool is_plain(int byte)
{
    return is_ascii_alnum(byte) || is_among(byte, "-.");
}

/* It may stop early, where fewer than eight bytes are left. */
static void check_skip(const char *text, size_t length, size_t at, bool plain)
{
    const char *end = text + length;
    const char *stopped = http_skip_plain(text, end);

    assert_true(plain || stopped <= text + at);
    assert_true(stopped == text + at || (size_t)(stopped - text) % 8 == 0);
#ifdef __SSE2__
    assert_true(stopped == text + at || end - stopped < 8);
#endif
}

/* Each byte at each place of runs long enough for two vectors and a rest. */
static void scans_stop_at_the_first_wrong_byte(void **state)
{
    (void)state;
    for (size_t length = 1; length < 37; length++) {
        char *text = malloc(length);

        memset(text, 'a', length);
        for (size_t at = 0; at < length; at++) {
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char)byte;
                check_skip(text, length, at, is_plain(byte));
                assert_ptr_equal(http_scan_value(text, text + length),
                                 text + (may_stand_in_value(byte) ? length : at));
                assert_ptr_equal(http_scan_target(text, text + length),
                                 text + (may_stand_in_target(byte) ? length : at));
            }
            text[at] = 'a';
        }
        free(text);
    }
}

static void all_of_nothing_is_false(void **state)
{
    (void)state;
    assert_false(http_all_are(BYTES(""), HTTP_CHAR_TOKEN));
    assert_true(http_all_are(BYTES("a"), HTTP_CHAR_TOKEN));
    assert_false(http_all_are(BYTES("a b"), HTTP_CHAR_TOKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_rfcs),
        cmocka_unit_test(scans_stop_at_the_first_wrong_byte),
        cmocka_unit_test(all_of_nothing_is_false),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
