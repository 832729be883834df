/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/orphan: an exchange whose client has left goes on until its origin has answered, or
 * until what it holds is needed. */
#include "../../fakes/fake_origin.h"
#include "../../fakes/gateway.h"
#include "cache/cache_store.h"
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
    struct cache_space *space;
};

/* The client leaves before its stream is asked for anything. */
static const struct client_stream_ops ops = {.over = NULL};

static bool is_over(void *owner)
{
    return exchange_context_count(((struct fixture *)owner)->gateway.exchanges) == 0;
}

/* What some route has stored of the URI that is about to change. */
static void store_it(struct fixture *fixture)
{
    static const struct http_response response = {.status = 200, .version = HTTP_1_1};
    struct bytes key = BYTES("Ghttp://h/it");
    struct stored *stored = stored_answer(key, &response, "origin", BYTES(""), BYTES(""));

    fixture->space = cache_space_take("another", 1);
    stored->fresh_ms = stored->keep_ms = 1000000000;
    assert_true(cache_store_put(fixture->space, cache_hash(key), cache_store_epoch(cache_hash(key)),
                                1000000, stored));
    stored_unref(&stored);
}

static bool it_is_stored(const struct fixture *fixture)
{
    struct bytes key = BYTES("Ghttp://h/it");
    struct stored *stored = cache_store_find(fixture->space, cache_hash(key), key);
    bool found = stored != NULL;

    stored_unref(&stored);
    return found;
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
    fixture->origin.answer = NULL; /* what it says is for each test to choose */
    gateway_adopt(&fixture->gateway, gateway_plan(RULES "services: {one: {origins: [\"%s\"]}}\n"
                                                        "routes: [{service: one}]\n",
                                                  fixture->origin.name));
    store_it(fixture);
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
    cache_space_drop(&fixture->space);
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

/* RFC 9111 section 4.4. */
static void what_it_changed_is_not_served_any_more(void **state)
{
    struct fixture *fixture = *state;

    assert_true(it_is_stored(fixture));
    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 204 No Content\r\n\r\n");
    stage_run_until(&fixture->gateway.stage, is_over, fixture);
    assert_false(it_is_stored(fixture));
}

static void what_went_wrong_changed_nothing(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n");
    stage_run_until(&fixture->gateway.stage, is_over, fixture);
    assert_true(it_is_stored(fixture));
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
        TEST(what_it_changed_is_not_served_any_more),
        TEST(what_went_wrong_changed_nothing),
        TEST(it_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
