/* SPDX-License-Identifier: BSD-2-Clause */
/* http/connection_names: what Connection names is found whatever its case and however much stands
 * there; and what that takes is no product of tokens and fields. */
#include "http/connection_names.h"

#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct siphash_key key = {1, 2};
static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_request request = {.headers.rows = rows};
static struct http_connection_names names;

static void parse(const char *text)
{
    const struct h1_limits limits = {60000, 8192, 128, 0};
    struct h1_problem problem = {0};
    size_t consumed;

    if (h1_parse_request(bytes_of(text), &limits, &request, &consumed, &problem) != H1_COMPLETE) {
        fail_msg("%s", problem.what);
    }
    names.count = request.headers.count;
    for (uint32_t i = 0; i < names.count; i++) {
        names.names[i] = http_header_name(&request.headers.rows[i]);
    }
}

/* The names that are found, in order, with a comma behind each. */
static const char *found(const char *text)
{
    static char list[60000];

    parse(text);
    http_connection_names_find(&names, &request.headers, &key);
    list[0] = '\0';
    for (uint32_t i = 0; i < names.count; i++) {
        if (names.named[i]) {
            strncat(list, names.names[i].at, names.names[i].length);
            strcat(list, ",");
        }
    }
    return list;
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"

static void names_are_found_whatever_their_case(void **state)
{
    (void)state;
    assert_string_equal(found(GET "\r\n"), "");
    assert_string_equal(found(GET "Connection: close\r\nX-One: 1\r\n\r\n"), "");
    assert_string_equal(
        found(GET "Connection: close, x-one\r\nX-One: 1\r\nX-Two: 2\r\nx-OnE: 3\r\n\r\n"),
        "X-One,x-OnE,");
    assert_string_equal(found(GET "X-A-Long-Name: 1\r\nConnection: ,, X-A-LONG-NAME ,a\r\n"
                                  "X-A-Long-Nam: 2\r\nA: 3\r\n\r\n"),
                        "X-A-Long-Name,A,");
    assert_string_equal(found(GET "Connection: X-1\r\nX-1: a\r\nX-2: b\r\nConnection: x-2\r\n\r\n"),
                        "X-1,X-2,");
    /* Letters alone have a case. */
    assert_string_equal(found(GET "Connection: ^a\r\n~a: 1\r\n^A: 2\r\n\r\n"), "^A,");
}

static void an_empty_name_is_never_found(void **state)
{
    (void)state;
    parse(GET "Connection: x,,\r\nX: 1\r\n\r\n");
    names.names[2] = BYTES("");
    http_connection_names_find(&names, &request.headers, &key);
    assert_false(names.named[2]);
}

static void usual_options_name_no_field(void **state)
{
    (void)state;
    parse(GET "\r\n");
    assert_false(http_connection_names_fields(&request.headers));
    parse(GET "Connection: Keep-Alive, Upgrade\r\nConnection: TE, close\r\n\r\n");
    assert_false(http_connection_names_fields(&request.headers));
    parse(GET "Connection: close\r\nConnection: close, x\r\n\r\n");
    assert_true(http_connection_names_fields(&request.headers));
}

/* 120 fields and 10,000 tokens, of which none is a field but the last. */
static void many_tokens_and_many_fields(void **state)
{
    static char text[60000] = GET;
    size_t length = strlen(text);

    (void)state;
    for (int i = 0; i < 120; i++) {
        length += (size_t)sprintf(text + length, "%c%c: 1\r\n", 'a' + i / 26, 'a' + i % 26);
    }
    length += (size_t)sprintf(text + length, "Connection: ");
    for (int i = 0; i < 10000; i++) {
        length += (size_t)sprintf(text + length, "%c%c,", 'k' + i % 13, 'a' + i % 26);
    }
    strcpy(text + length, "EP\r\n\r\n");
    assert_string_equal(found(text), "ep,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_whatever_their_case),
        cmocka_unit_test(an_empty_name_is_never_found),
        cmocka_unit_test(usual_options_name_no_field),
        cmocka_unit_test(many_tokens_and_many_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
