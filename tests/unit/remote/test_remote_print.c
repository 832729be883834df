/* SPDX-License-Identifier: BSD-2-Clause */
/* remote/remote_print: JSON as people like to read it. */
#include "remote/remote_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static char *printed(bool print(struct bytes json, FILE *out), const char *json, bool *good)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    *good = print(bytes_of(json), out);
    fclose(out);
    return text;
}

static bool print_wide(struct bytes json, FILE *out)
{
    return remote_print(json, 100, out);
}

static void assert_printed(const char *json, const char *expected)
{
    bool good;
    char *text = printed(print_wide, json, &good);

    assert_true(good);
    assert_string_equal(text, expected);
    free(text);
}

static void facts_are_lines(void **state)
{
    (void)state;
    assert_printed("{\"pid\": 7, \"up_time\": \"3 days\", \"none\": null, \"empty\": \"\"}\n",
                   "pid      7\n"
                   "up time  3 days\n"
                   "none     -\n"
                   "empty    -\n");
    assert_printed("{\"split\": {\"old\": \"95%\", \"new\": \"5%\"}}", "split  old=95% new=5%\n");
}

static void lists_of_objects_are_tables(void **state)
{
    (void)state;
    assert_printed("{\"rows\": [{\"name\": \"a\", \"in_flight\": 5}, {\"name\": \"long\", "
                   "\"in_flight\": 1234567890, \"more\": [1, 2]}]}",
                   "NAME   IN FLIGHT  MORE\n"
                   "a              5  -\n"
                   "long  1234567890  1, 2\n");
}

static void lists_are_named_unless_they_are_all(void **state)
{
    (void)state;
    assert_printed("{\"n\": 1, \"lines\": [\"x y\", \"z\"], \"none\": []}", "n  1\n"
                                                                            "\n"
                                                                            "lines:\n"
                                                                            "x y\n"
                                                                            "z\n"
                                                                            "\n"
                                                                            "none: none\n");
    assert_printed("{\"none\": []}", "none: none\n");
}

static void nothing_moves_the_cursor(void **state)
{
    (void)state;
    assert_printed("{\"a\": \"x\\u001b[2Jy\\u000az\"}", "a  x?[2Jy?z\n");
    assert_printed("{\"r\": [{\"a\": \"\xc3\xa9\", \"b\": 1}, {\"a\": \"xy\", \"b\": 22}]}",
                   "A    B\n"
                   "\xc3\xa9    1\n"
                   "xy  22\n");
}

static bool print_narrow(struct bytes json, FILE *out)
{
    return remote_print(json, 30, out);
}

static void tables_fit(void **state)
{
    bool good;
    char *text = printed(print_narrow,
                         "{\"rows\": [{\"name\": \"a-service-with-a-long-name\", \"sent_bytes\": "
                         "1234567, \"none\": null, \"mean_us\": 1500}]}",
                         &good);

    (void)state;
    assert_true(good);
    assert_string_equal(text, "NAME               SENT   MEAN\n"
                              "                  BYTES       \n"
                              "a-service-wit~ 1.18 MiB 1.5 ms\n");
    free(text);
}

static void what_is_no_answer_is_reported(void **state)
{
    static const char *const wrong[] = {"", "[1]", "{\"a\": ", "text", "{\"a\": 1, \"a\": 2}"};
    bool good;

    (void)state;
    for (int i = 0; i < 5; i++) {
        free(printed(print_wide, wrong[i], &good));
        assert_false(good);
    }
}

static void a_problem_is_its_detail_and_its_remedy(void **state)
{
    bool good;
    char *text =
        printed(remote_print_problem,
                "{\"status\": 404, \"detail\": \"line 1\\nline 2\", \"remedy\": \"do\"}", &good);

    (void)state;
    assert_true(good);
    assert_string_equal(text, "line 1\nline 2\ndo\n");
    free(text);
    free(printed(remote_print_problem, "{\"status\": 404}", &good));
    assert_false(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_lines),
        cmocka_unit_test(lists_of_objects_are_tables),
        cmocka_unit_test(lists_are_named_unless_they_are_all),
        cmocka_unit_test(nothing_moves_the_cursor),
        cmocka_unit_test(tables_fit),
        cmocka_unit_test(what_is_no_answer_is_reported),
        cmocka_unit_test(a_problem_is_its_detail_and_its_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
