/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/client_registry: caps and rates of an address, true for all threads, in fixed memory. */
#include "exchange/client_registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#define SECOND 1000000u
#define START (1000 * (uint64_t)SECOND)

static struct ip ip_from(const char *text)
{
    struct ip ip;

    assert_true(ip_parse(bytes_of(text), &ip));
    return ip;
}

static struct ip ip_number(uint32_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255,
             number & 255);
    return ip_from(text);
}

static void connections_at_once(void **state)
{
    const struct client_limits_settings limits = {.max_connections = 2};
    struct client_registry *registry = client_registry_new(100);
    struct ip ip = ip_from("192.0.2.1");
    struct ip other = ip_from("192.0.2.2");
    client_slot places[4];

    (void)state;
    assert_true(client_registry_enter(registry, &ip, &limits, START, true, &places[0]));
    assert_true(client_registry_enter(registry, &ip, &limits, START, true, &places[1]));
    assert_false(client_registry_enter(registry, &ip, &limits, START, true, &places[2]));
    assert_int_equal(places[2], 0);
    assert_true(client_registry_enter(registry, &other, &limits, START, true, &places[2]));
    /* From another worker, where it is not counted any more: not refused half way. */
    assert_true(client_registry_enter(registry, &ip, &limits, START, false, &places[3]));
    assert_int_equal(client_registry_connections(registry, &ip), 3);
    client_registry_leave(registry, &places[3]);
    client_registry_leave(registry, &places[3]);
    client_registry_leave(registry, &places[0]);
    assert_int_equal(client_registry_connections(registry, &ip), 1);
    assert_true(client_registry_enter(registry, &ip, &limits, START, true, &places[0]));
    assert_false(client_registry_enter(registry, &ip, &limits, START, true, &places[3]));
    client_registry_free(&registry);
    assert_null(registry);
}

/* One customer has a whole /64; and what is mapped from IPv4 is no IPv6 address. */
static void what_one_address_is(void **state)
{
    const struct client_limits_settings limits = {.max_connections = 1};
    struct client_registry *registry = client_registry_new(100);
    /* The last two have the same bytes, at places where they mean something else. */
    static const char *const others[] = {"2001:db8:0:2::1", "::1",       "192.0.2.1",
                                         "0.0.0.1",         "192.0.2.2", "32.1.13.184",
                                         "2001:db8:100::1"};
    struct ip ip = ip_from("2001:db8:0:1::1");
    struct ip same = ip_from("2001:db8:0:1:ffff::2");
    struct ip none = {{0}};
    client_slot place;

    (void)state;
    assert_true(client_registry_enter(registry, &ip, &limits, START, true, &place));
    assert_false(client_registry_enter(registry, &same, &limits, START, true, &place));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct ip other = ip_from(others[i]);

        assert_true(client_registry_enter(registry, &other, &limits, START, true, &place));
        assert_false(client_registry_enter(registry, &other, &limits, START, true, &place));
    }
    for (int i = 0; i < 5; i++) { /* a Unix socket */
        assert_true(client_registry_enter(registry, &none, &limits, START, true, &place));
        assert_int_equal(place, 0);
    }
    client_registry_free(&registry);
}

static void new_connections_a_second(void **state)
{
    const struct client_limits_settings limits = {.connection_rate = 10};
    struct client_registry *registry = client_registry_new(100);
    struct ip ip = ip_from("192.0.2.1");
    client_slot place;
    unsigned let_in = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        let_in += client_registry_enter(registry, &ip, &limits, START, true, &place);
        assert_int_equal(place, 0); /* nothing to remember */
    }
    assert_int_equal(let_in, 10);
    assert_true(client_registry_enter(registry, &ip, &limits, START, false, &place));
    assert_true(client_registry_enter(registry, &ip, &limits, START + SECOND / 10, true, &place));
    assert_false(client_registry_enter(registry, &ip, &limits, START + SECOND / 10, true, &place));
    for (let_in = 0;
         client_registry_enter(registry, &ip, &limits, START + 60 * SECOND, true, &place);) {
        let_in++;
    }
    assert_int_equal(let_in, 10); /* a pause saves up no more than that */
    client_registry_free(&registry);
}

static void requests_a_second(void **state)
{
    const struct client_limits_settings limits = {.request_rate = 4, .request_burst = 6};
    const struct client_limits_settings route = {.request_rate = 1, .request_burst = 1, .scope = 9};
    struct client_registry *registry = client_registry_new(100);
    struct ip ip = ip_from("192.0.2.1");
    uint64_t now = START;
    uint64_t wait_ms;

    (void)state;
    for (int i = 0; i < 6; i++) {
        assert_true(client_registry_request(registry, &ip, &limits, now, &wait_ms));
    }
    assert_false(client_registry_request(registry, &ip, &limits, now, &wait_ms));
    assert_int_equal(wait_ms, 250);
    /* A route's own bucket is another one. */
    assert_true(client_registry_request(registry, &ip, &route, now, &wait_ms));
    assert_false(client_registry_request(registry, &ip, &route, now, &wait_ms));
    assert_int_equal(wait_ms, 1000);
    /* Who keeps to the rate is never refused; being refused costs nothing. */
    for (int i = 0; i < 100; i++) {
        now += SECOND / 4;
        assert_true(client_registry_request(registry, &ip, &limits, now, &wait_ms));
        assert_false(client_registry_request(registry, &ip, &limits, now, &wait_ms));
    }
    client_registry_free(&registry);
}

/* Many more addresses than there is room for: a client with connections stays counted. */
static void others_are_forgotten_first(void **state)
{
    const struct client_limits_settings limits = {.max_connections = 1, .connection_rate = 1000};
    const struct client_limits_settings requests = {.request_rate = 1, .request_burst = 1};
    struct client_registry *registry = client_registry_new(1);
    client_slot places[500];
    uint64_t wait_ms;

    (void)state;
    for (uint32_t i = 0; i < 500; i++) {
        struct ip ip = ip_number(i);

        assert_true(client_registry_enter(registry, &ip, &limits, START, true, &places[i]));
    }
    for (uint32_t i = 1000; i < 201000; i++) {
        struct ip ip = ip_number(i);

        assert_true(client_registry_request(registry, &ip, &requests, START, &wait_ms));
    }
    for (uint32_t i = 0; i < 500; i++) {
        struct ip ip = ip_number(i);

        assert_int_equal(client_registry_connections(registry, &ip), places[i] != 0);
        client_registry_leave(registry, &places[i]);
        assert_int_equal(client_registry_connections(registry, &ip), 0);
    }
    client_registry_free(&registry);
}

/* --- many threads ------------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS 20000

struct crowd {
    struct client_registry *registry;
    struct client_limits_settings limits;
    struct ip ip;
};

static void *come_and_go(void *owner)
{
    struct crowd *crowd = owner;
    uintptr_t refused = 0;

    for (int i = 0; i < ROUNDS; i++) {
        client_slot first;
        client_slot second;

        refused += !client_registry_enter(crowd->registry, &crowd->ip, &crowd->limits, START, true,
                                          &first);
        refused += !client_registry_enter(crowd->registry, &crowd->ip, &crowd->limits, START, true,
                                          &second);
        client_registry_leave(crowd->registry, &second);
        client_registry_leave(crowd->registry, &first);
    }
    return (void *)refused;
}

static void counts_hold_over_threads(void **state)
{
    struct crowd crowd = {
        client_registry_new(100), {.max_connections = 2 * THREADS}, ip_from("192.0.2.1")};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *refused;

        pthread_join(threads[i], &refused);
        assert_null(refused); /* together never more than the cap */
    }
    assert_int_equal(client_registry_connections(crowd.registry, &crowd.ip), 0);
    client_registry_free(&crowd.registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_at_once),        cmocka_unit_test(what_one_address_is),
        cmocka_unit_test(new_connections_a_second),   cmocka_unit_test(requests_a_second),
        cmocka_unit_test(others_are_forgotten_first), cmocka_unit_test(counts_hold_over_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
