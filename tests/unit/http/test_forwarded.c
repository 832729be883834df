/* SPDX-License-Identifier: BSD-2-Clause */
/* http/forwarded: elements from the right, and what no quote can hide. */
#include "http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

/* The nodes of a list from the right, each followed by a space; "!" where it is not well-formed. From
 * an exact copy, so that a sanitizer sees a read past its end. */
static const char *nodes_of(const char *text)
{
    static char found[512];
    char *copy = malloc(strlen(text) + 1);
    struct bytes list = {copy + 1, strlen(text)};
    struct bytes node;

    memcpy(copy + 1, text, list.length);
    found[0] = '\0';
    while (http_forwarded_take_last(&list, &node)) {
        strncat(found, node.at, node.length);
        strcat(found, " ");
    }
    if (list.length > 0) {
        strcat(found, "!");
    }
    free(copy);
    return found;
}

static void assert_sound_end(const char *list, const char *expected)
{
    struct bytes end = http_forwarded_sound_end(bytes_of(list));

    assert_int_equal(end.length, strlen(expected));
    assert_memory_equal(end.at, expected, end.length);
}

static void elements_come_from_the_right(void **state)
{
    (void)state;
    assert_string_equal(nodes_of(""), "");
    assert_string_equal(nodes_of(" , ,"), "");
    assert_string_equal(nodes_of("for=192.0.2.1"), "192.0.2.1 ");
    assert_string_equal(nodes_of("for=a, FOR=b ; by=c,proto=http;for=\"[2001:db8::1]:47\" , "),
                        "[2001:db8::1]:47 b a ");
    assert_string_equal(nodes_of("by=x, for=a"), "a  ");
    assert_string_equal(nodes_of("for=\"1,2\\\"\\\\\";host=\"a;b\", for=b"), "b 1,2\\\"\\\\ ");
    assert_string_equal(nodes_of("for=[2001:db8::1]:47, for=192.0.2.1:80"),
                        "192.0.2.1:80 [2001:db8::1]:47 ");
}

static void a_quote_hides_nothing_to_its_right(void **state)
{
    (void)state;
    assert_string_equal(nodes_of("for=\"6.6.6.6, for=b"), "b !");
    assert_string_equal(nodes_of("for=\"6.6.6.6, for=\"[::1]\""), "[::1] !");
    assert_string_equal(nodes_of("x=\"\\, for=\"[::1]\""), "[::1] !");
    assert_string_equal(nodes_of("x=\"\\\", for=b;by=\"c\""), "b !");
    assert_string_equal(nodes_of("for=a\", for=b"), "b !");
    assert_string_equal(nodes_of("nonsense, for=b"), "b !");
    assert_string_equal(nodes_of("for=a b, for=b"), "b !");
    assert_string_equal(nodes_of("for=\"a\"b, for=b"), "b !");
    assert_string_equal(nodes_of("for=, for=b"), "b !");
    assert_string_equal(nodes_of("\""), "!");
    assert_string_equal(nodes_of("\\\""), "!");
}

static void what_may_be_passed_on_is_reported(void **state)
{
    (void)state;
    assert_sound_end("for=a, for=b", "for=a, for=b");
    assert_sound_end("for=a, for=\"6.6.6.6, for=b;by=\"x,y\", for=c", "for=b;by=\"x,y\", for=c");
    assert_sound_end("for=\"6.6.6.6", "");
    assert_sound_end("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_from_the_right),
        cmocka_unit_test(a_quote_hides_nothing_to_its_right),
        cmocka_unit_test(what_may_be_passed_on_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
