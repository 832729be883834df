/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/orphan: an exchange whose client has left goes on until its origin has answered, or
 * until what it holds is needed. */
#include "../../fakes/fake_origin.h"
#include "../../fakes/gateway.h"
#include "exchange/exchange_private.h"
#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define RULES "listeners: [{address: \"127.0.0.1:8080\"}]\n"

struct fixture {
    struct gateway gateway;
    struct fake_origin origin;
    struct client_facts facts;
    struct exchange *exchange;
};

/* The client leaves before its stream is asked for anything. */
static const struct client_stream_ops ops = {.over = NULL};

static bool is_over(void *owner)
{
    return exchange_context_count(((struct fixture *)owner)->gateway.exchanges) == 0;
}

/* A request that changes something was sent in full, and its client has left. */
static int set_up(void **state)
{
    static const char text[] = "DELETE /it HTTP/1.1\r\nHost: h\r\n\r\n";
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct h1_problem problem;
    size_t consumed;

    fixture->facts = (struct client_facts){.listener = "127.0.0.1:8080", .scheme = BYTES("http")};
    gateway_init(&fixture->gateway,
                 gateway_plan("%s", RULES "routes: [{respond: {status: 204}}]\n"));
    fake_origin_start(&fixture->origin, &fixture->gateway.stage);
    gateway_adopt(&fixture->gateway, gateway_plan(RULES "services: {one: {origins: [\"%s\"]}}\n"
                                                        "routes: [{service: one}]\n",
                                                  fixture->origin.name));
    fixture->exchange = exchange_new(fixture->gateway.exchanges, &ops, fixture, &fixture->facts);
    assert_int_equal(h1_parse_request(bytes_of(text), &limits, exchange_request(fixture->exchange),
                                      &consumed, &problem),
                     H1_COMPLETE);
    exchange_begin(fixture->exchange, consumed, 100);
    fake_origin_await(&fixture->origin, 1);
    exchange_client_gone(fixture->exchange, OUTCOME_CLIENT_GONE);
    assert_true(exchange_context_has_orphans(fixture->gateway.exchanges));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fake_origin_stop(&fixture->origin);
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static void it_is_over_with_its_answer(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    stage_run_until(&fixture->gateway.stage, is_over, fixture);
    assert_false(exchange_context_has_orphans(fixture->gateway.exchanges));
}

/* origin_request.h: the request is cancelled before give_way returns, or others wait on. */
static void it_gives_way(void **state)
{
    struct fixture *fixture = *state;
    struct origin_request *request = &fixture->exchange->attempt->request;

    request->events->give_way(request->owner);
    assert_null(request->connection);
    assert_true(is_over(fixture));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_over_with_its_answer),
        TEST(it_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
