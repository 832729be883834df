/* SPDX-License-Identifier: BSD-2-Clause */
/* cache/cache_control: RFC 9111 sections 1.2.2, 4.2.1 and 5.2. */
#include "cache/cache_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct cache_control read_text(const char *text)
{
    struct cache_control control = {0};

    cache_control_read(bytes_of(text), &control);
    return control;
}

static void names_have_any_case_and_strange_ones_are_passed_over(void **state)
{
    struct cache_control control = read_text("Max-Age=5, PUBLIC, what=\"a, no-store\",, x");

    (void)state;
    assert_true(control.max_age.said && control.max_age.seconds == 5);
    assert_true(control.is_public);
    assert_false(control.no_store);
}

static void each_flag_is_known(void **state)
{
    (void)state;
    assert_true(read_text("no-store").no_store);
    assert_true(read_text("no-cache=\"Set-Cookie\"").no_cache);
    assert_true(read_text("private=\"X-Own\"").is_private);
    assert_true(read_text("must-revalidate").must_revalidate);
    assert_true(read_text("proxy-revalidate").proxy_revalidate);
    assert_false(read_text("proxy-revalidate").must_revalidate);
    assert_true(read_text("only-if-cached").only_if_cached);
    assert_true(read_text("max-stale").max_stale_any);
    assert_false(read_text("max-stale=3").max_stale_any);
}

static void a_number_that_is_none_is_zero_and_of_two_the_less_holds(void **state)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } rows[] = {
        {"max-age=60", 60},
        {"max-age=\"60\"", 60},
        {"max-age", 0},
        {"max-age=-1", 0},
        {"max-age=1.5", 0},
        {"max-age=60s", 0},
        {"max-age=60, max-age=5", 5},
        {"max-age=5, max-age=60", 5},
        {"max-age=99999999999999999999999", CACHE_SECONDS_MOST},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cache_control control = read_text(rows[i].text);

        assert_true(control.max_age.said);
        assert_int_equal(control.max_age.seconds, rows[i].seconds);
    }
}

static void what_is_not_well_formed_counts_as_no_store(void **state)
{
    static const char *const texts[] = {
        "private; max-age=60",
        "private;",
        "private max-age=60",
        "max-age=60; private",
        "=private",
        "private=",
        "private:1",
        "{private}",
        "\"no-store\"",
        "max-age = 60",
        "max-age=60, \"private",
        "no-cache \"x\"",
        "private=\"a",
        "x=a\"b\"",
        "x=\"a\"b",
        "x=\"a\" b",
        "max-age=60, private=a=b",
        "x=\"a\\\"",
        "max-age=60, \xe4=1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        print_message("%s\n", texts[i]);
        assert_true(read_text(texts[i]).no_store);
    }
    assert_false(read_text(", max-age=60,, x,").no_store); /* RFC 9110 section 5.6.1.2 */
    assert_false(read_text("").no_store);
    assert_false(read_text("x=\"\\\"; =\", y=*").no_store);
}

static void pragma_forbids_also_beside_others(void **state)
{
    (void)state;
    assert_true(cache_pragma_forbids(BYTES("No-Cache")));
    assert_true(cache_pragma_forbids(BYTES("x, no-cache")));
    assert_true(cache_pragma_forbids(BYTES("no-cache; x")));
    assert_false(cache_pragma_forbids(BYTES("x")));
}

static void an_open_string_may_hide_no_store(void **state)
{
    (void)state;
    assert_true(read_text("max-age=60, foo=\"bar, no-store").no_store);
    assert_true(read_text("private, foo=\"b\\\"").no_store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_any_case_and_strange_ones_are_passed_over),
        cmocka_unit_test(each_flag_is_known),
        cmocka_unit_test(a_number_that_is_none_is_zero_and_of_two_the_less_holds),
        cmocka_unit_test(what_is_not_well_formed_counts_as_no_store),
        cmocka_unit_test(pragma_forbids_also_beside_others),
        cmocka_unit_test(an_open_string_may_hide_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
