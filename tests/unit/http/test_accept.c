/* SPDX-License-Identifier: BSD-2-Clause */
/* http/accept: which media types are named, and how much each is wanted. */
#include "http/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static unsigned weight_in_lines(const char *one, const char *other)
{
    struct http_header rows[] = {
        {"Accept", one, (uint32_t)strlen(one), 6, HTTP_HEADER_ACCEPT},
        {"Accept", other, (uint32_t)strlen(other), 6, HTTP_HEADER_ACCEPT},
    };
    const struct http_headers headers = {
        .count = 2, .present = (uint64_t)1 << HTTP_HEADER_ACCEPT, .rows = rows};

    return http_accept_weight(&headers, BYTES("text/html"));
}

static unsigned weight(const char *accept)
{
    return weight_in_lines(accept, "");
}

static void rfc9110_12_5_1_a_type_is_named(void **state)
{
    (void)state;
    assert_int_equal(weight("text/html"), 1000);
    assert_int_equal(weight(" TEXT/Html , x/y"), 1000);
    assert_int_equal(weight("x/y,text/html;level=1"), 1000);
    assert_int_equal(weight("x/y;a=\"text/html, text/html\""), 0);
    assert_int_equal(weight("*/*"), 0);
    assert_int_equal(weight("text/*"), 0);
    assert_int_equal(weight("text/htmlx"), 0);
    assert_int_equal(weight(""), 0);
}

static void rfc9110_12_4_2_it_has_a_weight(void **state)
{
    (void)state;
    assert_int_equal(weight("text/html;q=0.9"), 900);
    assert_int_equal(weight("text/html ; level=1 ; Q=0.123"), 123);
    assert_int_equal(weight("text/html;q=0"), 0);
    assert_int_equal(weight("text/html;q=0."), 0);
    assert_int_equal(weight("text/html;q=0.000"), 0);
    assert_int_equal(weight("text/html;q=1.000"), 1000);
    assert_int_equal(weight("text/html;q=0.1, text/html;level=1;q=0.4"), 400);
}

static void a_bad_weight_is_none(void **state)
{
    static const char *const bad[] = {"", "2", "-1", "0.1234", "0,5", "1.5", ".5", "0.x", "x"};
    char accept[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(accept, sizeof(accept), "text/html;q=%s", bad[i]);
        assert_int_equal(weight(accept), strcmp(bad[i], "0,5") == 0 ? 0 : 1000);
    }
}

static void several_lines_are_one_list(void **state)
{
    const struct http_headers none = {0};

    (void)state;
    assert_int_equal(weight_in_lines("x/y", "text/html;q=0.5"), 500);
    assert_int_equal(http_accept_weight(&none, BYTES("text/html")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9110_12_5_1_a_type_is_named),
        cmocka_unit_test(rfc9110_12_4_2_it_has_a_weight),
        cmocka_unit_test(a_bad_weight_is_none),
        cmocka_unit_test(several_lines_are_one_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
