/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/: one request and its answer as a client stream sees them, with a stream of the test's
 * own that records what it is asked for. Routes answer by themselves: no socket anywhere, so no
 * protocol version either. */
#include "exchange/exchange.h"

#include "base/uuid.h"
#include "http/h1/h1_parser.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const char rules[] =
    "listeners: [{address: \"127.0.0.1:8080\"}]\n"
    "trusted_proxies: [10.0.0.0/8]\n"
    "limits: {request_buffer: 100B, body_bytes: 1000B}\n"
    "routes:\n"
    "  - {name: ping, match: {path: /ping}, respond: {body: pong}}\n"
    "  - {name: made, match: {path: /made}, respond: {status: 201, body: x,\n"
    "     content_type: text/css}, response_headers: {set: {X-Route: made}}}\n"
    "  - {name: none, match: {path: /none}, respond: {status: 204}}\n"
    "  - {name: tight, match: {path: /tight}, body_bytes: 10B, respond: {body: pong}}\n"
    "  - {name: brief, match: {path: /brief}, body_bytes: 10B, timeouts: {total: 500ms},\n"
    "     respond: {body: pong}}\n"
    "  - {name: old, match: {path: /old}, redirect: {to: \"https://{host}{path}?{query}\"}}\n";

/* --- a stream that remembers --------------------------------------------------------------- */

struct stream {
    struct exchange *exchange;
    char log[64]; /* a letter a call: Interim Head Body Flush End Abort Want(w/W) Tunnel Over */
    uint16_t status;
    enum http_framing framing;
    uint64_t body_length;
    bool reports_length;
    bool closes;
    char fields[4096]; /* "Name: value\n" */
    char body[4096];
    size_t body_size;
    size_t takes; /* bytes of body in all */
    bool slow;    /* end: not yet written */
    bool starved; /* send_head: out of memory */
    bool over;
};

static void note(struct stream *stream, char letter)
{
    size_t length = strlen(stream->log);

    assert_true(length + 1 < sizeof(stream->log));
    assert_false(stream->over); /* nothing comes after the end */
    stream->log[length] = letter;
}

static void on_interim(void *owner, const struct answer_head *head)
{
    (void)head;
    note(owner, 'I');
}

static bool on_head(void *owner, const struct answer_head *head)
{
    struct stream *stream = owner;
    size_t at = 0;

    note(stream, 'H');
    stream->status = head->status;
    stream->framing = head->framing;
    stream->body_length = head->body_length;
    stream->reports_length = head->reports_length;
    assert_true(head->reason.length > 0);
    for (uint32_t i = 0; i < head->fields->count; i++) {
        const struct http_field *field = &head->fields->rows[i];

        at += (size_t)snprintf(stream->fields + at, sizeof(stream->fields) - at, "%.*s: %.*s\n",
                               (int)field->name.length, field->name.at, (int)field->value.length,
                               field->value.at);
        assert_true(at < sizeof(stream->fields));
    }
    return !stream->starved;
}

static size_t on_body(void *owner, struct bytes bytes, bool last)
{
    (void)last;
    struct stream *stream = owner;
    size_t count = bytes.length < stream->takes ? bytes.length : stream->takes;

    note(stream, 'B');
    memcpy(stream->body + stream->body_size, bytes.at, count);
    stream->body_size += count;
    stream->takes -= count;
    return count;
}

static void on_flush(void *owner)
{
    note(owner, 'F');
}

static bool on_end(void *owner, const struct http_fields *trailers)
{
    struct stream *stream = owner;

    note(stream, 'E');
    assert_null(trailers);
    return !stream->slow;
}

static void on_give_up_request(void *owner)
{
    ((struct stream *)owner)->closes = true;
}

static void on_abort(void *owner)
{
    note(owner, 'A');
    ((struct stream *)owner)->over = true;
}

static void on_want_body(void *owner, bool wanted)
{
    note(owner, wanted ? 'W' : 'w');
}

static void on_begin_tunnel(void *owner)
{
    note(owner, 'T');
}

static void on_over(void *owner)
{
    note(owner, 'O');
    ((struct stream *)owner)->over = true;
}

static size_t on_room(void *owner)
{
    (void)owner;
    return SIZE_MAX;
}

static const struct client_stream_ops ops = {
    .send_interim = on_interim,
    .give_up_request = on_give_up_request,
    .send_head = on_head,
    .send_body = on_body,
    .room = on_room,
    .flush = on_flush,
    .end = on_end,
    .abort = on_abort,
    .want_body = on_want_body,
    .begin_tunnel = on_begin_tunnel,
    .over = on_over,
};

/* --- set-up -------------------------------------------------------------------------------- */

struct fixture {
    struct gateway gateway;
    struct client_facts facts;
    struct stream stream;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    fixture->facts =
        (struct client_facts){.listener = "127.0.0.1:8080", .scheme = BYTES("http"), .port = 4711};
    assert_true(ip_parse(BYTES("192.0.2.7"), &fixture->facts.ip));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static struct stream *prepare(struct fixture *fixture)
{
    struct stream *stream = &fixture->stream;

    memset(stream, 0, sizeof(*stream));
    stream->takes = SIZE_MAX;
    stream->exchange = exchange_new(fixture->gateway.exchanges, &ops, stream, &fixture->facts);
    assert_non_null(stream->exchange);
    return stream;
}

/* `text` must live as long as the exchange. */
static struct stream *begin(struct fixture *fixture, const char *text)
{
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct stream *stream = prepare(fixture);
    struct h1_problem problem;
    size_t consumed;

    assert_int_equal(h1_parse_request(bytes_of(text), &limits, exchange_request(stream->exchange),
                                      &consumed, &problem),
                     H1_COMPLETE);
    exchange_begin(stream->exchange, consumed, 100);
    return stream;
}

static struct stream *get(struct fixture *fixture, const char *target)
{
    static char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h.example\r\n\r\n", target);
    return begin(fixture, text);
}

static bool has(const struct stream *stream, const char *line)
{
    return strstr(stream->fields, line) != NULL;
}

/* --- answers of the gateway's own ---------------------------------------------------------- */

static void a_route_answers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = get(fixture, "/ping");

    assert_string_equal(stream->log, "HBEO");
    assert_int_equal(stream->status, 200);
    assert_int_equal(stream->framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(stream->body_length, 4);
    assert_memory_equal(stream->body, "pong", 4);
    assert_false(stream->closes);
    assert_true(has(stream, "Content-Type: text/plain"));
    assert_true(has(stream, "Date: "));
    assert_true(has(stream, "X-Request-Id: "));
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
    assert_int_equal(metrics_exchanges(fixture->gateway.metrics), 1);
}

static void a_route_says_what_it_is_reported_to(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = get(fixture, "/made");

    assert_int_equal(stream->status, 201);
    assert_true(has(stream, "Content-Type: text/css\n"));
    assert_true(has(stream, "X-Route: made\n"));
}

/* RFC 9110 section 9.3.2: HEAD says what GET would, without a body. */
static void head_has_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, "HEAD /ping HTTP/1.1\r\nHost: h\r\n\r\n");

    assert_string_equal(stream->log, "HEO");
    assert_int_equal(stream->framing, HTTP_NO_BODY);
    assert_true(stream->reports_length);
    assert_int_equal(stream->body_length, 4);
}

/* RFC 9110 section 8.6: no Content-Length in a 204. */
static void no_content_is_just_that(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = get(fixture, "/none");

    assert_string_equal(stream->log, "HEO");
    assert_int_equal(stream->status, 204);
    assert_int_equal(stream->framing, HTTP_NO_BODY);
    assert_false(stream->reports_length);
}

static void a_redirect_says_where_to(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = get(fixture, "/old?a=b&c");

    assert_int_equal(stream->status, 308);
    assert_true(has(stream, "Location: https://h.example/old?a=b&c\n"));
}

static void without_a_route_it_is_404(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = get(fixture, "/nowhere");

    assert_int_equal(stream->status, 404);
    assert_true(has(stream, "Content-Type: application/problem+json\n"));
    assert_true(has(stream, "Proxy-Status: turnpike; error=destination_not_found"));
    assert_false(stream->closes);
    assert_memory_equal(stream->body, "{\"type\":", 8);
}

static void paths_are_matched_in_normal_form(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(get(fixture, "/%70ing")->status, 200);
    assert_int_equal(get(fixture, "/x/../ping")->status, 200);
    assert_int_equal(get(fixture, "//ping")->status, 200);
    assert_int_equal(get(fixture, "/ping?x")->status, 200);
    assert_int_equal(get(fixture, "/PING")->status, 404);
    assert_int_equal(get(fixture, "/../ping")->status, 400);
    assert_int_equal(get(fixture, "/%zz")->status, 400);
    assert_int_equal(get(fixture, "/%00")->status, 400);
    assert_true(fixture->stream.closes);
}

static void some_methods_are_not_offered(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(begin(fixture, "TRACE /ping HTTP/1.1\r\nHost: h\r\n\r\n")->status, 405);
    assert_true(has(&fixture->stream, "Allow: "));
    /* RFC 9110 section 9.3.7 and 7.6.2 */
    assert_int_equal(begin(fixture, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")->status, 204);
    assert_int_equal(
        begin(fixture, "OPTIONS /ping HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n")->status,
        204);
    assert_true(has(&fixture->stream, "Allow: "));
}

static void ids_are_made_for_clients_that_are_not_trusted(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream =
        begin(fixture, "GET /ping HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc-1\r\n\r\n");
    char first[64];

    assert_true(has(stream, "X-Request-Id: "));
    assert_false(has(stream, "abc-1"));
    get(fixture, "/ping");
    memcpy(first, strstr(fixture->stream.fields, "X-Request-Id: ") + 14, UUID_TEXT_LENGTH);
    get(fixture, "/ping");
    assert_memory_not_equal(first, strstr(fixture->stream.fields, "X-Request-Id: ") + 14,
                            UUID_TEXT_LENGTH);
}

/* --- bodies -------------------------------------------------------------------------------- */

#define POST(path, length) \
    "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " #length "\r\n\r\n"

static void a_small_body_is_gathered_first(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, POST("/ping", 10));

    assert_string_equal(stream->log, "");
    assert_int_equal(exchange_body(stream->exchange, BYTES("01234")), 5);
    assert_int_equal(exchange_body(stream->exchange, BYTES("56789")), 5);
    assert_string_equal(stream->log, "");
    exchange_body_end(stream->exchange, NULL);
    assert_string_equal(stream->log, "HBEO");
    assert_int_equal(stream->status, 200);
}

/* RFC 9110 section 15.5.14. */
static void a_body_too_large_by_its_word_is_413(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(begin(fixture, POST("/ping", 1001))->status, 413);
    assert_true(fixture->stream.closes);
    assert_int_equal(begin(fixture, POST("/tight", 11))->status, 413);
}

static void a_body_too_large_by_its_bytes_is_413(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, "POST /tight HTTP/1.1\r\nHost: h\r\n"
                                           "Transfer-Encoding: chunked\r\n\r\n");

    assert_int_equal(exchange_body(stream->exchange, BYTES("0123456789")), 10);
    assert_string_equal(stream->log, "");
    exchange_body(stream->exchange, BYTES("!"));
    assert_int_equal(stream->status, 413);
    assert_true(stream->closes);
    assert_true(stream->over);
}

static void a_body_that_breaks_the_rules_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, POST("/ping", 10));

    exchange_body_failed(stream->exchange, 400, "a bad chunk");
    assert_int_equal(stream->status, 400);
    assert_true(stream->closes);
    stream = begin(fixture, POST("/ping", 10));
    exchange_body_failed(stream->exchange, 408, "too slow");
    assert_int_equal(stream->status, 408);
    assert_true(has(stream, "error=http_request_error"));
}

/* --- the way out --------------------------------------------------------------------------- */

static void a_slow_reader_gets_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = prepare(fixture);
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct h1_problem problem;
    size_t consumed;

    stream->takes = 1;
    assert_int_equal(h1_parse_request(BYTES("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"), &limits,
                                      exchange_request(stream->exchange), &consumed, &problem),
                     H1_COMPLETE);
    exchange_begin(stream->exchange, consumed, 0);
    assert_false(stream->over);
    stream->takes = 2;
    exchange_client_writable(stream->exchange);
    assert_false(stream->over);
    stream->takes = SIZE_MAX;
    exchange_client_writable(stream->exchange);
    assert_true(stream->over);
    assert_memory_equal(stream->body, "pong", 4);
}

static void it_is_over_only_when_written(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = prepare(fixture);
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct h1_problem problem;
    size_t consumed;

    stream->slow = true;
    assert_int_equal(h1_parse_request(BYTES("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"), &limits,
                                      exchange_request(stream->exchange), &consumed, &problem),
                     H1_COMPLETE);
    exchange_begin(stream->exchange, consumed, 0);
    assert_string_equal(stream->log, "HBE");
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 1);
    exchange_count_out(stream->exchange, 120);
    exchange_answer_written(stream->exchange);
    assert_string_equal(stream->log, "HBEO");
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
}

static void on_reading(void *owner, const struct metrics_reading *reading)
{
    if (reading->by_end[OUTCOME_GATEWAY_BROKE] > 0) {
        assert_int_equal(reading->by_end[OUTCOME_ORIGIN_BROKE], 0);
        assert_int_equal(reading->errors, 1);
        *(unsigned *)owner += 1;
    }
}

/* Not even the head of an answer finds room: the connection ends, no client is left waiting. No
 * origin had a part in that. */
static void without_memory_for_an_answer_it_breaks_off(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = prepare(fixture);
    unsigned readings = 0;

    stream->starved = true;
    exchange_refuse(stream->exchange, HTTP_1_1, 400, "bad", 10, 10);
    assert_string_equal(stream->log, "HA");
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
    metrics_read(fixture->gateway.metrics, METRICS_ROUTES, on_reading, &readings);
    assert_int_equal(readings, 1);
}

/* Its reader is slow: the rest of the request comes meanwhile, and so does its deadline. */
static void after_its_own_answer_it_begins_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, "POST /brief HTTP/1.1\r\nHost: h\r\n"
                                           "Transfer-Encoding: chunked\r\n\r\n");
    size_t held;

    stream->takes = 0;
    assert_int_equal(exchange_body(stream->exchange, BYTES("0123456789!")), 11);
    assert_int_equal(stream->status, 413);
    assert_string_equal(stream->log, "HB");
    held = exchange_held(stream->exchange);
    assert_int_equal(exchange_body(stream->exchange, BYTES("and more")), 8);
    exchange_body_end(stream->exchange, NULL);
    assert_int_equal(exchange_held(stream->exchange), held);
    stage_pass(&fixture->gateway.stage, 600);
    assert_string_equal(stream->log, "HB");
    stream->takes = SIZE_MAX;
    exchange_client_writable(stream->exchange);
    assert_string_equal(stream->log, "HBBEO");
}

static void a_client_that_leaves_hears_nothing_more(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, POST("/ping", 10));

    exchange_client_gone(stream->exchange, OUTCOME_CLIENT_GONE);
    assert_string_equal(stream->log, "");
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
    assert_int_equal(metrics_exchanges(fixture->gateway.metrics), 1);
}

static void what_cannot_be_understood_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = prepare(fixture);

    exchange_refuse(stream->exchange, HTTP_1_1, 431, "too much", 40000, 10);
    assert_string_equal(stream->log, "HBEO");
    assert_int_equal(stream->status, 431);
    assert_true(stream->closes);
    assert_true(has(stream, "error=http_request_error"));
}

static void what_was_not_whole_yet_never_was(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = prepare(fixture);

    exchange_discard(stream->exchange);
    assert_string_equal(stream->log, "");
    assert_int_equal(metrics_exchanges(fixture->gateway.metrics), 0);
}

static void an_exchange_ends_with_what_it_began_with(void **state)
{
    struct fixture *fixture = *state;
    struct stream *stream = begin(fixture, POST("/ping", 4));

    gateway_adopt(&fixture->gateway,
                  gateway_plan("%s", "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                                     "routes: [{respond: {status: 503}}]\n"));
    exchange_body(stream->exchange, BYTES("body"));
    exchange_body_end(stream->exchange, NULL);
    assert_int_equal(stream->status, 200);
    assert_int_equal(get(fixture, "/ping")->status, 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_route_answers_by_itself),
        TEST(a_route_says_what_it_is_reported_to),
        TEST(head_has_no_body),
        TEST(no_content_is_just_that),
        TEST(a_redirect_says_where_to),
        TEST(without_a_route_it_is_404),
        TEST(paths_are_matched_in_normal_form),
        TEST(some_methods_are_not_offered),
        TEST(ids_are_made_for_clients_that_are_not_trusted),
        TEST(a_small_body_is_gathered_first),
        TEST(a_body_too_large_by_its_word_is_413),
        TEST(a_body_too_large_by_its_bytes_is_413),
        TEST(a_body_that_breaks_the_rules_is_refused),
        TEST(a_slow_reader_gets_all_of_it),
        TEST(it_is_over_only_when_written),
        TEST(without_memory_for_an_answer_it_breaks_off),
        TEST(after_its_own_answer_it_begins_no_other),
        TEST(a_client_that_leaves_hears_nothing_more),
        TEST(what_cannot_be_understood_is_refused),
        TEST(what_was_not_whole_yet_never_was),
        TEST(an_exchange_ends_with_what_it_began_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
