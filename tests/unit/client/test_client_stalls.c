/* SPDX-License-Identifier: BSD-2-Clause */
/* client/client_stalls: for how long an address is remembered whose handshakes come to nothing. */
#include "../../fakes/gateway.h"
#include "client/client_private.h"

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
        client_stalls_note(gateway->clients, &ip, stood);
    }
}

static bool is_debtor(struct gateway *gateway, uint8_t last)
{
    const struct ip ip = address(last);

    return client_stalls_often(gateway->clients, &ip);
}

static void two_may_come_to_nothing(void **state)
{
    note(*state, 1, 2, false);
    assert_false(is_debtor(*state, 1));
    note(*state, 1, 1, false);
    assert_true(is_debtor(*state, 1));
    assert_false(is_debtor(*state, 2));
}

static void who_comes_back_after_a_cut_is_known(void **state)
{
    struct gateway *gateway = *state;

    note(gateway, 1, 100, false);
    stage_pass(&gateway->stage, HANDSHAKE_MS);
    assert_true(is_debtor(gateway, 1));
    note(gateway, 1, 1, false); /* one in that time keeps it so */
    stage_pass(&gateway->stage, HANDSHAKE_MS);
    assert_true(is_debtor(gateway, 1));
}

static void waiting_alone_pays(void **state)
{
    struct gateway *gateway = *state;

    note(gateway, 1, 100, false);
    stage_pass(&gateway->stage, 2 * HANDSHAKE_MS + 1000);
    assert_false(is_debtor(gateway, 1));
}

static void two_that_stand_pay(void **state)
{
    note(*state, 1, 100, false);
    note(*state, 1, 1, true);
    assert_true(is_debtor(*state, 1));
    note(*state, 1, 1, true);
    assert_false(is_debtor(*state, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_may_come_to_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_after_a_cut_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_alone_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_that_stand_pay, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
