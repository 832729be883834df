/* SPDX-License-Identifier: BSD-2-Clause */
/* client/guard/client_pressure and client_list: what happens to clients while memory is short, and who
 * costs most. */
#include "client/guard/client_list.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB ((uint64_t)1024 * 1024)
#define GET "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLIENTS 8

struct fixture {
    struct gateway gateway;
    struct pressure *pressure;
    struct far_end clients[CLIENTS];
    int count;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(
        &fixture->gateway,
        gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                     "timeouts: {head: 1h, keepalive_idle: 1h}\n"
                     "limits: {request_buffer: 16KiB}\n"
                     "routes: [{name: ping, match: {path: /ping}, respond: {body: pong}}]"));
    fixture->pressure = pressure_new(1, 100 * MIB, 1000000);
    fixture->gateway.stage.worker_context.pressure = fixture->pressure;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < fixture->count; i++) {
        far_end_release(&fixture->clients[i]);
    }
    gateway_release(&fixture->gateway);
    pressure_free(&fixture->pressure);
    free(fixture);
    return 0;
}

static struct far_end *connect_one(struct fixture *fixture)
{
    struct far_end *client = &fixture->clients[fixture->count++];

    assert_true(fixture->count <= CLIENTS);
    gateway_connect(&fixture->gateway, client);
    return client;
}

/* As if so much were in use; lets each level's second go by. */
static void memory_is(struct fixture *fixture, uint64_t mib)
{
    struct stage *stage = &fixture->gateway.stage;

    for (int i = 0; i < PRESSURE_LEVELS; i++) {
        stage_pass(stage, 1000);
        pressure_report(fixture->pressure, 0, mib * MIB, 0, loop_now(stage->worker_context.loop));
    }
}

static void relieve(struct fixture *fixture)
{
    client_context_relieve(fixture->gateway.clients);
    stage_settle(&fixture->gateway.stage);
}

static uint64_t cuts(struct fixture *fixture, enum cut_cause cause)
{
    return metrics_cuts(fixture->gateway.metrics, cause);
}

static void the_longest_idle_go_first(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *old = connect_one(fixture);
    struct far_end *young;

    far_end_say(old, GET);
    far_end_await(old, "pong");
    memory_is(fixture, 80);
    young = connect_one(fixture);
    far_end_say(young, GET);
    far_end_await(young, "pong");
    relieve(fixture);
    assert_true(old->ended);
    assert_false(young->ended);
    relieve(fixture); /* its next request may be on its way */
    assert_false(young->ended);
    stage_pass(&fixture->gateway.stage, 1100);
    relieve(fixture);
    assert_true(young->ended);
    assert_int_equal(cuts(fixture, CUT_IDLE_PRESSURE), 2);
}

/* As after a pause of the whole process: nothing was read, and all look idle. */
static void a_request_that_was_not_read_yet_is_served(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *speaks = connect_one(fixture);
    struct far_end *silent = connect_one(fixture);

    far_end_say(speaks, GET);
    far_end_await(speaks, "pong");
    far_end_forget(speaks);
    far_end_say(silent, GET);
    far_end_await(silent, "pong");
    memory_is(fixture, 80);
    stage_pass(&fixture->gateway.stage, 5000);
    far_end_say(speaks, GET);
    client_context_relieve(fixture->gateway.clients);
    client_context_relieve(fixture->gateway.clients);
    far_end_await(speaks, "pong");
    far_end_await_end(silent);
    assert_int_equal(cuts(fixture, CUT_IDLE_PRESSURE), 1);
}

static void nobody_is_closed_without_pressure(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *client = connect_one(fixture);

    far_end_say(client, GET);
    far_end_await(client, "pong");
    memory_is(fixture, 70);
    relieve(fixture);
    assert_false(client->ended);
}

static void new_ones_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *served = connect_one(fixture);
    struct far_end *refused;

    far_end_say(served, "GET /ping HTTP/1.1\r\n");
    memory_is(fixture, 92);
    refused = connect_one(fixture);
    far_end_await_end(refused);
    far_end_await(refused, "503 Service Unavailable");
    assert_int_equal(metrics_noted(fixture->gateway.metrics, METRICS_PRESSURE_REFUSED), 1);
    far_end_say(served, "Host: a\r\n\r\n");
    far_end_await(served, "pong"); /* who is there is served on */
    memory_is(fixture, 10);
    refused = connect_one(fixture);
    far_end_say(refused, GET);
    far_end_await(refused, "pong");
}

static void large_bodies_wait(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *large = connect_one(fixture);
    struct far_end *small = connect_one(fixture);
    static char body[6001];

    memset(body, 'x', sizeof(body) - 1);
    far_end_say(large, "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n");
    far_end_say(small, "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n");
    stage_settle(&fixture->gateway.stage);
    memory_is(fixture, 85);
    far_end_say(large, body);
    far_end_say(small, "hello, there");
    far_end_await(small, "pong");
    far_end_say(large, body);
    relieve(fixture);
    assert_int_equal(large->length, 0);
    assert_int_equal(metrics_noted(fixture->gateway.metrics, METRICS_PRESSURE_HELD), 1);
    memory_is(fixture, 10);
    relieve(fixture);
    far_end_await(large, "pong");
}

static void the_costliest_are_cut_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *oldest = connect_one(fixture);
    struct far_end *younger = connect_one(fixture);
    struct far_end *fresh = connect_one(fixture);

    far_end_say(oldest, "GET /ping HTTP/1.1\r\nHos");
    stage_pass(&fixture->gateway.stage, 60000);
    far_end_say(younger, "GET /ping HTTP/1.1\r\nHos");
    memory_is(fixture, 99);
    far_end_say(fresh, "GET /ping HTTP/1.1\r\nHos");
    stage_settle(&fixture->gateway.stage);
    relieve(fixture);
    assert_true(oldest->ended);   /* held most, longest, for nothing */
    assert_false(younger->ended); /* one at a time, of so few */
    relieve(fixture);
    assert_true(younger->ended);
    relieve(fixture);
    assert_false(fresh->ended); /* has not shown yet what it is */
    assert_int_equal(cuts(fixture, CUT_PRESSURE), 2);
    far_end_say(fresh, "t: a\r\n\r\n");
    far_end_await(fresh, "pong");
}

/* --- the list ------------------------------------------------------------------------------ */

struct listing {
    struct client_row rows[CLIENTS];
    size_t count;
    int calls;
};

static void on_listed(void *owner, const struct client_row *rows, size_t count)
{
    struct listing *listing = owner;

    assert_true(count <= CLIENTS);
    if (count > 0) {
        memcpy(listing->rows, rows, count * sizeof(*rows));
    }
    listing->count = count;
    listing->calls++;
}

static void who_costs_most(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *idle = connect_one(fixture);
    struct far_end *head = connect_one(fixture);
    struct far_end *body = connect_one(fixture);
    struct listing listing = {.calls = 0};

    far_end_say(idle, GET);
    far_end_await(idle, "pong");
    far_end_say(head, "GET /ping HTTP/1.1\r\nHos");
    far_end_say(body, "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nsome");
    stage_pass(&fixture->gateway.stage, 10000);
    assert_true(client_list_start(fixture->gateway.clients, 10, on_listed, &listing));
    assert_int_equal(listing.calls, 1);
    assert_int_equal(listing.count, 3);
    assert_string_equal(listing.rows[0].state, "reads-body"); /* holds an exchange, too */
    assert_string_equal(listing.rows[0].route, "ping");
    assert_string_equal(listing.rows[1].state, "reads-head");
    assert_string_equal(listing.rows[1].route, "");
    assert_string_equal(listing.rows[2].state, "idle");
    assert_string_equal(listing.rows[2].listener, "127.0.0.1:8080");
    assert_int_equal(listing.rows[2].port, 4711);
    assert_int_equal(listing.rows[2].requests, 1);
    assert_true(listing.rows[1].held_ms >= 10000);
    assert_true(listing.rows[1].memory_bytes > 4096);
    assert_int_equal(listing.rows[1].bytes_moved, strlen("GET /ping HTTP/1.1\r\nHos"));
    assert_true(listing.rows[2].memory_bytes < 400);
    assert_int_equal(listing.rows[2].cost, 0); /* old it may be */

    assert_true(client_list_start(fixture->gateway.clients, 1, on_listed, &listing));
    assert_int_equal(listing.count, 1);
    assert_string_equal(listing.rows[0].state, "reads-body");
    assert_true(client_list_start(fixture->gateway.clients, 0, on_listed, &listing));
    assert_int_equal(listing.count, 0);
    assert_int_equal(listing.calls, 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_longest_idle_go_first),
        CASE(a_request_that_was_not_read_yet_is_served),
        CASE(nobody_is_closed_without_pressure),
        CASE(new_ones_are_refused),
        CASE(large_bodies_wait),
        CASE(the_costliest_are_cut_and_no_other),
        CASE(who_costs_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
