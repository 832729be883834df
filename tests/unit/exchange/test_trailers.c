/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/trailers: which fields go on, and that those of a request are the exchange's own. */
#include "exchange/exchange_private.h"

#include "http/h1/h1_parser.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const char rules[] = "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                            "deadline: {header: X-Deadline}\n"
                            "services: {one: {origins: [\"127.0.0.1:1\"]}}\n"
                            "routes:\n"
                            "  - {name: plain, service: one}\n"
                            "  - name: edited\n"
                            "    match: {path: /edited}\n"
                            "    service: one\n"
                            "    request_headers: {remove: [X-Gone], set: {X-Set: mine}}\n"
                            "    response_headers: {remove: [X-Secret]}\n";

enum { PLAIN, EDITED };

struct fixture {
    struct gateway gateway;
    struct exchange exchange;
    struct http_headers trailers;
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_header head_rows[HTTP_HEADERS_MAX];
    struct http_fields fields;
    char read[40000];     /* the buffer that the trailers were read into */
    char reported[40000]; /* those that go on, "Name: value\n" each */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    *state = fixture;
    return 0;
}

static void give_back(struct fixture *fixture)
{
    buffer_return(fixture->gateway.exchanges->worker_context->buffers,
                  &fixture->exchange.request_body.trailers);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    give_back(fixture);
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static void parse(struct fixture *fixture, const char *text)
{
    const struct h1_limits limits = {32768, 8192, HTTP_HEADERS_MAX, 0};
    struct h1_problem problem = {0};
    size_t consumed;

    strcpy(fixture->read, text);
    fixture->trailers.rows = fixture->rows;
    assert_int_equal(h1_parse_trailers(bytes_of(fixture->read), &limits, &fixture->trailers,
                                       &consumed, &problem),
                     H1_COMPLETE);
}

static const char *report(struct fixture *fixture, const struct http_fields *fields)
{
    size_t at = 0;

    fixture->reported[0] = '\0';
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const struct http_field *row = &fields->rows[i];

        at += (size_t)snprintf(fixture->reported + at, sizeof(fixture->reported) - at,
                               "%.*s: %.*s\n", (int)row->name.length, row->name.at,
                               (int)row->value.length, row->value.at);
    }
    return fixture->reported;
}

static void begin(struct fixture *fixture, int route, const char *head)
{
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct h1_problem problem = {0};
    size_t consumed;

    give_back(fixture);
    memset(&fixture->exchange, 0, sizeof(fixture->exchange));
    fixture->exchange.context = fixture->gateway.exchanges;
    fixture->exchange.request.headers.rows = fixture->head_rows;
    fixture->exchange.generation = fixture->gateway.exchanges->generation;
    fixture->exchange.routing.route =
        &exchange_context_settings(fixture->gateway.exchanges)->routes[route];
    assert_int_equal(
        h1_parse_request(bytes_of(head), &limits, &fixture->exchange.request, &consumed, &problem),
        H1_COMPLETE);
}

/* What is left of them once the buffer that they came in has been read over. */
static const char *keep(struct fixture *fixture, const char *text)
{
    parse(fixture, text);
    assert_true(trailers_keep(&fixture->exchange, &fixture->trailers));
    memset(fixture->read, '\n', sizeof(fixture->read));
    return report(fixture, fixture->exchange.request_body.trailers != NULL
                               ? trailers_kept(&fixture->exchange, &fixture->fields)
                               : NULL);
}

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"

static void a_request_keeps_a_copy(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, PLAIN, HEAD "\r\n");
    assert_null(fixture->exchange.request_body.trailers);
    assert_string_equal(keep(fixture, "X-Sum:  a: b \r\nEmpty:\r\nX-Sum: 2\r\n\r\n"),
                        "X-Sum: a: b\nEmpty: \nX-Sum: 2\n");
    assert_true(exchange_held(&fixture->exchange) >
                sizeof(struct exchange) + BUFFER_SMALL_BYTES / 2);
}

static void also_of_many_and_large_ones(void **state)
{
    struct fixture *fixture = *state;
    static char text[33000];
    size_t at = 0;

    for (int i = 0; i < HTTP_HEADERS_MAX; i++) {
        at += (size_t)sprintf(text + at, "X%d: %0*d\r\n", i, 115, i);
    }
    strcpy(text + at, "\r\n");
    begin(fixture, PLAIN, HEAD "\r\n");
    keep(fixture, text);
    assert_int_equal(fixture->fields.count, HTTP_HEADERS_MAX);
    assert_int_equal(fixture->fields.rows[HTTP_HEADERS_MAX - 1].value.length, 115);
}

static void what_a_head_may_not_say_trailers_may_not(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"X_Forwarded_For",
                                        "x-forwarded-port",
                                        "X-FORWARDED_PREFIX",
                                        "Client_Cert",
                                        "client-cert_chain",
                                        "Client-Cert-Subject",
                                        "Via",
                                        "VIA",
                                        "X-Request-Id",
                                        "x_request_id",
                                        "traceparent",
                                        "TraceState",
                                        "X-Deadline",
                                        "X_Deadline",
                                        "Content_Length",
                                        "Transfer_Encoding",
                                        "Proxy_Authorization",
                                        "Range",
                                        "If-None-Match",
                                        "Content-Encoding",
                                        "Cache-Control",
                                        "Idempotency-Key",
                                        "Set_Cookie",
                                        "Forwarded_",
                                        "Host_"};
    size_t count = sizeof(names) / sizeof(names[0]);

    for (size_t i = 0; i < count; i++) {
        bool only_checks_alike = i + 2 >= count;
        char text[128];

        snprintf(text, sizeof(text), "%s: 1\r\nServer-Timing: x\r\n\r\n", names[i]);
        begin(fixture, PLAIN, HEAD "\r\n");
        keep(fixture, text);
        assert_int_equal(fixture->fields.count, only_checks_alike ? 2 : 1);
    }
}

static void nor_what_the_route_takes_away(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, EDITED, HEAD "Connection: x-hop\r\n\r\n");
    assert_string_equal(
        keep(fixture, "x-gone: 1\r\nX_Gone: 2\r\nX-Set: 3\r\nX-Hop: 4\r\nETag: 5\r\n\r\n"),
        "ETag: 5\n");
    begin(fixture, EDITED, HEAD "\r\n");
    assert_string_equal(keep(fixture, "X-Gone: 1\r\n\r\n"), "");
    assert_null(fixture->exchange.request_body.trailers);
}

static void the_same_in_answers(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, EDITED, HEAD "\r\n");
    parse(fixture, "X-Secret: 1\r\nVia: 2\r\nX-Gone: 3\r\n\r\n");
    assert_string_equal(report(fixture, trailers_of_answer(&fixture->exchange, &fixture->trailers,
                                                           &fixture->fields)),
                        "X-Gone: 3\n");
    fixture->exchange.answer.keeps_trailers_here = true;
    assert_null(trailers_of_answer(&fixture->exchange, &fixture->trailers, &fixture->fields));
}

static void metadata_of_grpc_passes(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, EDITED, HEAD "\r\n");
    fixture->exchange.outcome.is_grpc = true;
    parse(fixture,
          "grpc-status: 0\r\nRetry-After: 3\r\nX-Request-Id: 4\r\nTraceparent: 5\r\nVary: 6\r\n"
          "Cache-Control: 7\r\nX-Secret: 8\r\nContent_Length: 9\r\n\r\n");
    assert_string_equal(report(fixture, trailers_of_answer(&fixture->exchange, &fixture->trailers,
                                                           &fixture->fields)),
                        "grpc-status: 0\nRetry-After: 3\nX-Request-Id: 4\nTraceparent: 5\nVary: 6\n"
                        "Cache-Control: 7\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_keeps_a_copy),
        TEST(also_of_many_and_large_ones),
        TEST(what_a_head_may_not_say_trailers_may_not),
        TEST(nor_what_the_route_takes_away),
        TEST(the_same_in_answers),
        TEST(metadata_of_grpc_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
