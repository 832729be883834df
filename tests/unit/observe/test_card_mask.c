/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/card_mask: what is hidden, what is not, and cuts. The numbers are the well-known
 * test cards of the schemes, which belong to no person. */
#include "observe/card_mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_masked(const char *text, size_t most, const char *expected)
{
    char scratch[256];
    struct bytes masked = card_mask(bytes_of(text), most, scratch);

    assert_int_equal(masked.length, strlen(expected));
    assert_memory_equal(masked.at, expected, masked.length);
}

static void cards_are_hidden(void **state)
{
    (void)state;
    assert_masked("/cards/4111111111111111", 256, "/cards/411111*1111");
    assert_masked("/cards/4111111111111111/", 256, "/cards/411111*1111/");
    assert_masked("4222222222222", 256, "422222*2222");         /* 13 digits */
    assert_masked("/378282246310005", 256, "/378282*0005");     /* 15 */
    assert_masked("/6304000000000000000", 256, "/630400*0000"); /* 19 */
    assert_masked("/a4111111111111111b", 256, "/a411111*1111b");
    assert_masked("/5555555555554444/to/4111111111111111", 256, "/555555*4444/to/411111*1111");
}

static void cards_are_found_at_every_position(void **state)
{
    (void)state;
    for (size_t before = 0; before < 60; before++) {
        char text[128];
        char expected[128];

        memset(text, '/', before);
        memcpy(text + before, "4222222222222", sizeof("4222222222222"));
        memset(expected, '/', before);
        memcpy(expected + before, "422222*2222", sizeof("422222*2222"));
        assert_masked(text, 256, expected);
    }
}

static void encoded_digits_hide_nothing(void **state)
{
    (void)state;
    assert_masked("/%34111111111111111", 256, "/411111*1111");
    assert_masked("/4%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31", 256, "/411111*1111");
}

static void groups_are_one_number(void **state)
{
    (void)state;
    assert_masked("4111 1111 1111 1111", 256, "411111*1111");
    assert_masked("/a/4111-1111-1111-1111/b", 256, "/a/411111*1111/b");
    assert_masked("/4111+1111+1111+1111", 256, "/411111*1111");
    assert_masked("4111.1111_1111-1111", 256, "411111*1111");
    assert_masked("/4111%201111%2d1111%2D1111", 256, "/411111*1111");
    assert_masked("/%34111%5F1111%2b1111%2E1111", 256, "/411111*1111");
    assert_masked("3782 822463 10005", 256, "378282*0005");
    assert_masked("3056-930902-5904", 256, "305693*5904");
    assert_masked("6304 0000 0000 0000 000", 256, "630400*0000");
    assert_masked("4222-2222-2222-2", 256, "422222*2222");
    assert_masked("12-4111-1111-1111-1111-5", 256, "12-411111*1111-5");
    assert_masked("12-4111111111111111.3", 256, "12-411111*1111.3");
    assert_masked("4111 1111 1111 1111 5555 5555 5555 4444", 256, "411111*1111 555555*4444");
}

static void other_groups_stay(void **state)
{
    static const char *const texts[] = {
        "4111 1111 1111 1112", "41-11-11-11-11-11-11-11", "4111--1111--1111--1111",
        "4111/1111/1111/1111", "41111111 11111111",       "0193a5f2-4111-1111-1111-111111111111",
        "4111-1111-1111-",     "4111 1111 1111",          "4111%2G1111%211111%5A1111",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_masked(texts[i], 256, texts[i]);
    }
}

static void other_numbers_stay(void **state)
{
    (void)state;
    assert_masked("", 256, "");
    assert_masked("/orders/4111111111111112", 256, "/orders/4111111111111112");
    assert_masked("/orders/422222222222", 256, "/orders/422222222222");   /* 12 */
    assert_masked("/41111111111111111111", 256, "/41111111111111111111"); /* 20 */
    assert_masked("/0193a5f2-c4d7-7123-8123-123456789012", 256,
                  "/0193a5f2-c4d7-7123-8123-123456789012");
    assert_masked("/a%20b%3", 256, "/a%20b%3");
    assert_masked("/1111111111111%", 256, "/1111111111111%");
}

static void a_cut_shows_no_more_of_a_card(void **state)
{
    static const char whole[] = "/cards/411111*1111";

    (void)state;
    for (size_t most = 0; most < sizeof(whole); most++) {
        char expected[sizeof(whole)] = {0};

        memcpy(expected, whole, most);
        assert_masked("/cards/4111111111111111", most, expected);
    }
    assert_masked("/a/long/path", 4, "/a/l");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_are_hidden),
        cmocka_unit_test(cards_are_found_at_every_position),
        cmocka_unit_test(encoded_digits_hide_nothing),
        cmocka_unit_test(groups_are_one_number),
        cmocka_unit_test(other_groups_stay),
        cmocka_unit_test(other_numbers_stay),
        cmocka_unit_test(a_cut_shows_no_more_of_a_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
