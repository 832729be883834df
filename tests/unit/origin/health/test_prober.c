/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/health/prober: how it follows new settings, which is told by the origins that it holds. What
 * probes ask and make of the answers is tests/scenario/65-probes. */
#include "base/log/log.h"
#include "origin/origin_private.h"
#include "tests/fakes/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICES 500

struct fixture {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_registry *registry;
    struct origin_directory *directory;
    struct origin_settings origins[SERVICES];
    struct service_settings services[SERVICES];
    char names[SERVICES][32];
};

/* There is no origin to be asked. */
static void add_service(struct fixture *fixture, int number)
{
    char *name = fixture->names[number];

    snprintf(name, sizeof(fixture->names[number]), "unix:/nowhere/%d", number);
    fixture->origins[number] = (struct origin_settings){.name = name, .weight = 1};
    assert_true(address_parse(bytes_of(name), &fixture->origins[number].address));
    fixture->services[number] = (struct service_settings){
        .name = name,
        .origins = &fixture->origins[number],
        .origin_count = 1,
        .health.probe = {.on = true, .type = PROBE_TCP, .interval = 60000, .timeout = 1000},
    };
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    stage_init(&fixture->stage);
    fixture->metrics = metrics_new();
    fixture->resolver = resolver_new(fixture->stage.worker_context.loop);
    fixture->registry = origin_registry_new(1);
    fixture->directory = origin_directory_new(&fixture->stage.worker_context, fixture->resolver,
                                              fixture->metrics, fixture->registry);
    for (int i = 0; i < SERVICES; i++) {
        add_service(fixture, i);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    origin_directory_free(&fixture->directory);
    origin_registry_free(&fixture->registry);
    resolver_free(&fixture->resolver);
    metrics_free(&fixture->metrics);
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static bool is_held(const struct origin_directory *directory, const char *name)
{
    return name_table_find(&directory->origins, name, NULL) != NULL;
}

static int count_probed(struct fixture *fixture, int from, int to)
{
    int count = 0;

    for (int i = from; i < to; i++) {
        count += is_held(fixture->directory, fixture->names[i]);
    }
    return count;
}

/* Time for the ticks, which are many and short. */
static void pass_ticks(struct fixture *fixture)
{
    for (int i = 0; i < 60; i++) {
        stage_pass(&fixture->stage, 1);
    }
}

static struct settings settings_of(struct fixture *fixture, int from, int to)
{
    return (struct settings){.services = &fixture->services[from],
                             .service_count = (uint32_t)(to - from)};
}

static void many_services_are_followed_a_few_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    const struct settings all = settings_of(fixture, 0, SERVICES);
    const struct settings none = {0};

    origin_directory_follow(fixture->directory, &all);
    assert_in_range(count_probed(fixture, 0, SERVICES), 1, SERVICES / 5);
    pass_ticks(fixture);
    assert_int_equal(count_probed(fixture, 0, SERVICES), SERVICES);
    origin_directory_follow(fixture->directory, &none);
    assert_true(count_probed(fixture, 0, SERVICES) > SERVICES * 4 / 5);
    pass_ticks(fixture);
    assert_int_equal(count_probed(fixture, 0, SERVICES), 0);
}

static void others_may_follow_before_the_first_ones_are_through(void **state)
{
    struct fixture *fixture = *state;
    const struct settings first = settings_of(fixture, 0, 300);
    const struct settings second = settings_of(fixture, 200, SERVICES);

    origin_directory_follow(fixture->directory, &first);
    stage_pass(&fixture->stage, 1);
    origin_directory_follow(fixture->directory, &second);
    pass_ticks(fixture);
    assert_int_equal(count_probed(fixture, 0, 200), 0);
    assert_int_equal(count_probed(fixture, 200, SERVICES), SERVICES - 200);
    /* In the midst of those that are to go. */
    origin_directory_follow(fixture->directory, &first);
    while (count_probed(fixture, 300, SERVICES) == SERVICES - 300) {
        stage_pass(&fixture->stage, 1);
    }
    origin_directory_follow(fixture->directory, &second);
    pass_ticks(fixture);
    assert_int_equal(count_probed(fixture, 0, 200), 0);
    assert_int_equal(count_probed(fixture, 200, SERVICES), SERVICES - 200);
}

static uint32_t asked(struct fixture *fixture)
{
    const struct origin *origin = origin_named(fixture->directory, fixture->names[0], NULL);

    assert_non_null(origin);
    return TALLY_READ(origin->entry->probes);
}

#define PAUSES 30
#define SLACK_MS 100 /* a few ticks */

/* The ticks that go by between one question and the next, by a clock that stands still meanwhile. */
static void measure_pauses(struct fixture *fixture, uint64_t pauses_ms[PAUSES])
{
    struct loop *loop = fixture->stage.worker_context.loop;
    uint64_t last_us = 0;

    for (int i = -1; i < PAUSES; i++) {
        uint32_t before = asked(fixture);

        while (asked(fixture) == before) {
            stage_pass(&fixture->stage, 1);
        }
        if (i >= 0) {
            pauses_ms[i] = (loop_now(loop) - last_us) / 1000;
        }
        last_us = loop_now(loop);
    }
}

/* Or else all gateways that started together would ask together, ever after. */
static void the_pause_between_two_questions_is_random_within_its_bounds(void **state)
{
    struct fixture *fixture = *state;
    const struct settings one = settings_of(fixture, 0, 1);
    uint64_t pauses_ms[PAUSES];
    uint64_t shortest = UINT64_MAX;
    uint64_t longest = 0;

    fixture->services[0].health.probe.interval = 10000;
    fixture->services[0].health.probe.jitter = 2000; /* a fifth, either way */
    fixture->stage.worker_context.random = (struct random){{5, 6, 7, 8}};
    origin_directory_follow(fixture->directory, &one);
    measure_pauses(fixture, pauses_ms);
    for (int i = 0; i < PAUSES; i++) {
        assert_in_range(pauses_ms[i], 8000 - SLACK_MS, 12000 + SLACK_MS);
        shortest = pauses_ms[i] < shortest ? pauses_ms[i] : shortest;
        longest = pauses_ms[i] > longest ? pauses_ms[i] : longest;
    }
    assert_true(shortest < 9000 && longest > 11000);
}

static void without_jitter_the_pause_is_the_same_each_time(void **state)
{
    struct fixture *fixture = *state;
    const struct settings one = settings_of(fixture, 0, 1);
    uint64_t pauses_ms[PAUSES];

    fixture->services[0].health.probe.interval = 10000;
    origin_directory_follow(fixture->directory, &one);
    measure_pauses(fixture, pauses_ms);
    for (int i = 0; i < PAUSES; i++) {
        assert_in_range(pauses_ms[i], 10000 - SLACK_MS, 10000 + SLACK_MS);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_services_are_followed_a_few_at_a_time),
        TEST(others_may_follow_before_the_first_ones_are_through),
        TEST(the_pause_between_two_questions_is_random_within_its_bounds),
        TEST(without_jitter_the_pause_is_the_same_each_time),
    };

    log_set_level(LOG_LEVEL_ERROR); /* each of them is down */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
