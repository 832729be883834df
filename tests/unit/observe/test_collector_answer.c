/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/collector_answer: where an answer ends, what it means for the batch, and what a collector
 * may say that is not as it should be. */
#include "observe/collector_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define OK "HTTP/1.1 200 OK\r\n"

static struct collector_answer answer_of(const char *text)
{
    struct collector_answer answer = {.verdict = COLLECTOR_LATER};

    collector_answer_read(text, &answer);
    return answer;
}

static struct collector_answer took(const char *body)
{
    char text[1024];

    snprintf(text, sizeof(text), OK "\r\n%s", body);
    return answer_of(text);
}

static void its_end_is_where_its_head_says(void **state)
{
    (void)state;
    assert_false(collector_answer_is_whole(""));
    assert_false(collector_answer_is_whole(OK "Content-Length: 0\r\n"));
    assert_true(collector_answer_is_whole(OK "Content-Length: 0\r\n\r\n"));
    assert_false(collector_answer_is_whole(OK "content-length: 2\r\n\r\n{"));
    assert_true(collector_answer_is_whole(OK "content-length: 2\r\n\r\n{}"));
    assert_false(collector_answer_is_whole(OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"));
    assert_true(
        collector_answer_is_whole(OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"));
    assert_false(collector_answer_is_whole(OK "\r\n{}"));
    assert_false(collector_answer_is_whole(OK "\r\n\r\nContent-Length: 1\r\n"));
}

static void of_some_the_head_is_enough(void **state)
{
    (void)state;
    assert_true(collector_answer_is_whole("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_true(collector_answer_is_whole("HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\n"));
    assert_true(collector_answer_is_whole("no HTTP\r\n\r\n"));
    assert_true(collector_answer_has_head(OK "\r\n"));
    assert_false(collector_answer_has_head(OK));
}

static void a_status_says_whether_to_try_again(void **state)
{
    struct collector_answer answer = answer_of("HTTP/1.1 503 x\r\nRetry-After: 7\r\n\r\n");

    (void)state;
    assert_int_equal(answer.verdict, COLLECTOR_LATER);
    assert_int_equal(answer.retry_after_s, 7);
    assert_string_equal(answer.why, "its answer is 503");
    answer = answer_of("HTTP/1.1 429 x\r\nretry-after: 99999\r\n\r\n");
    assert_int_equal(answer.retry_after_s, 30);
    assert_int_equal(answer_of("HTTP/1.1 400 x\r\n\r\n").verdict, COLLECTOR_REFUSED);
    answer = answer_of("SSH-2.0\r\n\r\n");
    assert_int_equal(answer.verdict, COLLECTOR_LATER);
    assert_string_equal(answer.why, "its answer is not HTTP/1.1");
}

static void a_partial_success_has_a_number_and_a_cause(void **state)
{
    struct collector_answer answer =
        took("{\"partialSuccess\" : {\"rejectedSpans\" : \"12\", \"errorMessage\": \"too old\"}}");

    (void)state;
    assert_int_equal(answer.verdict, COLLECTOR_TOOK);
    assert_int_equal(answer.rejected, 12);
    assert_string_equal(answer.why, "too old");
    answer = took("{\"partialSuccess\":{\"rejectedSpans\":3}}");
    assert_int_equal(answer.rejected, 3);
    assert_string_equal(answer.why, "it does not say why");
}

static void without_a_number_all_were_taken(void **state)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "{\"partialSuccess\":{}}",
        "{\"partialSuccess\":{\"errorMessage\":\"say \\\"rejectedSpans\\\":3\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":0,\"errorMessage\":\"only a warning\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":null}}",
        "{\"partialSuccess\":{\"rejectedSpans\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct collector_answer answer = took(bodies[i]);

        assert_int_equal(answer.verdict, COLLECTOR_TOOK);
        assert_int_equal(answer.rejected, 0);
    }
}

static void a_cause_cannot_forge_a_line_of_the_log(void **state)
{
    char body[600];
    struct collector_answer answer =
        took("{\"rejectedSpans\":1,\"errorMessage\":\"a\nb\033[1m \\\"c\\\" d\"}");

    (void)state;
    assert_string_equal(answer.why, "a?b?[1m \\\"c\\\" d");
    snprintf(body, sizeof(body), "{\"rejectedSpans\":1,\"errorMessage\":\"%0*d\"}", 500, 0);
    assert_int_equal(strlen(took(body).why), sizeof(answer.why) - 1);
    assert_string_equal(took("{\"rejectedSpans\":1,\"errorMessage\":\"cut of").why, "cut of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_end_is_where_its_head_says),
        cmocka_unit_test(of_some_the_head_is_enough),
        cmocka_unit_test(a_status_says_whether_to_try_again),
        cmocka_unit_test(a_partial_success_has_a_number_and_a_cause),
        cmocka_unit_test(without_a_number_all_were_taken),
        cmocka_unit_test(a_cause_cannot_forge_a_line_of_the_log),
    };
    return cmocka_run_group_tests_name("collector_answer", tests, NULL, NULL);
}
