/* SPDX-License-Identifier: BSD-2-Clause */
/* client/client_idle: an idle client that has not taken its answers. The graces are of one
 * second, and idle it may be for a minute. */
#include "../../fakes/gateway.h"
#include "client/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define GRACE 1000
#define ASK "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"

struct fixture {
    struct gateway gateway;
    struct far_end client;
};

static int set_up_with(void **state, const char *rate)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                              "timeouts: {keepalive_idle: 1m}\n"
                              "rates: {answer: %s, grace: 1s}\n"
                              "routes: [{name: ping, match: {path: /ping}, respond: {}}]",
                              rate));
    gateway_connect(&fixture->gateway, &fixture->client);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, "1KiB");
}

static int set_up_without_a_rate(void **state)
{
    return set_up_with(state, "none");
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    far_end_release(&fixture->client);
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static void ask(struct fixture *fixture)
{
    far_end_say(&fixture->client, ASK);
    stage_settle(&fixture->gateway.stage);
}

static void read_no_more(struct fixture *fixture)
{
    transport_want(&fixture->client.transport, 0);
}

static uint64_t cuts_after(struct fixture *fixture, uint32_t milliseconds)
{
    stage_pass(&fixture->gateway.stage, milliseconds);
    return metrics_cuts(fixture->gateway.metrics, CUT_ANSWER_RATE);
}

static void who_takes_nothing_is_cut_at_the_third_look(void **state)
{
    read_no_more(*state);
    ask(*state);
    assert_int_equal(cuts_after(*state, GRACE), 0);
    assert_int_equal(cuts_after(*state, GRACE), 0);
    assert_int_equal(cuts_after(*state, GRACE), 1);
}

/* As if all had been asleep. */
static void a_clock_that_jumps_looks_once(void **state)
{
    read_no_more(*state);
    ask(*state);
    assert_int_equal(cuts_after(*state, 20 * GRACE), 0);
    assert_int_equal(cuts_after(*state, GRACE), 0);
    assert_int_equal(cuts_after(*state, GRACE), 1);
}

/* Each of them makes it busy again. */
static void requests_now_and_then_do_not_help(void **state)
{
    uint64_t cuts = 0;

    read_no_more(*state);
    for (int i = 0; i < 8 && cuts == 0; i++) {
        ask(*state);
        cuts = cuts_after(*state, GRACE / 2);
    }
    assert_int_equal(cuts, 1);
}

static void who_takes_all_stays(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 8; i++) {
        ask(fixture);
        assert_int_equal(cuts_after(fixture, GRACE / 2), 0);
    }
    assert_int_equal(cuts_after(fixture, 10 * GRACE), 0);
    assert_int_equal(client_desk_count(fixture->gateway.clients), 1);
    stage_pass(&fixture->gateway.stage, 51 * GRACE);
    assert_int_equal(metrics_cuts(fixture->gateway.metrics, CUT_KEEPALIVE), 1);
}

static void who_takes_it_late_stays(void **state)
{
    struct fixture *fixture = *state;

    read_no_more(fixture);
    ask(fixture);
    assert_int_equal(cuts_after(fixture, GRACE), 0);
    assert_int_equal(cuts_after(fixture, GRACE), 0);
    transport_want(&fixture->client.transport, WATCH_READABLE);
    assert_int_equal(cuts_after(fixture, 10 * GRACE), 0);
}

static void without_a_rate_nobody_looks(void **state)
{
    read_no_more(*state);
    ask(*state);
    assert_int_equal(cuts_after(*state, 50 * GRACE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_takes_nothing_is_cut_at_the_third_look, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_looks_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_now_and_then_do_not_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_takes_all_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_takes_it_late_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_rate_nobody_looks, set_up_without_a_rate,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
