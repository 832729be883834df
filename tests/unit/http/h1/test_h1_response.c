/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h1/h1_parser, response heads and trailer sections. */
#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct h1_limits roomy = {.head_bytes = 65536, .target_bytes = 0, .headers = 100};

static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_response response = {.headers.rows = rows};
static struct http_headers trailers = {.rows = rows};
static struct h1_problem problem;
static size_t consumed;
static char *kept;

static struct bytes exact_copy(struct bytes text)
{
    free(kept);
    kept = malloc(text.length + 1);
    memcpy(kept + 1, text.at, text.length);
    return (struct bytes){kept + 1, text.length};
}

static enum h1_verdict parse_to(struct bytes text, enum http_method method)
{
    return h1_parse_response(exact_copy(text), &roomy, method, &response, &consumed, &problem);
}

static void accept_to(const char *text, enum http_method method)
{
    struct bytes whole = bytes_of(text);

    for (size_t length = 0; length < whole.length; length++) {
        assert_int_equal(parse_to(bytes_first(whole, length), method), H1_INCOMPLETE);
    }
    if (parse_to(whole, method) != H1_COMPLETE) {
        fail_msg("refused (%s): %s", problem.what, text);
    }
    assert_int_equal(consumed, whole.length);
}

static void accept_answer(const char *text)
{
    accept_to(text, HTTP_GET);
}

static void refuse(const char *text)
{
    struct bytes whole = bytes_of(text);

    if (parse_to(whole, HTTP_GET) != H1_REJECTED) {
        fail_msg("not refused: %s", text);
    }
    assert_int_equal(problem.status, 502);
    assert_true(strncmp(problem.section, "RFC ", 4) == 0);
    for (size_t length = 0; length < whole.length; length++) {
        assert_int_not_equal(parse_to(bytes_first(whole, length), HTTP_GET), H1_COMPLETE);
    }
}

static void refuse_at_once(const char *text)
{
    struct bytes whole = bytes_of(text);

    refuse(text);
    assert_int_equal(parse_to(bytes_first(whole, whole.length - 1), HTTP_GET), H1_INCOMPLETE);
}

#define assert_bytes(actual, expected) \
    do { \
        struct bytes actual_ = (actual); \
        assert_int_equal(actual_.length, strlen(expected)); \
        assert_memory_equal(actual_.at, (expected), strlen(expected)); \
    } while (0)

/* --- RFC 9112 section 4: the status line -------------------------------------------------- */

static void an_answer_is_taken_apart(void **state)
{
    (void)state;
    accept_answer("HTTP/1.1 200 All Fine\r\nContent-Length: 5\r\nServer: x\r\n\r\n");
    assert_int_equal(response.status, 200);
    assert_int_equal(response.version, HTTP_1_1);
    assert_bytes(response.reason, "All Fine");
    assert_int_equal(response.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(response.body_length, 5);
    assert_true(response.keep_alive);
    assert_int_equal(response.headers.count, 2);
}

static void rfc9112_4_the_reason_may_be_missing(void **state)
{
    (void)state;
    accept_answer("HTTP/1.1 200 \r\n\r\n");
    assert_int_equal(response.reason.length, 0);
    accept_answer("HTTP/1.1 200\r\n\r\n");
    assert_int_equal(response.reason.length, 0);
    accept_answer("HTTP/1.1 200 caf\xc3\xa9\tok\r\n\r\n");
}

static void rfc9112_4_malformed_status_lines(void **state)
{
    (void)state;
    refuse_at_once("HTTP/1.1  ");
    refuse_at_once("HTTP/1.1\t");
    refuse_at_once("HTTP/1.1 20\r");
    refuse_at_once("HTTP/1.1 20a");
    refuse_at_once("HTTP/1.1 2000");
    refuse_at_once("HTTP/1.1 200\t");
    refuse_at_once("HTTP/1.1 +");
    refuse_at_once("HTTP/1.1\r");
    refuse_at_once("\r");
    refuse_at_once("\n");
    refuse_at_once("h");
    refuse_at_once("HTTP ");
    refuse_at_once("<");
}

static void rfc9110_15_status_codes_from_100_to_599(void **state)
{
    (void)state;
    refuse("HTTP/1.1 099 x\r\n\r\n");
    refuse("HTTP/1.1 000 x\r\n\r\n");
    refuse("HTTP/1.1 600 x\r\n\r\n");
    refuse("HTTP/1.1 999 x\r\n\r\n");
    accept_answer("HTTP/1.1 599 x\r\n\r\n");
    accept_answer("HTTP/1.1 299 x\r\n\r\n");
}

static void rfc9112_2_3_versions(void **state)
{
    (void)state;
    accept_answer("HTTP/1.0 200 OK\r\n\r\n");
    assert_int_equal(response.version, HTTP_1_0);
    accept_answer("HTTP/1.2 200 OK\r\n\r\n"); /* RFC 9110 section 2.5 */
    refuse("HTTP/2.0 200 OK\r\n\r\n");
    refuse("HTTP/0.9 200 OK\r\n\r\n");
}

static void rfc9112_2_2_lines_end_in_crlf(void **state)
{
    (void)state;
    refuse_at_once("HTTP/1.1 200 OK\n");
    refuse_at_once("HTTP/1.1 200\n");
    refuse_at_once("HTTP/1.1 200 OK\rx");
    refuse_at_once("HTTP/1.1 200 O\x01");
    refuse_at_once("HTTP/1.1 200 OK\r\nX: y\n");
    refuse_at_once("HTTP/1.1 200 OK\r\n\n");
    refuse("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n");
    refuse("HTTP/1.1 200 OK\r\nX : a\r\n\r\n");
}

/* --- RFC 9112 section 6.3: where the body ends -------------------------------------------- */

static void rfc9112_6_3_some_answers_have_no_body(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 304 x\r\n\r\n",
                                        "HTTP/1.1 100 x\r\n\r\n", "HTTP/1.1 103 x\r\n\r\n",
                                        "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        accept_answer(heads[i]);
        assert_int_equal(response.framing, HTTP_NO_BODY);
        assert_true(response.keep_alive);
    }
    accept_answer("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_int_equal(response.body_length, 5);
    assert_true(response.keep_alive);
    accept_to("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_HEAD);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_int_equal(response.body_length, 5);
    accept_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_HEAD);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    accept_to("HTTP/1.1 200 OK\r\n\r\n", HTTP_HEAD);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_true(response.keep_alive);
}

static void rfc9110_8_6_a_204_that_announces_a_body_ends_its_connection(void **state)
{
    (void)state;
    accept_answer("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_false(response.keep_alive);
    accept_answer("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_false(response.keep_alive);
    accept_answer("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n");
    assert_true(response.keep_alive);
}

static void rfc9112_6_3_chunked_or_until_close(void **state)
{
    (void)state;
    accept_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_int_equal(response.framing, HTTP_CHUNKED);
    assert_true(response.keep_alive);
    accept_answer("HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(response.framing, HTTP_UNTIL_CLOSE);
    assert_false(response.keep_alive);
    accept_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(response.framing, HTTP_LENGTH_KNOWN);
}

static void rfc9112_6_unclear_framing_is_refused(void **state)
{
    static const char *const lines[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length: 9223372036854775808",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n\r\n", lines[i]);
        refuse(text);
        snprintf(text, sizeof(text), "HTTP/1.1 204 x\r\n%s\r\n\r\n", lines[i]);
        refuse(text);
    }
    refuse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void rfc9112_9_3_persistence(void **state)
{
    (void)state;
    accept_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_false(response.keep_alive);
    accept_answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_false(response.keep_alive);
    accept_answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(response.keep_alive);
    refuse("HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n");
}

static void a_head_that_is_too_long_says_so(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    struct h1_limits limits = {.head_bytes = sizeof(head) - 1, .headers = 2};

    (void)state;
    assert_int_equal(
        h1_parse_response(BYTES(head), &limits, HTTP_GET, &response, &consumed, &problem),
        H1_COMPLETE);
    limits.headers = 1;
    assert_int_equal(
        h1_parse_response(BYTES(head), &limits, HTTP_GET, &response, &consumed, &problem),
        H1_REJECTED);
    assert_int_equal(problem.status, 431);
    for (limits.head_bytes = 1; limits.head_bytes < sizeof(head) - 1; limits.head_bytes++) {
        assert_int_equal(h1_parse_response(bytes_first(BYTES(head), limits.head_bytes), &limits,
                                           HTTP_GET, &response, &consumed, &problem),
                         H1_REJECTED);
        assert_int_equal(problem.status, 431);
    }
}

/* --- RFC 9112 section 7.1.2: trailers ----------------------------------------------------- */

static enum h1_verdict parse_trailers(const char *text)
{
    return h1_parse_trailers(exact_copy(bytes_of(text)), &roomy, &trailers, &consumed, &problem);
}

static void rfc9112_7_1_2_trailers_are_header_lines(void **state)
{
    (void)state;
    assert_int_equal(parse_trailers("\r\nnext"), H1_COMPLETE);
    assert_int_equal(consumed, 2);
    assert_int_equal(trailers.count, 0);
    assert_int_equal(parse_trailers("A: b\r\nDate: c\r\n\r\n"), H1_COMPLETE);
    assert_int_equal(trailers.count, 2);
    assert_true(http_has(&trailers, HTTP_HEADER_DATE));
    assert_int_equal(parse_trailers(""), H1_INCOMPLETE);
    assert_int_equal(parse_trailers("\r"), H1_INCOMPLETE);
    assert_int_equal(parse_trailers("A: b\r\n"), H1_INCOMPLETE);
    assert_int_equal(parse_trailers("\n"), H1_REJECTED);
    assert_int_equal(parse_trailers("A: b\n"), H1_REJECTED);
    assert_int_equal(parse_trailers("A : b"), H1_REJECTED);
    assert_int_equal(parse_trailers(" b"), H1_REJECTED);
    assert_int_equal(problem.status, 400);
}

static void rfc9110_6_5_1_some_fields_are_no_trailers(void **state)
{
    static const char *const names[] = {"Content-Length", "transfer-encoding", "Host",
                                        "Connection",     "Keep-Alive",        "TE",
                                        "Trailer",        "Upgrade",           "Authorization",
                                        "Set-Cookie",     "X-Forwarded-For",   "Expect"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[128];

        snprintf(text, sizeof(text), "A: b\r\n%s: c\r\n\r\n", names[i]);
        assert_int_equal(parse_trailers(text), H1_REJECTED);
        assert_int_equal(problem.status, 400);
    }
}

static void rfc9110_6_5_1_of_an_answer_they_are_discarded(void **state)
{
    static const char text[] =
        "Content-Type: a/b\r\nA: b\r\nSet-Cookie: c\r\nTransfer-Encoding: chunked\r\n"
        "Content-Length: 3\r\nHost: d\r\nDate: e\r\n\r\n";

    (void)state;
    assert_int_equal(h1_parse_answer_trailers(exact_copy(bytes_of(text)), &roomy, &trailers,
                                              &consumed, &problem),
                     H1_COMPLETE);
    assert_int_equal(consumed, sizeof(text) - 1);
    assert_int_equal(trailers.count, 2);
    assert_true(bytes_equal(http_header_name(&trailers.rows[0]), BYTES("A")));
    assert_int_equal(trailers.rows[1].id, HTTP_HEADER_DATE);
    assert_true(http_has(&trailers, HTTP_HEADER_DATE));
    assert_false(http_has(&trailers, HTTP_HEADER_CONTENT_LENGTH));
    assert_int_equal(h1_parse_answer_trailers(exact_copy(BYTES("A: b\n")), &roomy, &trailers,
                                              &consumed, &problem),
                     H1_REJECTED);
}

static void trailers_are_bounded(void **state)
{
    const struct h1_limits limits = {.head_bytes = 12, .headers = 2};

    (void)state;
    assert_int_equal(
        h1_parse_trailers(BYTES("A:b\r\nC:d\r\n\r\n"), &limits, &trailers, &consumed, &problem),
        H1_COMPLETE);
    assert_int_equal(
        h1_parse_trailers(BYTES("A:b\r\nC:de\r\n\r"), &limits, &trailers, &consumed, &problem),
        H1_REJECTED);
    assert_int_equal(problem.status, 431);
    assert_int_equal(
        h1_parse_trailers(BYTES("A:\r\nC:\r\nD"), &limits, &trailers, &consumed, &problem),
        H1_REJECTED);
    assert_int_equal(problem.status, 431);
}

static int release(void **state)
{
    (void)state;
    free(kept);
    kept = NULL;
    return 0;
}

/* --- leniency ----------------------------------------------------------------------------- */

static enum h1_verdict parse_leniently(const char *text, uint8_t lenient)
{
    struct h1_limits limits = roomy;
    struct bytes whole = bytes_of(text);

    limits.lenient = lenient;
    for (size_t length = 0; length < whole.length; length++) {
        assert_int_not_equal(h1_parse_response(exact_copy(bytes_first(whole, length)), &limits,
                                               HTTP_GET, &response, &consumed, &problem),
                             H1_COMPLETE);
    }
    return h1_parse_response(exact_copy(whole), &limits, HTTP_GET, &response, &consumed, &problem);
}

static void bare_lf_is_taken_where_it_is_said(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\n",
        "HTTP/1.1 200\nContent-Length: 2 \r\nX: y\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse_leniently(texts[i], HTTP_LENIENT_BARE_LF), H1_COMPLETE);
        assert_int_equal(consumed, strlen(texts[i]));
        assert_int_equal(response.headers.count, 2);
        assert_int_equal(response.body_length, 2);
        assert_false(response.keep_alive);
        assert_int_equal(parse_leniently(texts[i], (uint8_t) ~(unsigned)HTTP_LENIENT_BARE_LF),
                         H1_REJECTED);
    }
    assert_int_equal(parse_leniently("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 7),
                     H1_COMPLETE);
    assert_true(response.keep_alive);
    assert_int_equal(parse_leniently("HTTP/1.1 200 OK\rX: y\n\n", 7), H1_REJECTED);
    assert_int_equal(parse_leniently("HTTP/1.1 200 OK\nX: y\n z\n\n", 7), H1_REJECTED);
}

static void other_leniency_is_for_one_fault_each(void **state)
{
    (void)state;
    assert_int_equal(parse_leniently("HTTP/1.1 999 No\r\n\r\n", HTTP_LENIENT_STATUS), H1_COMPLETE);
    assert_int_equal(response.status, 999);
    assert_int_equal(parse_leniently("HTTP/1.1 099 No\r\n\r\n", 7), H1_REJECTED);
    assert_int_equal(parse_leniently("HTTP/1.1 1000 No\r\n\r\n", 7), H1_REJECTED);
    assert_int_equal(parse_leniently("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n",
                                     HTTP_LENIENT_CHUNKED),
                     H1_COMPLETE);
    assert_int_equal(response.framing, HTTP_CHUNKED);
    assert_false(response.keep_alive);
    assert_int_equal(parse_leniently("HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 7),
                     H1_REJECTED);
    assert_int_equal(parse_leniently("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n",
                                     7),
                     H1_REJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(rfc9112_4_the_reason_may_be_missing),
        cmocka_unit_test(rfc9112_4_malformed_status_lines),
        cmocka_unit_test(rfc9110_15_status_codes_from_100_to_599),
        cmocka_unit_test(rfc9112_2_3_versions),
        cmocka_unit_test(rfc9112_2_2_lines_end_in_crlf),
        cmocka_unit_test(rfc9112_6_3_some_answers_have_no_body),
        cmocka_unit_test(rfc9110_8_6_a_204_that_announces_a_body_ends_its_connection),
        cmocka_unit_test(rfc9112_6_3_chunked_or_until_close),
        cmocka_unit_test(rfc9112_6_unclear_framing_is_refused),
        cmocka_unit_test(rfc9112_9_3_persistence),
        cmocka_unit_test(a_head_that_is_too_long_says_so),
        cmocka_unit_test(rfc9112_7_1_2_trailers_are_header_lines),
        cmocka_unit_test(rfc9110_6_5_1_some_fields_are_no_trailers),
        cmocka_unit_test(rfc9110_6_5_1_of_an_answer_they_are_discarded),
        cmocka_unit_test(trailers_are_bounded),
        cmocka_unit_test(bare_lf_is_taken_where_it_is_said),
        cmocka_unit_test(other_leniency_is_for_one_fault_each),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
