/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/live/live_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One update with these numbers as rows. */
static void assert_update(struct live_table *table, const uint64_t *rows, size_t count,
                          const char *expected)
{
    struct page page = {0};

    live_table_begin(table, "t", &page);
    for (size_t i = 0; i < count; i++) {
        struct json json = live_table_row(table);

        json_number(&json, "n", rows[i]);
        live_table_row_end(table, &json);
    }
    live_table_end(table);
    page_add_char(&page, '\0');
    assert_string_equal(page.at, expected);
    page_release(&page);
}

static void only_rows_that_differ_are_sent(void **state)
{
    struct live_table table = {0};

    (void)state;
    assert_update(&table, (uint64_t[]){1, 2, 3}, 3,
                  ",\"t\":{\"rows\":{\"0\":{\"n\": 1},\"1\":{\"n\": 2},\"2\":{\"n\": 3}},"
                  "\"count\":3}");
    assert_update(&table, (uint64_t[]){1, 5, 3}, 3,
                  ",\"t\":{\"rows\":{\"1\":{\"n\": 5}},\"count\":3}");
    assert_update(&table, (uint64_t[]){1}, 1, ",\"t\":{\"rows\":{},\"count\":1}");
    assert_update(&table, (uint64_t[]){1, 5}, 2,
                  ",\"t\":{\"rows\":{\"1\":{\"n\": 5}},\"count\":2}");
    live_table_forget(&table);
    assert_update(&table, (uint64_t[]){1, 5}, 2,
                  ",\"t\":{\"rows\":{\"0\":{\"n\": 1},\"1\":{\"n\": 5}},\"count\":2}");
    live_table_release(&table);
}

static void a_row_that_is_kept_is_not_sent(void **state)
{
    struct live_table table = {0};
    struct page page = {0};

    (void)state;
    assert_update(&table, (uint64_t[]){1, 2}, 2,
                  ",\"t\":{\"rows\":{\"0\":{\"n\": 1},\"1\":{\"n\": 2}},\"count\":2}");
    live_table_begin(&table, "t", &page);
    assert_true(live_table_keep_row(&table));
    assert_true(live_table_keep_row(&table));
    assert_false(live_table_keep_row(&table)); /* there was none */
    live_table_end(&table);
    page_add_char(&page, '\0');
    assert_string_equal(page.at, ",\"t\":{\"rows\":{},\"count\":2}");
    page_release(&page);
    assert_update(&table, (uint64_t[]){1, 3}, 2,
                  ",\"t\":{\"rows\":{\"1\":{\"n\": 3}},\"count\":2}");
    live_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_rows_that_differ_are_sent),
                                       cmocka_unit_test(a_row_that_is_kept_is_not_sent)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
