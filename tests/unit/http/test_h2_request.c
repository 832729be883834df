/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_request: RFC 9113 section 8 rule by rule. A section is written as one line a field,
 * "name=value"; \n ends a field. */
#include "http/h2/h2_request.h"

#include "tests/fakes/h2_section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define TARGET_MOST 100
#define HEAD ":method=GET\n:scheme=https\n:authority=a.test\n:path=/\n"
#define POST ":method=POST\n:scheme=https\n:authority=a.test\n:path=/\n"

static struct http_field fields[H2_FIELDS_MAX];
static struct http_request request;
static struct http_headers trailers;
static struct http_header rows[HTTP_HEADERS_MAX];
static char *memory;
static bool ends = true;

static uint32_t split(struct bytes text)
{
    return h2_section_of_lines(text, fields);
}

/* Memory of exactly the size that was asked for, so that a sanitizer sees what goes beyond. */
static void renew_memory(uint32_t count)
{
    free(memory);
    memory = malloc(h2_fields_room(fields, count) + 1);
}

static bool read_fields(uint32_t count, enum h2_fault *fault)
{
    renew_memory(count);
    request.headers.rows = rows;
    return h2_read_request(fields, count, ends, TARGET_MOST, memory, &request, fault);
}

static void accept_section(const char *text)
{
    enum h2_fault fault;

    if (!read_fields(split(bytes_of(text)), &fault)) {
        fail_msg("refused (%s): %s", h2_fault_sentence(fault), text);
    }
}

static void refuse_bytes(struct bytes text, enum h2_fault why)
{
    enum h2_fault fault;

    if (read_fields(split(text), &fault)) {
        fail_msg("accepted: %.*s", (int)text.length, text.at);
    }
    if (fault != why) {
        fail_msg("'%s' instead of '%s': %.*s", h2_fault_word(fault), h2_fault_word(why),
                 (int)text.length, text.at);
    }
}

static void refuse_section(const char *text, enum h2_fault why)
{
    refuse_bytes(bytes_of(text), why);
}

#define REFUSE_BYTES(text, why) refuse_bytes(BYTES(text), why)

static void assert_text(struct bytes is, const char *expected)
{
    if (!bytes_equal(is, bytes_of(expected))) {
        fail_msg("'%.*s' instead of '%s'", (int)is.length, is.at, expected);
    }
}

static struct bytes value_of(const char *name)
{
    const struct http_header *row = http_find_named(&request.headers, bytes_of(name));

    assert_non_null(row);
    return http_header_value(row);
}

static void a_plain_request_means_what_it_says(void **state)
{
    (void)state;
    accept_section(":method=GET\n:scheme=https\n:authority=A.test.:8443\n:path=/a/b?c=d\n"
                   "accept=*/*\nx-empty=\n");
    assert_int_equal(request.method, HTTP_GET);
    assert_int_equal(request.version, HTTP_2);
    assert_int_equal(request.framing, HTTP_NO_BODY);
    assert_true(request.keep_alive);
    assert_false(request.wants_upgrade);
    assert_text(request.authority, "A.test.:8443");
    assert_text(request.host, "A.test");
    assert_text(request.target, "/a/b?c=d");
    assert_text(request.path, "/a/b");
    assert_text(request.query, "c=d");
    assert_true(request.has_query);
    assert_int_equal(request.headers.count, 2);
    assert_true(http_has(&request.headers, HTTP_HEADER_ACCEPT));
    assert_text(value_of("x-empty"), "");
}

static void nothing_points_into_the_fields(void **state)
{
    static char text[] = HEAD "cookie=a=b\nx=y\n";

    (void)state;
    accept_section(text);
    memset(text, '!', sizeof(text) - 1);
    assert_text(request.method_text, "GET");
    assert_text(request.host, "a.test");
    assert_text(request.target, "/");
    assert_text(value_of("x"), "y");
    assert_text(value_of("cookie"), "a=b");
}

static void pseudo_fields_have_an_order_and_a_number(void **state)
{
    (void)state;
    accept_section(":path=/\n:authority=a.test\n:scheme=http\n:method=GET\n");
    refuse_section("accept=a\n" HEAD, H2_FAULT_PSEUDO_LATE);
    refuse_section(":method=GET\n:scheme=https\naccept=a\n:path=/\n", H2_FAULT_PSEUDO_LATE);
    refuse_section(HEAD ":method=GET\n", H2_FAULT_PSEUDO_TWICE);
    refuse_section(HEAD ":path=/\n", H2_FAULT_PSEUDO_TWICE);
    refuse_section(HEAD ":authority=a.test\n", H2_FAULT_PSEUDO_TWICE);
    refuse_section(HEAD ":scheme=https\n", H2_FAULT_PSEUDO_TWICE);
    refuse_section(HEAD ":status=200\n", H2_FAULT_PSEUDO_UNKNOWN);
    refuse_section(HEAD ":=x\n", H2_FAULT_PSEUDO_UNKNOWN);
    refuse_section(HEAD ":Path=/\n", H2_FAULT_PSEUDO_UNKNOWN);
    refuse_section(":scheme=https\n:authority=a.test\n:path=/\n", H2_FAULT_PSEUDO_MISSING);
    refuse_section(":method=GET\n:authority=a.test\n:path=/\n", H2_FAULT_PSEUDO_MISSING);
    refuse_section(":method=GET\n:scheme=https\n:authority=a.test\n", H2_FAULT_PSEUDO_MISSING);
    refuse_section("", H2_FAULT_PSEUDO_MISSING);
}

static void methods_are_tokens(void **state)
{
    (void)state;
    accept_section(":method=PURGE\n:scheme=https\n:authority=a.test\n:path=/\n");
    assert_int_equal(request.method, HTTP_METHOD_OTHER);
    refuse_section(":method=\n:scheme=https\n:authority=a.test\n:path=/\n", H2_FAULT_METHOD);
    refuse_section(":method=GET /x HTTP/1.1\n:scheme=https\n:authority=a.test\n:path=/\n",
                   H2_FAULT_METHOD);
    refuse_section(":method=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH\n:scheme=https\n:authority=a.test\n"
                   ":path=/\n",
                   H2_FAULT_METHOD);
}

static void schemes_are_http_or_https(void **state)
{
    (void)state;
    accept_section(":method=GET\n:scheme=HTTP\n:authority=a.test\n:path=/\n");
    refuse_section(":method=GET\n:scheme=ftp\n:authority=a.test\n:path=/\n", H2_FAULT_SCHEME);
    refuse_section(":method=GET\n:scheme=\n:authority=a.test\n:path=/\n", H2_FAULT_SCHEME);
    refuse_section(":method=GET\n:scheme=https://x/?\n:authority=a.test\n:path=/\n",
                   H2_FAULT_SCHEME);
}

#define WITH_PATH(path) ":method=GET\n:scheme=https\n:authority=a.test\n:path=" path "\n"

static void paths_begin_with_a_slash(void **state)
{
    (void)state;
    accept_section(WITH_PATH("//x"));
    refuse_section(WITH_PATH(""), H2_FAULT_PATH);
    refuse_section(WITH_PATH("*"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("x"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("?x"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("http://b.test/"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("/a b"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("/a#b"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("/\xc3\xa4"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("/ HTTP/1.1"), H2_FAULT_PATH);
    refuse_section(WITH_PATH("/a\rb"), H2_FAULT_VALUE_CHARACTER);
    refuse_section(WITH_PATH(" /"), H2_FAULT_VALUE_SPACE);
    accept_section(":method=OPTIONS\n:scheme=https\n:authority=a.test\n:path=*\n");
    assert_text(request.target, "*");
}

static void a_long_path_is_reported_so(void **state)
{
    char text[300];
    int at = snprintf(text, sizeof(text), ":method=GET\n:scheme=https\n:authority=a.test\n:path=/");

    (void)state;
    memset(text + at, 'x', TARGET_MOST);
    text[at + TARGET_MOST] = '\n';
    text[at + TARGET_MOST + 1] = '\0';
    refuse_section(text, H2_FAULT_TARGET_TOO_LONG);
    assert_int_equal(h2_fault_status(H2_FAULT_TARGET_TOO_LONG), 414);
    text[at + TARGET_MOST - 1] = '\n';
    text[at + TARGET_MOST] = '\0';
    accept_section(text);
}

#define NO_AUTHORITY ":method=GET\n:scheme=https\n:path=/\n"

static void authority_and_host_name_the_same(void **state)
{
    (void)state;
    accept_section(NO_AUTHORITY "host=b.test\n");
    assert_text(request.authority, "b.test");
    accept_section(HEAD "host=A.TEST\n");
    accept_section(HEAD "host=a.test:443\n");
    accept_section(":method=GET\n:scheme=http\n:authority=a.test:80\n:path=/\nhost=a.test\n");
    refuse_section(NO_AUTHORITY, H2_FAULT_AUTHORITY);
    refuse_section(NO_AUTHORITY "host=\n", H2_FAULT_AUTHORITY);
    refuse_section(":method=GET\n:scheme=https\n:authority=\n:path=/\n", H2_FAULT_AUTHORITY);
    refuse_section(":method=GET\n:scheme=https\n:authority=u:p@a.test\n:path=/\n",
                   H2_FAULT_AUTHORITY);
    refuse_section(":method=GET\n:scheme=https\n:authority=a.test/x\n:path=/\n",
                   H2_FAULT_AUTHORITY);
    refuse_section(":method=GET\n:scheme=https\n:authority=a.test:99999\n:path=/\n",
                   H2_FAULT_AUTHORITY);
    refuse_section(HEAD "host=b.test\n", H2_FAULT_HOST);
    refuse_section(HEAD "host=a.test:80\n", H2_FAULT_HOST);
    refuse_section(HEAD "host=a.test\nhost=a.test\n", H2_FAULT_HOST);
    refuse_section(NO_AUTHORITY "host=a.test\nhost=b.test\n", H2_FAULT_HOST);
}

static void names_are_tokens_in_lower_case(void **state)
{
    (void)state;
    accept_section(HEAD "x_1.y~=z\n");
    refuse_section(HEAD "=x\n", H2_FAULT_NAME_EMPTY);
    refuse_section(HEAD "Accept=x\n", H2_FAULT_NAME_CASE);
    refuse_section(HEAD "x-Y=x\n", H2_FAULT_NAME_CASE);
    refuse_section(HEAD "a b=x\n", H2_FAULT_NAME_CHARACTER);
    refuse_section(HEAD " a=x\n", H2_FAULT_NAME_CHARACTER);
    refuse_section(HEAD "a:b=x\n", H2_FAULT_NAME_CHARACTER);
    refuse_section(HEAD "a\r=x\n", H2_FAULT_NAME_CHARACTER);
    refuse_section(HEAD "a\x80=x\n", H2_FAULT_NAME_CHARACTER);
    REFUSE_BYTES(HEAD "a\0=x\n", H2_FAULT_NAME_CHARACTER);
}

static void values_end_no_line(void **state)
{
    enum h2_fault fault;
    uint32_t count;

    (void)state;
    accept_section(HEAD "a=b c\td\n");
    accept_section(HEAD "a=\xff\n");
    refuse_section(HEAD "a=b\rc\n", H2_FAULT_VALUE_CHARACTER);
    REFUSE_BYTES(HEAD "a=b\0c\n", H2_FAULT_VALUE_CHARACTER);
    refuse_section(HEAD "a=b\x7f\n", H2_FAULT_VALUE_CHARACTER);
    refuse_section(HEAD "a= b\n", H2_FAULT_VALUE_SPACE);
    refuse_section(HEAD "a=b\t\n", H2_FAULT_VALUE_SPACE);
    refuse_section(HEAD "cookie=a\ncookie= b\n", H2_FAULT_VALUE_SPACE);
    count = split(BYTES(HEAD "a=b_c\n"));
    fields[count - 1].value = BYTES("b\nc");
    assert_false(read_fields(count, &fault));
    assert_int_equal(fault, H2_FAULT_VALUE_CHARACTER);
}

static void fields_of_the_connection_have_no_place(void **state)
{
    (void)state;
    refuse_section(HEAD "connection=close\n", H2_FAULT_CONNECTION_FIELD);
    refuse_section(HEAD "keep-alive=timeout=5\n", H2_FAULT_CONNECTION_FIELD);
    refuse_section(HEAD "proxy-connection=close\n", H2_FAULT_CONNECTION_FIELD);
    refuse_section(HEAD "transfer-encoding=chunked\n", H2_FAULT_CONNECTION_FIELD);
    refuse_section(HEAD "upgrade=websocket\n", H2_FAULT_CONNECTION_FIELD);
    accept_section(HEAD "te=trailers\n");
    refuse_section(HEAD "te=trailers, deflate\n", H2_FAULT_TE);
    refuse_section(HEAD "te=gzip\n", H2_FAULT_TE);
    refuse_section(HEAD "te=\n", H2_FAULT_TE);
}

static void the_body_is_as_long_as_it_says(void **state)
{
    (void)state;
    accept_section(HEAD "content-length=0\n");
    assert_int_equal(request.framing, HTTP_LENGTH_KNOWN);
    refuse_section(HEAD "content-length=5\n", H2_FAULT_BODY_LENGTH);
    ends = false;
    accept_section(POST);
    assert_int_equal(request.framing, HTTP_CHUNKED);
    accept_section(POST "content-length=9223372036854775807\n");
    assert_true(request.body_length == INT64_MAX);
    refuse_section(POST "content-length=9223372036854775808\n", H2_FAULT_CONTENT_LENGTH);
    refuse_section(POST "content-length=+5\n", H2_FAULT_CONTENT_LENGTH);
    refuse_section(POST "content-length=5,5\n", H2_FAULT_CONTENT_LENGTH);
    refuse_section(POST "content-length=\n", H2_FAULT_CONTENT_LENGTH);
    refuse_section(POST "content-length=5\ncontent-length=5\n", H2_FAULT_CONTENT_LENGTH);
    ends = true;
}

static void only_100_continue_is_expected(void **state)
{
    (void)state;
    accept_section(HEAD "expect=100-continue\n");
    assert_false(request.expects_continue);
    ends = false;
    accept_section(POST "expect=100-Continue\n");
    assert_true(request.expects_continue);
    refuse_section(POST "expect=200-ok\n", H2_FAULT_EXPECT);
    assert_int_equal(h2_fault_status(H2_FAULT_EXPECT), 417);
    ends = true;
}

static void cookie_crumbs_become_one_field(void **state)
{
    (void)state;
    accept_section(HEAD "cookie=a=b\naccept=x\ncookie=c=d\ncookie=e=f\nx=y\n");
    assert_text(value_of("cookie"), "a=b; c=d; e=f");
    assert_text(value_of("accept"), "x");
    assert_text(value_of("x"), "y");
    assert_int_equal(request.headers.count, 3);
}

static void connect_names_an_authority_alone(void **state)
{
    (void)state;
    accept_section(":method=CONNECT\n:authority=a.test:443\n");
    assert_int_equal(request.framing, HTTP_NO_BODY);
    assert_text(request.host, "a.test");
    refuse_section(":method=CONNECT\n:authority=a.test\n", H2_FAULT_AUTHORITY);
    refuse_section(":method=CONNECT\nhost=a.test:443\n", H2_FAULT_AUTHORITY);
    refuse_section(":method=CONNECT\n:scheme=https\n:authority=a.test:443\n", H2_FAULT_CONNECT);
    refuse_section(":method=CONNECT\n:authority=a.test:443\n:path=/\n", H2_FAULT_CONNECT);
}

#define EXTENDED ":method=CONNECT\n:scheme=https\n:authority=a.test\n:path=/chat?x\n"

static void an_extended_connect_wants_an_upgrade(void **state)
{
    (void)state;
    ends = false;
    accept_section(EXTENDED ":protocol=websocket\nsec-websocket-version=13\n");
    assert_int_equal(request.method, HTTP_GET);
    assert_text(request.method_text, "GET");
    assert_true(request.wants_upgrade);
    assert_int_equal(request.framing, HTTP_NO_BODY);
    assert_text(request.target, "/chat?x");
    assert_text(request.host, "a.test");
    assert_text(value_of("upgrade"), "websocket");
    assert_text(value_of("sec-websocket-version"), "13");
    refuse_section(HEAD ":protocol=websocket\n", H2_FAULT_PROTOCOL);
    refuse_section(EXTENDED ":protocol=connect-udp\n", H2_FAULT_PROTOCOL_UNKNOWN);
    refuse_section(EXTENDED ":protocol=websocket\ncontent-length=0\n", H2_FAULT_PROTOCOL);
    refuse_section(EXTENDED ":protocol=websocket\nupgrade=x\n", H2_FAULT_CONNECTION_FIELD);
    refuse_section(":method=CONNECT\n:scheme=https\n:path=/\n:protocol=websocket\n",
                   H2_FAULT_PROTOCOL);
    refuse_section(":method=CONNECT\n:authority=a.test\n:path=/\n:protocol=websocket\n",
                   H2_FAULT_PSEUDO_MISSING);
    ends = true;
    refuse_section(EXTENDED ":protocol=websocket\n", H2_FAULT_PROTOCOL);
}

static void too_many_fields_are_reported_so(void **state)
{
    enum h2_fault fault;
    uint32_t count = split(BYTES(HEAD));

    (void)state;
    while (count < 4 + HTTP_HEADERS_MAX) {
        fields[count++] = (struct http_field){BYTES("x"), BYTES("y")};
    }
    assert_true(read_fields(count, &fault));
    fields[count++] = (struct http_field){BYTES("x"), BYTES("y")};
    assert_false(read_fields(count, &fault));
    assert_int_equal(fault, H2_FAULT_HEAD_TOO_LARGE);
    assert_int_equal(h2_fault_status(fault), 431);
}

static bool read_trailers(const char *text, enum h2_fault *fault)
{
    uint32_t count = split(bytes_of(text));

    renew_memory(count);
    trailers.rows = rows;
    return h2_read_trailers(fields, count, memory, &trailers, fault);
}

static void trailers_have_fewer_fields(void **state)
{
    enum h2_fault fault;

    (void)state;
    assert_true(read_trailers("grpc-status=0\nx=\n", &fault));
    assert_int_equal(trailers.count, 2);
    assert_false(read_trailers(":method=GET\n", &fault));
    assert_int_equal(fault, H2_FAULT_TRAILER_FIELD);
    assert_false(read_trailers("x=y\n:path=/\n", &fault));
    assert_false(read_trailers("content-length=5\n", &fault));
    assert_int_equal(fault, H2_FAULT_TRAILER_FIELD);
    assert_false(read_trailers("te=trailers\n", &fault));
    assert_false(read_trailers("connection=close\n", &fault));
    assert_int_equal(fault, H2_FAULT_CONNECTION_FIELD);
    assert_false(read_trailers("X=y\n", &fault));
    assert_int_equal(fault, H2_FAULT_NAME_CASE);
}

static int forget(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request_means_what_it_says),
        cmocka_unit_test(nothing_points_into_the_fields),
        cmocka_unit_test(pseudo_fields_have_an_order_and_a_number),
        cmocka_unit_test(methods_are_tokens),
        cmocka_unit_test(schemes_are_http_or_https),
        cmocka_unit_test(paths_begin_with_a_slash),
        cmocka_unit_test(a_long_path_is_reported_so),
        cmocka_unit_test(authority_and_host_name_the_same),
        cmocka_unit_test(names_are_tokens_in_lower_case),
        cmocka_unit_test(values_end_no_line),
        cmocka_unit_test(fields_of_the_connection_have_no_place),
        cmocka_unit_test(the_body_is_as_long_as_it_says),
        cmocka_unit_test(only_100_continue_is_expected),
        cmocka_unit_test(cookie_crumbs_become_one_field),
        cmocka_unit_test(connect_names_an_authority_alone),
        cmocka_unit_test(an_extended_connect_wants_an_upgrade),
        cmocka_unit_test(too_many_fields_are_reported_so),
        cmocka_unit_test(trailers_have_fewer_fields),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
