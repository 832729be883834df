/* SPDX-License-Identifier: BSD-2-Clause */
/* base/json and base/page: punctuation, escapes, growing. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static void assert_page(struct page *page, const char *expected)
{
    page_add_char(page, '\0');
    assert_false(page->failed);
    assert_string_equal(page->at, expected);
    page_release(page);
    assert_null(page->at);
}

static void objects_stand_on_lines_rows_on_one(void **state)
{
    struct page page = {0};
    struct json json = json_on(&page);

    (void)state;
    json_begin_object(&json, NULL);
    json_text(&json, "name", "a");
    json_begin_row(&json, "row");
    json_number(&json, "n", 18446744073709551615u);
    json_begin_list(&json, "inner");
    json_flag(&json, NULL, true);
    json_flag(&json, NULL, false);
    json_end_list(&json);
    json_end_object(&json);
    json_begin_list(&json, "list");
    json_begin_row(&json, NULL);
    json_text(&json, "x", NULL);
    json_end_object(&json);
    json_begin_row(&json, NULL);
    json_end_object(&json);
    json_end_list(&json);
    json_begin_list(&json, "none");
    json_end_list(&json);
    json_end_object(&json);
    assert_page(&page, "{\n"
                       "  \"name\": \"a\",\n"
                       "  \"row\": {\"n\": 18446744073709551615, \"inner\": [true, false]},\n"
                       "  \"list\": [\n"
                       "    {\"x\": null},\n"
                       "    {}\n"
                       "  ],\n"
                       "  \"none\": []\n"
                       "}\n");
}

static void values_are_escaped(void **state)
{
    struct page page = {0};
    struct json json = json_on(&page);

    (void)state;
    json_begin_row(&json, NULL);
    json_text(&json, "a\"b", "c\\d\n\x01");
    json_end_object(&json);
    assert_page(&page, "{\"a\\\"b\": \"c\\\\d\\u000a\\u0001\"}\n");
}

static void percents_and_times_are_those_of_the_configuration(void **state)
{
    static const uint64_t weights[] = {0, 5, 10, 100, 425, 9950, 10000};
    struct page page = {0};
    struct json json = json_on(&page);

    (void)state;
    json_begin_row(&json, NULL);
    for (int i = 0; i < 7; i++) {
        json_percent(&json, "w", weights[i]);
    }
    json_time(&json, "t", 1735689599);
    json_end_object(&json);
    assert_page(&page, "{\"w\": \"0%\", \"w\": \"0.05%\", \"w\": \"0.1%\", \"w\": \"1%\", "
                       "\"w\": \"4.25%\", \"w\": \"99.5%\", \"w\": \"100%\", "
                       "\"t\": \"2024-12-31T23:59:59Z\"}\n");
}

static void a_page_grows(void **state)
{
    struct page page = {0};

    (void)state;
    for (int i = 0; i < 100000; i++) {
        page_format(&page, "%05d,", i);
    }
    assert_false(page.failed);
    assert_int_equal(page.length, 600000);
    assert_memory_equal(page.at + 599994, "99999,", 6);
    page_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_stand_on_lines_rows_on_one),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(percents_and_times_are_those_of_the_configuration),
        cmocka_unit_test(a_page_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
