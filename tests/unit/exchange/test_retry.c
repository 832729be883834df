/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/retry: every combination of facts against the rules in words (RFC 9110 section 9.2.2:
 * what is not idempotent is repeated only if the origin cannot have seen it). */
#include "exchange/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The origin has not seen the request, or has closed an idle connection under it. */
static bool another_try_may_help(enum origin_failure failure)
{
    return failure == ORIGIN_FAILURE_REFUSED || failure == ORIGIN_FAILURE_UNREACHABLE ||
           failure == ORIGIN_FAILURE_CONNECT_TIMEOUT || failure == ORIGIN_FAILURE_NAME_UNKNOWN ||
           failure == ORIGIN_FAILURE_CLOSED;
}

static bool expected(const struct retry_facts *facts)
{
    bool unseen = facts->bytes_written == 0;

    return !facts->answer_begun && facts->body_kept && facts->attempts < 2 &&
           another_try_may_help(facts->failure) &&
           (facts->other_origin || facts->connection_reused) &&
           (unseen || http_method_is_idempotent(facts->method));
}

static void the_whole_table(void **state)
{
    unsigned allowed = 0;
    unsigned cases = 0;

    (void)state;
    for (int method = HTTP_GET; method <= HTTP_METHOD_OTHER; method++) {
        for (int failure = 0; failure < ORIGIN_FAILURE_COUNT; failure++) {
            for (unsigned bits = 0; bits < 128; bits++) {
                const struct retry_facts facts = {
                    .method = (enum http_method)method,
                    .failure = (enum origin_failure)failure,
                    .bytes_written = (bits & 1) != 0 ? 100 : 0,
                    .answer_begun = (bits & 2) != 0,
                    .body_kept = (bits & 4) != 0,
                    .connection_reused = (bits & 8) != 0,
                    .other_origin = (bits & 16) != 0,
                    .attempts = 1 + (bits >> 5),
                };

                assert_int_equal(retry_is_allowed(&facts), expected(&facts));
                allowed += retry_is_allowed(&facts);
                cases++;
            }
        }
    }
    assert_true(allowed > 0 && allowed < cases / 10);
}

static struct retry_facts closed_under_a_reused_connection(enum http_method method)
{
    return (struct retry_facts){
        .method = method,
        .failure = ORIGIN_FAILURE_CLOSED,
        .bytes_written = 50,
        .attempts = 1,
        .body_kept = true,
        .connection_reused = true,
    };
}

static void a_payment_is_never_sent_twice(void **state)
{
    struct retry_facts facts = closed_under_a_reused_connection(HTTP_POST);

    (void)state;
    assert_false(retry_is_allowed(&facts));
    facts.method = HTTP_PATCH;
    assert_false(retry_is_allowed(&facts));
    facts.method = HTTP_METHOD_OTHER;
    assert_false(retry_is_allowed(&facts));
    facts.method = HTTP_POST;
    facts.bytes_written = 0; /* not a byte of it left */
    assert_true(retry_is_allowed(&facts));
}

static void what_is_idempotent_may_be(void **state)
{
    static const enum http_method methods[] = {HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_DELETE,
                                               HTTP_OPTIONS};

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct retry_facts facts = closed_under_a_reused_connection(methods[i]);

        assert_true(retry_is_allowed(&facts));
    }
}

static void an_answer_that_broke_or_came_late_is_not_asked_for_again(void **state)
{
    static const enum origin_failure seen[] = {
        ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT, ORIGIN_FAILURE_ANSWER_TIMEOUT,
        ORIGIN_FAILURE_MALFORMED,          ORIGIN_FAILURE_INCOMPLETE,
        ORIGIN_FAILURE_LINE_FULL,          ORIGIN_FAILURE_LINE_TIMEOUT,
        ORIGIN_FAILURE_HEAD_TOO_LARGE,     ORIGIN_FAILURE_NO_DESCRIPTOR,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        struct retry_facts facts = closed_under_a_reused_connection(HTTP_GET);

        facts.failure = seen[i];
        facts.other_origin = true;
        assert_false(retry_is_allowed(&facts));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_table),
        cmocka_unit_test(a_payment_is_never_sent_twice),
        cmocka_unit_test(what_is_idempotent_may_be),
        cmocka_unit_test(an_answer_that_broke_or_came_late_is_not_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
