/* SPDX-License-Identifier: BSD-2-Clause */
/* client/client_crowd: very many that are to be cut in one moment. */
#include "../../fakes/gateway.h"
#include "client/client_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define CROWD 60
#define AT_ONCE 5

struct fixture {
    struct gateway gateway;
    struct far_end clients[CROWD];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                              "timeouts: {head: 4s, body_idle: 1h}\n"
                              "rates: {head: none, body: 1KiB, grace: 4s}\n"
                              "limits: {gather_bytes: 16KiB}\n"
                              "routes: [{name: ping, match: {path: /ping}, respond: {}}]"));
    for (int i = 0; i < CROWD; i++) {
        gateway_connect(&fixture->gateway, &fixture->clients[i]);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < CROWD; i++) {
        far_end_release(&fixture->clients[i]);
    }
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static void say(struct fixture *fixture, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        far_end_say(&fixture->clients[i], text);
    }
    stage_settle(&fixture->gateway.stage);
}

static uint64_t cuts_after(struct fixture *fixture, enum cut_cause cause, uint32_t milliseconds)
{
    stage_pass(&fixture->gateway.stage, milliseconds);
    return metrics_cuts(fixture->gateway.metrics, cause);
}

/* A few when their four seconds are over, all within so much more. */
static void they_are_cut_spread(struct fixture *fixture, enum cut_cause cause, uint32_t more_ms)
{
    uint64_t cuts = cuts_after(fixture, cause, 4020);

    assert_in_range(cuts, AT_ONCE, CROWD / 3);
    cuts = cuts_after(fixture, cause, more_ms / 2);
    assert_in_range(cuts, AT_ONCE + 1, CROWD - 1);
    assert_int_equal(cuts_after(fixture, cause, more_ms / 2 + 100), CROWD);
}

static void heads_are_cut_spread(void **state)
{
    say(*state, CROWD, "GET /ping HT");
    they_are_cut_spread(*state, CUT_HEAD, 2700);
}

static void bodies_are_cut_spread(void **state)
{
    say(*state, CROWD, "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nx");
    they_are_cut_spread(*state, CUT_BODY_RATE, 6000);
}

static void a_few_are_cut_in_time(void **state)
{
    say(*state, AT_ONCE, "GET /ping HT");
    assert_int_equal(cuts_after(*state, CUT_HEAD, 4020), AT_ONCE);
}

/* Of those that were left alone. */
static void who_comes_to_an_end_is_served(void **state)
{
    struct fixture *fixture = *state;
    unsigned served = 0;
    uint64_t cuts;

    say(fixture, CROWD, "GET /ping HT");
    cuts = cuts_after(fixture, CUT_HEAD, 4020);
    say(fixture, CROWD, "TP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < CROWD; i++) {
        served += far_end_count(&fixture->clients[i], " 200 OK");
    }
    assert_int_equal(served, CROWD - cuts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads_are_cut_spread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_are_cut_spread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_few_are_cut_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_to_an_end_is_served, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
