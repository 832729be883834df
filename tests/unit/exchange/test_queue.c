/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/exchange: what holds an exchange before its route's action, alone and together with the
 * reading of its body. The second hold is the test's own, as a later feature would have one. */

#include "../../fakes/gateway.h"
#include "exchange/exchange_private.h"
#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define OURS ((enum queue_hold)0x80)

static const char rules[] = "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                            "limits: {request_buffer: 10B}\n"
                            "timeouts: {total: 500ms}\n"
                            "routes: [{respond: {body: pong}}]\n";

/* --- a stream that remembers --------------------------------------------------------------- */

struct stream {
    uint16_t status;
    unsigned heads;
    bool over;
};

static void on_nothing(void *owner)
{
    (void)owner;
}

static bool on_head(void *owner, const struct answer_head *head)
{
    struct stream *stream = owner;

    stream->status = head->status;
    stream->heads++;
    return true;
}

static size_t on_body(void *owner, struct bytes bytes, bool last)
{
    (void)last;
    (void)owner;
    return bytes.length;
}

static bool on_end(void *owner, const struct http_fields *trailers)
{
    (void)owner;
    (void)trailers;
    return true;
}

static void on_over(void *owner)
{
    ((struct stream *)owner)->over = true;
}

static const struct client_stream_ops ops = {
    .give_up_request = on_nothing,
    .send_head = on_head,
    .send_body = on_body,
    .end = on_end,
    .over = on_over,
};

/* --- set-up -------------------------------------------------------------------------------- */

struct fixture {
    struct gateway gateway;
    struct client_facts facts;
    struct stream stream;
    struct exchange *exchange;
};

/* A request whose body is still to come: held for that, and by the test. */
static int set_up(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n";
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct h1_problem problem;
    size_t consumed;

    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    fixture->facts = (struct client_facts){.listener = "127.0.0.1:8080", .scheme = BYTES("http")};
    fixture->exchange =
        exchange_new(fixture->gateway.exchanges, &ops, &fixture->stream, &fixture->facts);
    assert_int_equal(h1_parse_request(bytes_of(text), &limits, exchange_request(fixture->exchange),
                                      &consumed, &problem),
                     H1_COMPLETE);
    exchange_begin(fixture->exchange, consumed, 100);
    assert_int_equal(fixture->exchange->state, EXCHANGE_QUEUED);
    assert_int_equal(fixture->exchange->holds, QUEUE_BODY);
    queue_hold(fixture->exchange, OURS);
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

/* --- what holds it ------------------------------------------------------------------------- */

static void it_goes_when_nothing_holds_it_any_more(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(exchange_body(fixture->exchange, BYTES("0123456789")), 10);
    exchange_body_end(fixture->exchange, NULL);
    assert_int_equal(fixture->exchange->holds, OURS);
    assert_int_equal(fixture->stream.heads, 0);
    queue_release(fixture->exchange, QUEUE_BODY); /* it does not hold it */
    assert_int_equal(fixture->stream.heads, 0);
    queue_release(fixture->exchange, OURS);
    assert_int_equal(fixture->stream.status, 200);
    assert_true(fixture->stream.over);
}

static void in_any_order(void **state)
{
    struct fixture *fixture = *state;

    queue_release(fixture->exchange, OURS);
    assert_int_equal(fixture->stream.heads, 0);
    exchange_body(fixture->exchange, BYTES("0123456789"));
    assert_int_equal(fixture->stream.heads, 0);
    exchange_body_end(fixture->exchange, NULL);
    assert_int_equal(fixture->stream.status, 200);
}

/* After that the client has to wait. */
static void no_more_of_its_body_is_read_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    size_t held;

    assert_int_equal(exchange_body(fixture->exchange, BYTES("0123456789!")), 10);
    assert_int_equal(fixture->exchange->holds, OURS);
    held = exchange_held(fixture->exchange);
    assert_int_equal(exchange_body(fixture->exchange, BYTES("more")), 0);
    assert_int_equal(exchange_held(fixture->exchange), held);
    assert_true(fixture->exchange->request_body.paused);
    queue_release(fixture->exchange, OURS);
    assert_int_equal(fixture->stream.status, 200);
}

/* --- what ends it meanwhile ---------------------------------------------------------------- */

static void its_client_may_leave(void **state)
{
    struct fixture *fixture = *state;

    exchange_client_gone(fixture->exchange, OUTCOME_CLIENT_GONE);
    assert_int_equal(fixture->exchange->holds, 0);
    assert_int_equal(fixture->stream.heads, 0);
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
}

static void a_client_that_is_waited_for_is_reported_so(void **state)
{
    struct fixture *fixture = *state;

    stage_pass(&fixture->gateway.stage, 600);
    assert_int_equal(fixture->stream.status, 408);
    assert_int_equal(fixture->stream.heads, 1);
}

static void one_that_is_not_is_reported_that_it_took_too_long(void **state)
{
    struct fixture *fixture = *state;

    exchange_body_end(fixture->exchange, NULL);
    stage_pass(&fixture->gateway.stage, 600);
    assert_int_equal(fixture->stream.status, 504);
    assert_int_equal(fixture->stream.heads, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_goes_when_nothing_holds_it_any_more),
        TEST(in_any_order),
        TEST(no_more_of_its_body_is_read_meanwhile),
        TEST(its_client_may_leave),
        TEST(a_client_that_is_waited_for_is_reported_so),
        TEST(one_that_is_not_is_reported_that_it_took_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
