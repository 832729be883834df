/* SPDX-License-Identifier: BSD-2-Clause */
/* http/message: lookups, methods, status codes, lists. */
#include "http/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define assert_bytes(actual, expected) \
    do { \
        struct bytes actual_ = (actual); \
        assert_int_equal(actual_.length, strlen(expected)); \
        assert_memory_equal(actual_.at, (expected), strlen(expected)); \
    } while (0)

static struct http_headers two_headers(void)
{
    static struct http_header rows[3];
    struct http_headers headers = {
        .count = 3, .present = (uint64_t)1 << HTTP_HEADER_VIA, .rows = rows};

    headers.rows[0] = (struct http_header){"X-Own", "1", 1, 5, HTTP_HEADER_OTHER};
    headers.rows[1] = (struct http_header){"via", "2", 1, 3, HTTP_HEADER_VIA};
    headers.rows[2] = (struct http_header){"Via", "3", 1, 3, HTTP_HEADER_VIA};
    return headers;
}

static void the_first_header_of_an_id_is_found(void **state)
{
    struct http_headers headers = two_headers();

    (void)state;
    assert_ptr_equal(http_find(&headers, HTTP_HEADER_VIA), &headers.rows[1]);
    assert_null(http_find(&headers, HTTP_HEADER_HOST));
    assert_true(http_has(&headers, HTTP_HEADER_VIA));
    assert_false(http_has(&headers, HTTP_HEADER_HOST));
}

static void headers_are_found_by_name_in_any_case(void **state)
{
    struct http_headers headers = two_headers();

    (void)state;
    assert_ptr_equal(http_find_named(&headers, BYTES("x-OWN")), &headers.rows[0]);
    assert_ptr_equal(http_find_named(&headers, BYTES("VIA")), &headers.rows[1]);
    assert_null(http_find_named(&headers, BYTES("x-ow")));
    assert_null(http_find_named(&headers, BYTES("Host")));
    assert_null(http_find_named(&headers, BYTES("")));
}

static void rfc9110_9_2_methods_are_safe_or_idempotent(void **state)
{
    (void)state;
    assert_true(http_method_is_safe(HTTP_GET));
    assert_true(http_method_is_safe(HTTP_HEAD));
    assert_true(http_method_is_safe(HTTP_OPTIONS));
    assert_true(http_method_is_safe(HTTP_TRACE));
    assert_false(http_method_is_safe(HTTP_PUT));
    assert_false(http_method_is_safe(HTTP_POST));
    assert_false(http_method_is_safe(HTTP_METHOD_OTHER));
    assert_true(http_method_is_idempotent(HTTP_GET));
    assert_true(http_method_is_idempotent(HTTP_PUT));
    assert_true(http_method_is_idempotent(HTTP_DELETE));
    assert_false(http_method_is_idempotent(HTTP_POST));
    assert_false(http_method_is_idempotent(HTTP_PATCH));
    assert_false(http_method_is_idempotent(HTTP_CONNECT));
    assert_false(http_method_is_idempotent(HTTP_METHOD_OTHER));
}

static void rfc9110_9_1_methods_have_one_spelling(void **state)
{
    static const char *const texts[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    (void)state;
    for (int i = 0; i < HTTP_METHOD_OTHER; i++) {
        assert_int_equal(http_method_of(bytes_of(texts[i])), i);
    }
    assert_int_equal(http_method_of(BYTES("get")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_of(BYTES("GETS")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_of(BYTES("")), HTTP_METHOD_OTHER);
}

static void status_codes_have_reasons(void **state)
{
    (void)state;
    assert_bytes(http_reason_of(200), "OK");
    assert_bytes(http_reason_of(431), "Request Header Fields Too Large");
    assert_bytes(http_reason_of(511), "Network Authentication Required");
    assert_int_equal(http_reason_of(0).length, 0);
    assert_int_equal(http_reason_of(299).length, 0);
    assert_int_equal(http_reason_of(512).length, 0);
    assert_int_equal(http_reason_of(100000).length, 0);
}

static void rfc9110_6_4_1_codes_without_a_body(void **state)
{
    (void)state;
    assert_true(http_status_forbids_body(100));
    assert_true(http_status_forbids_body(199));
    assert_true(http_status_forbids_body(204));
    assert_true(http_status_forbids_body(304));
    assert_false(http_status_forbids_body(200));
    assert_false(http_status_forbids_body(205));
    assert_false(http_status_forbids_body(404));
}

static void rfc9110_5_6_1_lists(void **state)
{
    struct bytes list = BYTES(" ,a , b c\t,,\"d, \\\" e\" f,g=\"h\",");
    struct bytes element;

    (void)state;
    assert_true(http_list_next(&list, &element));
    assert_bytes(element, "a");
    assert_true(http_list_next(&list, &element));
    assert_bytes(element, "b c");
    assert_true(http_list_next(&list, &element));
    assert_bytes(element, "\"d, \\\" e\" f");
    assert_true(http_list_next(&list, &element));
    assert_bytes(element, "g=\"h\"");
    assert_false(http_list_next(&list, &element));
    assert_false(http_list_next(&list, &element));
}

static void rfc9110_5_6_1_an_open_quote_reaches_to_the_end(void **state)
{
    struct bytes list = BYTES("\"a, b");
    struct bytes escape = BYTES("\"a\\");
    struct bytes element;

    (void)state;
    assert_true(http_list_next(&list, &element));
    assert_bytes(element, "\"a, b");
    assert_false(http_list_next(&list, &element));
    assert_true(http_list_next(&escape, &element));
    assert_bytes(element, "\"a\\");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_header_of_an_id_is_found),
        cmocka_unit_test(headers_are_found_by_name_in_any_case),
        cmocka_unit_test(rfc9110_9_2_methods_are_safe_or_idempotent),
        cmocka_unit_test(rfc9110_9_1_methods_have_one_spelling),
        cmocka_unit_test(status_codes_have_reasons),
        cmocka_unit_test(rfc9110_6_4_1_codes_without_a_body),
        cmocka_unit_test(rfc9110_5_6_1_lists),
        cmocka_unit_test(rfc9110_5_6_1_an_open_quote_reaches_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
