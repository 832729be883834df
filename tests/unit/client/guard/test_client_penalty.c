/* SPDX-License-Identifier: BSD-2-Clause */
/* client/guard/client_penalty: for how long an address is remembered whose handshakes come to nothing. */
#include "client/client_private.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define HANDSHAKE_MS 15000 /* timeouts.handshake by default: they come back after it */

static int set_up(void **state)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));

    gateway_init(gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                              "routes: [{name: ping, match: {path: /ping}, respond: {}}]"));
    *state = gateway;
    return 0;
}

static int tear_down(void **state)
{
    gateway_release(*state);
    free(*state);
    return 0;
}

static struct ip address(uint8_t last)
{
    return (struct ip){.byte = {[10] = 0xff, 0xff, 192, 0, 2, last}};
}

static void note(struct gateway *gateway, uint8_t last, int count, bool stood)
{
    const struct ip ip = address(last);

    while (count-- > 0) {
        client_penalty_note(gateway->clients, &ip, stood);
    }
}

static bool is_penalized(struct gateway *gateway, uint8_t last)
{
    const struct ip ip = address(last);

    return client_penalty_applies(gateway->clients, &ip);
}

static void two_may_come_to_nothing(void **state)
{
    note(*state, 1, 2, false);
    assert_false(is_penalized(*state, 1));
    note(*state, 1, 1, false);
    assert_true(is_penalized(*state, 1));
    assert_false(is_penalized(*state, 2));
}

static void who_comes_back_after_a_cut_is_known(void **state)
{
    struct gateway *gateway = *state;

    note(gateway, 1, 100, false);
    stage_pass(&gateway->stage, HANDSHAKE_MS);
    assert_true(is_penalized(gateway, 1));
    note(gateway, 1, 1, false); /* one in that time keeps it so */
    stage_pass(&gateway->stage, HANDSHAKE_MS);
    assert_true(is_penalized(gateway, 1));
}

static void waiting_alone_pays(void **state)
{
    struct gateway *gateway = *state;

    note(gateway, 1, 100, false);
    stage_pass(&gateway->stage, 2 * HANDSHAKE_MS + 1000);
    assert_false(is_penalized(gateway, 1));
}

static void two_that_stand_pay(void **state)
{
    note(*state, 1, 100, false);
    note(*state, 1, 1, true);
    assert_true(is_penalized(*state, 1));
    note(*state, 1, 1, true);
    assert_false(is_penalized(*state, 1));
}

static void begin(struct gateway *gateway, uint8_t last, int count)
{
    const struct ip ip = address(last);

    while (count-- > 0) {
        client_penalty_begin(gateway->clients, &ip);
    }
}

static bool is_unproven(struct gateway *gateway, uint8_t last)
{
    const struct ip ip = address(last);

    return client_penalty_unproven(gateway->clients, &ip);
}

static void four_under_way_of_which_none_stood_prove_nothing(void **state)
{
    const struct ip ip = address(1);
    struct gateway *gateway = *state;

    begin(gateway, 1, 3);
    assert_false(is_unproven(gateway, 1));
    begin(gateway, 1, 1);
    assert_true(is_unproven(gateway, 1));
    assert_false(is_unproven(gateway, 2));
    client_penalty_end(gateway->clients, &ip);
    assert_false(is_unproven(gateway, 1));
}

static void one_that_stood_proves_an_address_for_a_while(void **state)
{
    struct gateway *gateway = *state;

    begin(gateway, 1, 100);
    note(gateway, 1, 1, true);
    assert_false(is_unproven(gateway, 1));
    stage_pass(&gateway->stage, HANDSHAKE_MS);
    assert_false(is_unproven(gateway, 1));
    stage_pass(&gateway->stage, 2 * HANDSHAKE_MS);
    assert_true(is_unproven(gateway, 1));
}

static void addresses_that_nobody_knows_are_none(void **state)
{
    const struct ip none = {0};
    struct gateway *gateway = *state;

    for (int i = 0; i < 10; i++) {
        client_penalty_begin(gateway->clients, &none);
    }
    assert_false(client_penalty_unproven(gateway->clients, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_may_come_to_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_after_a_cut_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_alone_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_that_stand_pay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(four_under_way_of_which_none_stood_prove_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_stood_proves_an_address_for_a_while, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(addresses_that_nobody_knows_are_none, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
