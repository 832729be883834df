/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/service/service: whose turn it is, for each way of balancing. Load is made by requests that wait
 * for origins which never answer. */
#include "origin/origin_request.h"
#include "origin/service/service.h"
#include "tests/fakes/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define ORIGINS 3

struct fixture {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_registry *registry;
    struct origin_directory *directory;
    struct origin_settings origins[ORIGINS];
    struct service_settings settings;
    struct service *service;
    struct origin *origin[ORIGINS]; /* as the service sees them */
    struct pool_settings pool;
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct origin_request requests[64];
    int request_count;
};

static int set_up(void **state)
{
    static const char *const names[ORIGINS] = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    stage_init(&fixture->stage);
    fixture->metrics = metrics_new();
    fixture->resolver = resolver_new(fixture->stage.worker_context.loop);
    fixture->registry = origin_registry_new(1);
    fixture->directory = origin_directory_new(&fixture->stage.worker_context, fixture->resolver,
                                              fixture->metrics, fixture->registry);
    for (int i = 0; i < ORIGINS; i++) {
        fixture->origins[i] = (struct origin_settings){.name = names[i], .weight = 1};
        assert_true(address_parse(bytes_of(names[i]), &fixture->origins[i].address));
    }
    fixture->settings = (struct service_settings){
        .name = "one", .origins = fixture->origins, .origin_count = ORIGINS};
    fixture->pool = (struct pool_settings){.max_pending = 100, .pending_timeout = 5000};
    fixture->timeouts = (struct timeouts_settings){.connect = 3000};
    *state = fixture;
    return 0;
}

static void begin(struct fixture *fixture, enum balance balance)
{
    fixture->settings.balance = balance;
    fixture->service = service_new(fixture->directory, &fixture->settings, NULL);
    assert_non_null(fixture->service);
    assert_ptr_equal(service_settings(fixture->service), &fixture->settings);
    for (uint32_t i = 0; i < fixture->settings.origin_count; i++) {
        fixture->origin[i] = origin_get(fixture->directory, &fixture->origins[i]);
    }
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < fixture->request_count; i++) {
        origin_request_cancel(&fixture->requests[i]);
    }
    service_free(&fixture->service);
    assert_null(fixture->service);
    for (int i = 0; i < ORIGINS; i++) {
        origin_put(&fixture->origin[i]);
    }
    origin_directory_free(&fixture->directory);
    origin_registry_free(&fixture->registry);
    resolver_free(&fixture->resolver);
    metrics_free(&fixture->metrics);
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static int index_of(const struct fixture *fixture, const struct origin *origin)
{
    for (int i = 0; i < ORIGINS; i++) {
        if (fixture->origin[i] == origin) {
            return i;
        }
    }
    fail();
    return -1;
}

static int pick(struct fixture *fixture, const struct origin *avoid)
{
    return index_of(fixture, service_pick(fixture->service, &fixture->stage.worker_context.random,
                                          avoid, NULL));
}

static void ignore_failure(void *owner, enum origin_failure failure)
{
    (void)owner;
    (void)failure;
}

static const struct origin_request_events events = {.failed = ignore_failure};

/* The loop does not run, so the request stays where it is: on its way. */
static void load(struct fixture *fixture, int origin, int count)
{
    for (int i = 0; i < count; i++) {
        struct origin_request *request = &fixture->requests[fixture->request_count++];

        request->events = &events;
        request->pool = &fixture->pool;
        request->timeouts = &fixture->timeouts;
        request->limits = &fixture->limits;
        origin_request_start(request, fixture->origin[origin]);
    }
}

static void round_robin_keeps_to_the_weights(void **state)
{
    struct fixture *fixture = *state;
    int turns[ORIGINS] = {0};

    fixture->origins[0].weight = 5;
    fixture->origins[1].weight = 3;
    fixture->origins[2].weight = 2;
    begin(fixture, BALANCE_ROUND_ROBIN);
    for (int i = 0; i < 100; i++) {
        turns[pick(fixture, NULL)]++;
    }
    assert_int_equal(turns[0], 50);
    assert_int_equal(turns[1], 30);
    assert_int_equal(turns[2], 20);
}

static void round_robin_does_not_mind_the_load(void **state)
{
    struct fixture *fixture = *state;
    int turns[ORIGINS] = {0};

    begin(fixture, BALANCE_ROUND_ROBIN);
    load(fixture, 0, 20);
    for (int i = 0; i < 30; i++) {
        turns[pick(fixture, NULL)]++;
    }
    assert_int_equal(turns[0], 10);
}

static void least_requests_takes_the_least_loaded(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, BALANCE_LEAST_REQUESTS);
    load(fixture, 0, 3);
    load(fixture, 1, 1);
    load(fixture, 2, 2);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pick(fixture, NULL), 1);
    }
}

static void least_requests_counts_against_the_weight(void **state)
{
    struct fixture *fixture = *state;

    fixture->origins[0].weight = 10;
    begin(fixture, BALANCE_LEAST_REQUESTS);
    load(fixture, 0, 4); /* 5/10 is less than 1/1 */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pick(fixture, NULL), 0);
    }
    load(fixture, 0, 10);
    assert_int_not_equal(pick(fixture, NULL), 0);
}

static void equally_loaded_origins_take_turns(void **state)
{
    struct fixture *fixture = *state;
    int turns[ORIGINS] = {0};

    begin(fixture, BALANCE_LEAST_REQUESTS);
    for (int i = 0; i < 30; i++) {
        turns[pick(fixture, NULL)]++;
    }
    for (int i = 0; i < ORIGINS; i++) {
        assert_int_equal(turns[i], 10);
    }
}

/* Two different ones are drawn: the most loaded of three always loses. */
static void of_two_choices_the_better_wins(void **state)
{
    struct fixture *fixture = *state;
    int turns[ORIGINS] = {0};

    begin(fixture, BALANCE_TWO_CHOICES);
    load(fixture, 2, 5);
    load(fixture, 1, 2);
    for (int i = 0; i < 300; i++) {
        turns[pick(fixture, NULL)]++;
    }
    assert_int_equal(turns[2], 0);
    assert_true(turns[0] > turns[1] && turns[1] > 0);
}

static void the_one_to_avoid_is_chosen_only_alone(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture, BALANCE_ROUND_ROBIN);
    for (int i = 0; i < 30; i++) {
        assert_int_not_equal(pick(fixture, fixture->origin[1]), 1);
    }
}

static void alone_it_is_chosen_whatever_is_to_be_avoided(void **state)
{
    struct fixture *fixture = *state;
    static const enum balance all[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUESTS,
                                       BALANCE_TWO_CHOICES};

    fixture->settings.origin_count = 1;
    for (int i = 0; i < 3; i++) {
        service_free(&fixture->service);
        origin_put(&fixture->origin[0]);
        begin(fixture, all[i]);
        assert_int_equal(pick(fixture, fixture->origin[0]), 0);
        assert_int_equal(pick(fixture, NULL), 0);
    }
}

static void two_origins_and_two_choices(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.origin_count = 2;
    begin(fixture, BALANCE_TWO_CHOICES);
    load(fixture, 0, 1);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pick(fixture, NULL), 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_robin_keeps_to_the_weights),
        TEST(round_robin_does_not_mind_the_load),
        TEST(least_requests_takes_the_least_loaded),
        TEST(least_requests_counts_against_the_weight),
        TEST(equally_loaded_origins_take_turns),
        TEST(of_two_choices_the_better_wins),
        TEST(the_one_to_avoid_is_chosen_only_alone),
        TEST(alone_it_is_chosen_whatever_is_to_be_avoided),
        TEST(two_origins_and_two_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
