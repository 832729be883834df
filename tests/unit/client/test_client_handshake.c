/* SPDX-License-Identifier: BSD-2-Clause */
/* client/client_handshake: who waits for a place, and for how long; no handshake is made. */
#include "client/client_private.h"
#include "tests/fakes/certificate_files.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PLACES 20
#define PENALIZED 300 /* more than are looked at in a turn */
#define HANDSHAKE_MS 4000

struct fixture {
    struct gateway gateway;
    struct certificate_files files;
    int far[PENALIZED + 1];
    int count;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    certificate_files_make(&fixture->files);
    gateway_init(&fixture->gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\", "
                              "tls: {certificates: [{cert: %s, key: %s}]}}]\n"
                              "limits: {handshakes: 20}\n"
                              "timeouts: {handshake: 4s}\n"
                              "routes: [{name: ping, match: {path: /ping}, respond: {}}]",
                              fixture->files.cert, fixture->files.key));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < fixture->count; i++) {
        close(fixture->far[i]);
    }
    gateway_release(&fixture->gateway);
    certificate_files_remove(&fixture->files);
    free(fixture);
    return 0;
}

static struct ip ip_in_test_net(uint8_t last)
{
    return (struct ip){.byte = {[10] = 0xff, 0xff, 192, 0, 2, last}};
}

static void connect_from(struct fixture *fixture, uint8_t last)
{
    const struct ip ip = ip_in_test_net(last);
    struct address from;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ip_to_address(&ip, 4711, &from);
    client_context_take_over(fixture->gateway.clients, ends[0], &from, 0, true);
    fixture->far[fixture->count++] = ends[1];
}

/* A first record, whole. */
static void say_hello(struct fixture *fixture, int which)
{
    static const char record[] = {22, 3, 1, 0, 4, 1, 0, 0, 0};

    assert_int_equal(write(fixture->far[which], record, sizeof(record)), sizeof(record));
}

static void note(struct fixture *fixture, uint8_t last, int count, bool stood)
{
    const struct ip ip = ip_in_test_net(last);

    while (count-- > 0) {
        client_penalty_note(fixture->gateway.clients, &ip, stood);
    }
}

/* Connections that have said nothing get one each: none is free any more. */
static void take_all_places(struct fixture *fixture)
{
    struct client_context *context = fixture->gateway.clients;

    for (int i = 0; i < PLACES; i++) {
        connect_from(fixture, 1);
    }
    for (struct link *link = context->busy.next; link != &context->busy; link = link->next) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        connection->has_handshake_slot = true;
        client_penalty_begin(context, &connection->ip);
        context->handshakes.at_once++;
    }
    assert_int_equal(context->handshakes.at_once, PLACES);
}

/* Elsewhere a crowd is cut spread; but these keep others waiting. */
static void who_keeps_others_out_is_cut_in_time(void **state)
{
    struct fixture *fixture = *state;
    struct gateway *gateway = &fixture->gateway;

    take_all_places(fixture);
    stage_pass(&gateway->stage, HANDSHAKE_MS - 500);
    for (int i = PLACES; i < PLACES + 3; i++) {
        connect_from(fixture, 2);
        say_hello(fixture, i);
    }
    stage_settle(&gateway->stage);
    assert_non_null(list_first(&gateway->clients->handshakes.line));
    assert_int_equal(metrics_cuts(gateway->metrics, CUT_HANDSHAKE), 0);
    stage_pass(&gateway->stage, 520);
    assert_int_equal(metrics_cuts(gateway->metrics, CUT_HANDSHAKE), PLACES);
    assert_int_equal(gateway->clients->handshakes.at_once, 0);
}

/* Its address has paid, and many before it have not: it is seen all the same. */
static void who_has_paid_does_not_wait_for_penalized_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct gateway *gateway = &fixture->gateway;
    struct client_handshakes *handshakes = &gateway->clients->handshakes;
    const struct ip honest = ip_in_test_net(3);
    const struct client_connection *pardoned;

    handshakes->at_once = PLACES; /* none of them gets one */
    note(fixture, 2, 4, false);
    note(fixture, 3, 3, false);
    for (int i = 0; i < PENALIZED + 1; i++) {
        connect_from(fixture, i < PENALIZED ? 2 : 3);
        say_hello(fixture, i);
        stage_settle(&gateway->stage);
    }
    assert_null(list_first(&handshakes->line));
    note(fixture, 3, 1, true);
    for (int i = 0; i < 5; i++) {
        stage_pass(&gateway->stage, 20);
    }
    assert_non_null(list_first(&handshakes->line));
    pardoned = CONTAINER_OF(list_first(&handshakes->line), struct client_connection, link);
    assert_memory_equal(&pardoned->ip, &honest, sizeof(honest));
    assert_ptr_equal(list_last(&handshakes->line), list_first(&handshakes->line));
    handshakes->at_once = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_keeps_others_out_is_cut_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_paid_does_not_wait_for_penalized_before_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
