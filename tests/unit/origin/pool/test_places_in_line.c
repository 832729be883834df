/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/limits: the places in line of an origin and of a service, which requests of two workers
 * look at before either takes one. No thread runs. */
#include "origin/origin_request.h"
#include "origin/pool/limits.h"
#include "origin/service/service_private.h"
#include "tests/fakes/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define WORKERS 2
#define NAME "127.0.0.1:1"

struct side {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_directory *directory;
    struct service *service;
    struct origin *origin;
    struct origin_request request;
};

struct fixture {
    struct origin_registry *registry;
    struct origin_settings origin;
    struct service_settings settings;
    struct pool_settings pool;
    struct origin_request holder; /* of the only connection */
    struct side sides[WORKERS];
};

static void open_side(struct fixture *fixture, uint32_t worker)
{
    struct side *side = &fixture->sides[worker];

    stage_init(&side->stage);
    side->stage.worker_context.worker = worker;
    side->metrics = metrics_new();
    side->resolver = resolver_new(side->stage.worker_context.loop);
    side->directory = origin_directory_new(&side->stage.worker_context, side->resolver,
                                           side->metrics, fixture->registry);
    side->service = service_new(side->directory, &fixture->settings, NULL);
    assert_non_null(side->service);
    side->origin = origin_get(side->directory, &fixture->origin);
    side->request = (struct origin_request){
        .pool = &fixture->pool, .service = side->service, .origin = side->origin};
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->registry = origin_registry_new(WORKERS);
    fixture->origin = (struct origin_settings){.name = NAME, .weight = 1};
    assert_true(address_parse(bytes_of(NAME), &fixture->origin.address));
    fixture->settings =
        (struct service_settings){.name = "one", .origins = &fixture->origin, .origin_count = 1};
    fixture->pool =
        (struct pool_settings){.max_connections = 1, .max_pending = 100, .limited = true};
    for (uint32_t i = 0; i < WORKERS; i++) {
        open_side(fixture, i);
    }
    fixture->holder = fixture->sides[0].request;
    assert_true(limits_take_connection(fixture->sides[0].origin, &fixture->holder));
    *state = fixture;
    return 0;
}

static void close_side(struct side *side)
{
    origin_put(&side->origin);
    service_free(&side->service);
    origin_directory_free(&side->directory);
    resolver_free(&side->resolver);
    metrics_free(&side->metrics);
    stage_release(&side->stage);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    limits_untake_connection(fixture->sides[0].origin, &fixture->holder);
    for (uint32_t i = 0; i < WORKERS; i++) {
        close_side(&fixture->sides[i]);
    }
    origin_registry_free(&fixture->registry);
    free(fixture);
    return 0;
}

static void assert_waiting(const struct fixture *fixture, uint32_t count)
{
    const struct side *side = &fixture->sides[0];

    assert_ptr_equal(side->origin->entry, fixture->sides[1].origin->entry);
    assert_ptr_equal(side->service->entry, fixture->sides[1].service->entry);
    assert_int_equal(atomic_load(&side->origin->entry->waiting), count);
    assert_int_equal(atomic_load(&side->service->entry->waiting), count);
}

/* Both see the last place, one gets it; the other when that has left. */
static void assert_one_place(struct fixture *fixture)
{
    struct origin_request *here = &fixture->sides[0].request;
    struct origin_request *there = &fixture->sides[1].request;

    assert_false(limits_line_is_full(here, here->origin));
    assert_false(limits_line_is_full(there, there->origin));
    assert_true(limits_take_place(here));
    assert_false(limits_take_place(there));
    assert_waiting(fixture, 1);
    assert_true(limits_line_is_full(there, there->origin));
    limits_give_place(here);
    assert_waiting(fixture, 0);
    assert_true(limits_take_place(there));
    limits_give_place(there);
    assert_waiting(fixture, 0);
}

static void the_last_place_at_an_origin_is_taken_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_pending = 1;
    assert_one_place(fixture);
}

static void the_last_place_in_a_service_is_taken_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.limits.max_pending = 1;
    assert_one_place(fixture);
}

static void who_may_go_needs_no_place(void **state)
{
    struct fixture *fixture = *state;
    struct origin_request *here = &fixture->sides[0].request;
    struct origin_request *there = &fixture->sides[1].request;

    fixture->pool.max_pending = 0;
    assert_false(limits_take_place(here));
    fixture->pool.max_connections = 2;
    assert_true(limits_take_place(here));
    assert_true(limits_take_place(there));
    assert_waiting(fixture, 2);
    limits_give_place(here);
    limits_give_place(there);
    assert_waiting(fixture, 0);
}

/* The only slot is the first worker's; a request of the second one waits for it, and is gone before it
 * was in line. */
static void wait_in_vain(struct fixture *fixture)
{
    assert_true(limits_take_request(&fixture->holder));
    assert_false(limits_take_request(&fixture->sides[1].request));
}

static void assert_slot_is_free(struct fixture *fixture)
{
    struct origin_request *next = &fixture->sides[0].request;

    assert_true(limits_take_request(next));
    limits_give_request(next);
}

/* The other worker looked at its line in the meantime, and found nothing there. */
static void no_slot_is_kept_for_a_line_that_is_empty(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.limits.max_concurrent_requests_per_origin = 1;
    wait_in_vain(fixture);
    stage_pass(&fixture->sides[1].stage, 20);
    limits_give_request(&fixture->holder);
    assert_slot_is_free(fixture);
}

static void no_slot_of_a_service_is_kept_for_a_line_that_is_empty(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.limits.max_concurrent_requests = 1;
    wait_in_vain(fixture);
    stage_pass(&fixture->sides[1].stage, 20);
    limits_give_request(&fixture->holder);
    assert_slot_is_free(fixture);
}

/* The other worker is told of it, and passes it on. */
static void a_slot_of_a_service_that_is_kept_is_passed_on(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.limits.max_concurrent_requests = 1;
    wait_in_vain(fixture);
    limits_give_request(&fixture->holder);
    assert_false(limits_take_request(&fixture->sides[0].request));
    stage_settle(&fixture->sides[1].stage);
    assert_slot_is_free(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_place_at_an_origin_is_taken_once),
        TEST(the_last_place_in_a_service_is_taken_once),
        TEST(who_may_go_needs_no_place),
        TEST(no_slot_is_kept_for_a_line_that_is_empty),
        TEST(no_slot_of_a_service_is_kept_for_a_line_that_is_empty),
        TEST(a_slot_of_a_service_that_is_kept_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
