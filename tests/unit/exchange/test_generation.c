/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/generation: what is built from a snapshot, who holds it, whose turn it is. Leaks and
 * early frees show under AddressSanitizer. */
#include "exchange/generation.h"

#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST \
    "listeners: [{address: \"127.0.0.1:8080\"}]\n" \
    "services:\n" \
    "  one: {origins: [\"127.0.0.1:1\", \"127.0.0.1:2\"]}\n" \
    "  two: {origins: [\"127.0.0.1:2\"]}\n" \
    "routes:\n" \
    "  - {name: whole, match: {path: /whole}, service: two}\n" \
    "  - {name: split, match: {path: /split}, split: {one: 75%, two: 25%}}\n" \
    "  - {name: here, respond: {body: x}}\n"

static int set_up(void **state)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));

    gateway_init(gateway, gateway_plan("%s", "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                                             "routes: [{respond: {}}]\n"));
    *state = gateway;
    return 0;
}

static int tear_down(void **state)
{
    gateway_release(*state);
    free(*state);
    return 0;
}

static void a_plan_holds_settings_and_router(void **state)
{
    struct plan *plan = gateway_plan("%s", FIRST);
    struct plan *other = plan_ref(plan);
    struct http_request request = {.method_text = BYTES("GET")};

    (void)state;
    assert_ptr_equal(other, plan);
    plan_unref(&plan);
    assert_null(plan);
    assert_int_equal(plan_settings(other)->route_count, 3);
    assert_string_equal(
        router_find(plan_router(other), &request, BYTES("/split"), "127.0.0.1:8080", NULL)->name,
        "split");
    plan_unref(&other);
    plan_unref(&other);
}

static void a_generation_keeps_its_plan(void **state)
{
    struct gateway *gateway = *state;
    struct plan *plan = gateway_plan("%s", FIRST);
    struct generation *generation = generation_new(plan, gateway->origins);
    struct generation *other;

    assert_non_null(generation);
    plan_unref(&plan);
    other = generation_ref(generation);
    generation_unref(&generation);
    assert_null(generation);
    assert_int_equal(generation_settings(other)->service_count, 2);
    assert_non_null(generation_router(other));
    generation_unref(&other);
    generation_unref(&other);
}

static void each_service_has_its_own(void **state)
{
    struct gateway *gateway = *state;
    struct plan *plan = gateway_plan("%s", FIRST);
    struct generation *generation = generation_new(plan, gateway->origins);
    const struct settings *settings = plan_settings(plan);

    for (uint32_t i = 0; i < settings->service_count; i++) {
        struct service *service = generation_service(generation, &settings->services[i]);

        assert_ptr_equal(service_settings(service), &settings->services[i]);
    }
    generation_unref(&generation);
    plan_unref(&plan);
}

static void a_split_is_exact(void **state)
{
    struct gateway *gateway = *state;
    struct plan *plan = gateway_plan("%s", FIRST);
    struct generation *generation = generation_new(plan, gateway->origins);
    const struct settings *settings = plan_settings(plan);
    unsigned turns[2] = {0};

    struct split_turn *turn = generation_split(generation, &settings->routes[1]);

    assert_null(generation_split(generation, &settings->routes[0]));
    for (int i = 0; i < SPLIT_WHOLE; i++) {
        assert_int_equal(split_turn_weights(turn)[0], SPLIT_WHOLE * 3 / 4);
        turns[split_turn_next(turn)]++;
    }
    assert_int_equal(turns[0], SPLIT_WHOLE * 3 / 4);
    assert_int_equal(turns[1], SPLIT_WHOLE / 4);
    generation_unref(&generation);
    plan_unref(&plan);
}

/* Two generations of two configurations at once, as while a reload takes hold: an origin that
 * both name is the same one. */
static void origins_survive_a_change_of_generation(void **state)
{
    struct gateway *gateway = *state;
    struct plan *plan = gateway_plan("%s", FIRST);
    struct plan *next = gateway_plan("%s", FIRST);
    struct generation *old = generation_new(plan, gateway->origins);
    struct generation *young = generation_new(next, gateway->origins);
    struct random *random = &gateway->stage.worker_context.random;
    const struct origin *kept;

    kept = service_pick(generation_service(old, &plan_settings(plan)->services[1]), random, NULL,
                        NULL);
    generation_unref(&old);
    plan_unref(&plan);
    assert_ptr_equal(service_pick(generation_service(young, &plan_settings(next)->services[1]),
                                  random, NULL, NULL),
                     kept);
    assert_string_equal(origin_name(kept), "127.0.0.1:2");
    generation_unref(&young);
    plan_unref(&next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_holds_settings_and_router),
        TEST(a_generation_keeps_its_plan),
        TEST(each_service_has_its_own),
        TEST(a_split_is_exact),
        TEST(origins_survive_a_change_of_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
