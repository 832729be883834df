/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators ask, taken apart: names and values come from any user of the socket. */
#include "control/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void escapes_are_taken_off_and_bad_ones_refused(void **state)
{
    char out[QUESTION_TEXT_MAX];
    char longest[QUESTION_TEXT_MAX];

    (void)state;
    assert_true(question_decode(BYTES("srv%3a_api%2E%5ftcp"), out));
    assert_string_equal(out, "srv:_api._tcp");
    assert_true(question_decode(BYTES(""), out));
    assert_string_equal(out, "");
    assert_false(question_decode(BYTES("a%"), out));
    assert_false(question_decode(BYTES("a%4"), out));
    assert_false(question_decode(BYTES("a%zz"), out));
    assert_false(question_decode(BYTES("a%00b"), out));
    memset(longest, 'a', sizeof(longest));
    assert_true(question_decode((struct bytes){longest, sizeof(longest) - 1}, out));
    assert_int_equal(strlen(out), sizeof(longest) - 1);
    assert_false(question_decode((struct bytes){longest, sizeof(longest)}, out));
}

static void a_value_is_found_by_its_whole_name(void **state)
{
    struct question question = {.query = BYTES("stop=1&top=7&empty=&top=8")};
    char value[QUESTION_TEXT_MAX];

    (void)state;
    assert_true(question_value(&question, "top", value));
    assert_string_equal(value, "7");
    assert_true(question_value(&question, "empty", value));
    assert_string_equal(value, "");
    assert_false(question_value(&question, "to", value));
}

static uint64_t number_of(const char *query, uint64_t most, bool *read)
{
    struct question question = {.query = bytes_of(query)};
    uint64_t value = 99;

    *read = question_number(&question, "n", 5, most, &value);
    assert_true(question.answered != *read); /* refused, or read */
    page_release(&question.page);
    return value;
}

static void numbers_keep_within_their_bounds(void **state)
{
    bool read;

    (void)state;
    assert_int_equal(number_of("", 10, &read), 5);
    assert_true(read);
    assert_int_equal(number_of("n=0", 10, &read), 0);
    assert_true(read);
    assert_int_equal(number_of("n=10", 10, &read), 10);
    assert_true(read);
    number_of("n=11", 10, &read);
    assert_false(read);
    number_of("n=", 10, &read);
    assert_false(read);
    number_of("n=1x", 10, &read);
    assert_false(read);
    number_of("n=-1", 10, &read);
    assert_false(read);
    number_of("n=99999999999999999999999999", 10, &read);
    assert_false(read);
}

static void a_refusal_says_what_to_do(void **state)
{
    struct question question = {0};

    (void)state;
    page_add_text(&question.page, "what was written before");
    question_refuse(&question, 409, "a \"quoted\" reason", "do this");
    page_add_char(&question.page, '\0');
    assert_true(question.answered);
    assert_null(strstr(question.page.at, "before"));
    assert_non_null(strstr(question.page.at, "\"detail\": \"a \\\"quoted\\\" reason\""));
    assert_non_null(strstr(question.page.at, "\"remedy\": \"do this\""));
    page_release(&question.page);
}

static void a_refusal_names_what_it_speaks_of(void **state)
{
    struct question question = {0};
    char longest[QUESTION_DETAIL_MAX + 100];

    (void)state;
    question_refuse_named(&question, 404, "look", "there is no route '%s'", "a\"b");
    page_add_char(&question.page, '\0');
    assert_non_null(strstr(question.page.at, "\"detail\": \"there is no route 'a\\\"b'\""));
    page_release(&question.page);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    question = (struct question){.answered = false};
    question_refuse_named(&question, 404, "look", "no '%s'", longest);
    assert_true(question.answered && question.page.length < QUESTION_DETAIL_MAX + 200);
    page_release(&question.page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_taken_off_and_bad_ones_refused),
        cmocka_unit_test(a_value_is_found_by_its_whole_name),
        cmocka_unit_test(numbers_keep_within_their_bounds),
        cmocka_unit_test(a_refusal_says_what_to_do),
        cmocka_unit_test(a_refusal_names_what_it_speaks_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
