/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_answer: RFC 9113 section 8 for answers, rule by rule. A section is written as one line a
 * field, "name=value"; \n ends a field. */
#include "http/h2/h2_answer.h"

#include "tests/fakes/h2_section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static struct http_field fields[H2_FIELDS_MAX];
static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_response response = {.headers.rows = rows};
static struct http_headers trailers = {.rows = rows};
static const char *fault;

static uint32_t split(struct bytes text)
{
    return h2_section_of_lines(text, fields);
}

static void accept_head(const char *text, enum http_method method, bool ends)
{
    if (!h2_read_answer(fields, split(bytes_of(text)), method, ends, 0, &response, &fault)) {
        fail_msg("refused (%s): %s", fault, text);
    }
}

static void refuse_head(const char *text, bool ends, const char *why)
{
    fault = NULL;
    assert_false(
        h2_read_answer(fields, split(bytes_of(text)), HTTP_GET, ends, 0, &response, &fault));
    assert_non_null(fault);
    if (strstr(fault, why) == NULL) {
        fail_msg("'%s' instead of '%s' for %s", fault, why, text);
    }
}

static void a_head_is_translated(void **state)
{
    (void)state;
    accept_head(":status=200\ncontent-type=text/plain\ncontent-length=5\n", HTTP_GET, false);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.version, HTTP_2);
    assert_int_equal(response.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(response.body_length, 5);
    assert_int_equal(response.headers.count, 2);
    assert_true(http_has(&response.headers, HTTP_HEADER_CONTENT_LENGTH));
}

static void the_body_is_what_stream_and_length_say(void **state)
{
    (void)state;
    accept_head(":status=200\n", HTTP_GET, false);
    assert_int_equal(response.framing, HTTP_CHUNKED);
    accept_head(":status=200\n", HTTP_GET, true);
    assert_int_equal(response.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(response.body_length, 0);
    assert_false(response.goes_on);
    accept_head(":status=200\ncontent-length=0\n", HTTP_GET, false);
    assert_int_equal(response.framing, HTTP_LENGTH_KNOWN);
    assert_true(response.goes_on);
    accept_head(":status=200\ncontent-length=7\n", HTTP_HEAD, true);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    assert_int_equal(response.body_length, 7);
    accept_head(":status=304\ncontent-length=7\n", HTTP_GET, true);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    accept_head(":status=204\n", HTTP_GET, true);
    assert_int_equal(response.framing, HTTP_NO_BODY);
    accept_head(":status=103\nlink=</a>\n", HTTP_GET, false);
    assert_int_equal(response.status, 103);
    refuse_head(":status=200\ncontent-length=7\n", true, "Content-Length");
    refuse_head(":status=200\ncontent-length=7\ncontent-length=8\n", false, "Content-Length");
    refuse_head(":status=200\ncontent-length=+7\n", false, "Content-Length");
    refuse_head(":status=103\n", true, "interim");
}

static void the_status_stands_first_and_once(void **state)
{
    (void)state;
    refuse_head("", true, ":status");
    refuse_head("a=b\n", true, ":status");
    refuse_head("a=b\n:status=200\n", true, ":status");
    refuse_head(":status=200\n:status=200\n", true, "pseudo");
    refuse_head(":status=200\n:path=/\n", true, "pseudo");
    refuse_head(":status=20\n", true, "three digits");
    refuse_head(":status=2000\n", true, "three digits");
    refuse_head(":status=2 0\n", true, "three digits");
    refuse_head(":status=099\n", true, "not one");
    refuse_head(":status=101\n", false, "not one");
    refuse_head(":status=600\n", true, "not one");
    assert_true(h2_read_answer(fields, split(BYTES(":status=600\n")), HTTP_GET, true,
                               HTTP_LENIENT_STATUS, &response, &fault));
}

static void fields_are_as_http_2_wants_them(void **state)
{
    (void)state;
    refuse_head(":status=200\nX-Some=a\n", true, "upper case");
    refuse_head(":status=200\nx some=a\n", true, "forbidden");
    refuse_head(":status=200\nx=a\r\n", true, "control");
    refuse_head(":status=200\nx= a\n", true, "white space");
    refuse_head(":status=200\nconnection=close\n", true, "connection");
    refuse_head(":status=200\nkeep-alive=1\n", true, "connection");
    refuse_head(":status=200\ntransfer-encoding=chunked\n", true, "connection");
    refuse_head(":status=200\nupgrade=h2c\n", true, "connection");
}

static void trailers_hold_what_may_stand_there(void **state)
{
    (void)state;
    assert_true(
        h2_read_answer_trailers(fields, split(BYTES("grpc-status=0\n")), &trailers, &fault));
    assert_int_equal(trailers.count, 1);
    assert_false(h2_read_answer_trailers(fields, split(BYTES(":status=200\n")), &trailers, &fault));
    assert_true(h2_read_answer_trailers(
        fields, split(BYTES("content-length=1\ngrpc-status=0\nset-cookie=a\ncontent-type=b\n")),
        &trailers, &fault));
    assert_int_equal(trailers.count, 1);
    assert_true(bytes_equal(http_header_name(&trailers.rows[0]), BYTES("grpc-status")));
    assert_false(
        h2_read_answer_trailers(fields, split(BYTES("connection=close\n")), &trailers, &fault));
    assert_false(h2_read_answer_trailers(fields, split(BYTES("transfer-encoding=chunked\n")),
                                         &trailers, &fault));
    assert_false(h2_read_answer_trailers(fields, split(BYTES("A=1\n")), &trailers, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_translated),
        cmocka_unit_test(the_body_is_what_stream_and_length_say),
        cmocka_unit_test(the_status_stands_first_and_once),
        cmocka_unit_test(fields_are_as_http_2_wants_them),
        cmocka_unit_test(trailers_hold_what_may_stand_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
