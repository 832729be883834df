/* SPDX-License-Identifier: BSD-2-Clause */
/* split/ramp and ramp_analysis, through the split registry: a ramp's way, its orders, what it
 * remembers; and a thousand simulated ramps each that see noise, failures or slowness. Time is
 * the test's own, and so are the numbers that are drawn. */
#include "split/ramp.h"

#include "base/log/log.h"
#include "base/system/random.h"
#include "base/system/sanitizer.h"
#include "config/load.h"
#include "split/live_split.h"
#include "split/ramp_analysis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define START 1764000000000u
#define WINDOW_S 60
#define HOLD_S 240

/* Where even the smallest difference would be a breach if it were not chance. */
#define RAMP \
    "ramp: {steps: [1%, 5%, {weight: 25%, hold: 300s}, 100%], hold: 240s, window: 60s, " \
    "min_samples: 100, error_rate: 0%, p99: 0%}"

struct fixture {
    struct split_registry *registry;
    struct snapshot *snapshot;
    struct live_split *splits[4];
    uint64_t now_ms;
    struct ramp_event event;
};

static void two_phase(struct fixture *fixture, const char *split, const char *ramp)
{
    struct config_errors *errors;
    const struct settings *settings;
    char source[2048];

    snprintf(source, sizeof(source),
             "listeners: [{address: \"127.0.0.1:80\"}]\n"
             "services:\n"
             "  old: {origins: [\"127.0.0.1:1\"]}\n"
             "  new: {origins: [\"127.0.0.1:2\"]}\n"
             "  other: {origins: [\"127.0.0.1:3\"]}\n"
             "routes:\n"
             "  - {name: pay, split: {%s}, %s}\n",
             split, ramp);
    for (int i = 0; i < 4; i++) {
        live_split_unref(&fixture->splits[i]);
    }
    snapshot_unref(&fixture->snapshot);
    fixture->snapshot = config_load_bytes("t.yaml", bytes_of(source), &errors);
    if (fixture->snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    assert_non_null(fixture->snapshot);
    settings = snapshot_settings(fixture->snapshot);
    fixture->splits[0] = split_registry_find(fixture->registry, &settings->routes[0]);
    assert_non_null(fixture->splits[0]);
    assert_true(split_registry_adopt(fixture->registry, settings, fixture->splits));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->registry = split_registry_new(2);
    fixture->now_ms = START;
    two_phase(fixture, "old: 100%, new: 0%", RAMP);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 4; i++) {
        live_split_unref(&fixture->splits[i]);
    }
    snapshot_unref(&fixture->snapshot);
    split_registry_free(&fixture->registry);
    free(fixture);
    return 0;
}

/* --- looking ------------------------------------------------------------------------------ */

struct seen {
    struct ramp_reading ramp;
    uint32_t weights[2];
    enum split_cause cause;
    bool differs;
    unsigned count;
};

static void on_seen(void *owner, const struct split_reading *reading)
{
    struct seen *seen = owner;

    seen->count++;
    seen->ramp = reading->ramp;
    seen->cause = reading->cause;
    seen->differs = reading->differs;
    seen->weights[0] = reading->arms[0].weight;
    seen->weights[1] = reading->arms[1].weight;
}

static struct seen check(struct fixture *fixture)
{
    struct seen seen = {.count = 0};

    split_registry_read(fixture->registry, on_seen, &seen);
    assert_int_equal(seen.count, 1);
    return seen;
}

static uint32_t weight(struct fixture *fixture)
{
    return check(fixture).weights[1];
}

static enum ramp_phase phase(struct fixture *fixture)
{
    return check(fixture).ramp.phase;
}

/* --- running ------------------------------------------------------------------------------ */

static bool tick(struct fixture *fixture)
{
    uint32_t cursor = 0;

    fixture->now_ms += 1000;
    return split_registry_tick(fixture->registry, fixture->now_ms, &cursor, &fixture->event);
}

static void serve(struct fixture *fixture, enum arm_group group, unsigned requests,
                  unsigned failures, uint64_t duration_us)
{
    struct arm_tally *tally = live_split_tally(fixture->splits[0], requests % 2, group);

    for (unsigned i = 0; i < requests; i++) {
        arm_tally_count(tally, i % ARM_USERS, i < failures, duration_us);
    }
}

/* Ticks with good requests until something happens, at most for so many seconds. */
static unsigned run(struct fixture *fixture, unsigned seconds, unsigned requests)
{
    for (unsigned i = 1; i <= seconds; i++) {
        serve(fixture, ARM_GROUP_NEW, requests, 0, 1000);
        serve(fixture, ARM_GROUP_CONTROL, requests, 0, 1000);
        if (tick(fixture)) {
            return i;
        }
    }
    return 0;
}

static void it_goes_from_step_to_step(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint32_t weight;
        unsigned hold_s;
    } steps[] = {{100, 240}, {500, 240}, {2500, 300}};

    assert_int_equal(weight(fixture), 0);
    assert_true(tick(fixture));
    for (int i = 0; i < 3; i++) {
        assert_string_equal(fixture->event.what, "step");
        assert_int_equal(fixture->event.step, i + 1);
        assert_int_equal(weight(fixture), steps[i].weight);
        assert_int_equal(check(fixture).cause, SPLIT_BY_RAMP);
        assert_int_equal(run(fixture, 1000, 5), steps[i].hold_s);
    }
    assert_string_equal(fixture->event.what, "done");
    assert_string_equal(fixture->event.before, "old: 75.00%, new: 25.00%");
    assert_string_equal(fixture->event.after, "old: 0.00%, new: 100.00%");
    assert_int_equal(phase(fixture), RAMP_DONE);
    assert_int_equal(weight(fixture), SPLIT_WHOLE);
    assert_int_equal(run(fixture, 1000, 5), 0);
}

static void it_may_lead_to_any_of_the_two(void **state)
{
    struct fixture *fixture = *state;

    two_phase(fixture, "new: 0%, old: 100%",
              "ramp: {to: new, steps: [1%, 5%], window: 1s, hold: 1s}");
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.after, "new: 1.00%, old: 99.00%");
    run(fixture, 1000, 100);
    assert_string_equal(fixture->event.after, "new: 5.00%, old: 95.00%");
    run(fixture, 1000, 100);
    assert_string_equal(fixture->event.what, "done"); /* it need not be all */
    assert_string_equal(fixture->event.after, "new: 5.00%, old: 95.00%");
    serve(fixture, ARM_GROUP_NEW, 1000, 1000, 1000);
    assert_false(tick(fixture));
}

static void it_waits_for_enough_samples(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    assert_int_equal(run(fixture, 3600, 0), 0);
    assert_int_equal(weight(fixture), 100);
    /* Its window stays open until it has them: 100 of one a second. */
    assert_in_range(run(fixture, 1000, 1), 100, 102);
    assert_int_equal(weight(fixture), 500);
}

static void a_breach_goes_back_and_stays(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    run(fixture, 1000, 5);
    assert_int_equal(weight(fixture), 500);
    serve(fixture, ARM_GROUP_CONTROL, 200, 1, 1000);
    serve(fixture, ARM_GROUP_NEW, 200, 60, 1000);
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.what, "breach");
    assert_string_equal(fixture->event.why,
                        "30.00% of 200 requests failed, in the control group 0.50% of 200");
    assert_int_equal(weight(fixture), 0);
    assert_int_equal(run(fixture, 100000, 1), 0);
    assert_int_equal(phase(fixture), RAMP_BREACHED);

    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_PAUSE),
                     SPLIT_NOT_NOW);
    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_RESUME),
                     SPLIT_DONE);
    assert_int_equal(weight(fixture), 0);
    assert_true(tick(fixture));
    assert_int_equal(weight(fixture), 100); /* from its first step */
}

static void slowness_is_a_breach_too(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    serve(fixture, ARM_GROUP_CONTROL, 1000, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 940, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 60, 0, 90000);
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.what, "breach");
    assert_non_null(strstr(fixture->event.why, "p99 is"));
    assert_int_equal(weight(fixture), 0);
}

static void serve_user(struct fixture *fixture, enum arm_group group, uint32_t user,
                       unsigned requests, unsigned failures)
{
    struct arm_tally *tally = live_split_tally(fixture->splits[0], user % 2, group);

    for (unsigned i = 0; i < requests; i++) {
        arm_tally_count(tally, user, i < failures, 1000);
    }
}

static void one_client_ends_no_ramp(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    for (int second = 0; second < 150; second++) { /* two windows and a half */
        serve(fixture, ARM_GROUP_CONTROL, 120, 0, 1000);
        serve(fixture, ARM_GROUP_NEW, 120, 0, 1000);
        serve_user(fixture, ARM_GROUP_NEW, 126, 400, 400);
        assert_false(tick(fixture));
    }
    /* Many can. */
    serve(fixture, ARM_GROUP_CONTROL, 120, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 120, 100, 1000);
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.what, "breach");
}

static void serve_slow_user(struct fixture *fixture, enum arm_group group, uint32_t user,
                            unsigned requests, uint64_t duration_us)
{
    struct arm_tally *tally = live_split_tally(fixture->splits[0], user % 2, group);

    for (unsigned i = 0; i < requests; i++) {
        arm_tally_count(tally, user, false, duration_us);
    }
}

static void one_slow_client_ends_no_ramp(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    for (int second = 0; second < 150; second++) {
        serve(fixture, ARM_GROUP_CONTROL, 120, 0, 1000);
        serve(fixture, ARM_GROUP_NEW, 120, 0, 1000);
        serve_slow_user(fixture, ARM_GROUP_NEW, 126, 40, 90000);
        assert_false(tick(fixture));
    }
    /* Many can. */
    serve(fixture, ARM_GROUP_CONTROL, 120, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 120, 0, 90000);
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.what, "breach");
    assert_non_null(strstr(fixture->event.why, "p99 is"));
}

/* Requests that are fast where the arms are compared with each other make the old one look better
 * than it is. */
static void one_client_makes_no_arm_check_good(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    for (int second = 0; second < 150; second++) {
        for (enum arm_group group = ARM_GROUP_NEW; group < ARM_GROUP_COUNT; group++) {
            serve(fixture, group, 120, 0, 1000);
            serve(fixture, group, 12, 0, 90000);
            serve(fixture, group, 12, 12, 1000);
        }
        serve_slow_user(fixture, ARM_GROUP_CONTROL, 126, 20000, 500);
        assert_false(tick(fixture));
    }
}

static void a_client_that_is_all_traffic_counts(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    serve_user(fixture, ARM_GROUP_CONTROL, 7, 200, 0);
    serve_user(fixture, ARM_GROUP_NEW, 7, 200, 60);
    assert_true(tick(fixture));
    assert_string_equal(fixture->event.what, "breach");
}

/* Others are too few to be judged alone: it counts once the window has lasted. */
static void a_client_that_is_nearly_all_traffic_counts_later(void **state)
{
    struct fixture *fixture = *state;
    unsigned seconds = 0;

    tick(fixture);
    do {
        serve_user(fixture, ARM_GROUP_CONTROL, 7, 200, 0);
        serve_user(fixture, ARM_GROUP_CONTROL, 8, 1, 0);
        serve_user(fixture, ARM_GROUP_NEW, 7, 200, 60);
        seconds++;
    } while (!tick(fixture) && seconds < 1000);
    assert_in_range(seconds, WINDOW_S - 2, WINDOW_S + 2);
    assert_string_equal(fixture->event.what, "breach");
}

/* Not worth a word: a tenth more than nothing is nothing. */
static void what_is_allowed_is_no_breach(void **state)
{
    struct fixture *fixture = *state;

    two_phase(fixture, "old: 100%, new: 0%",
              "ramp: {steps: [1%, 100%], hold: 240s, window: 60s, error_rate: 5%, p99: 400%}");
    tick(fixture);
    for (int i = 0; i < 200; i++) {
        serve(fixture, ARM_GROUP_CONTROL, 1000, 0, 1000);
        serve(fixture, ARM_GROUP_NEW, 1000, 40, 4000);
        assert_false(tick(fixture));
    }
}

static void an_operator_has_the_say(void **state)
{
    struct fixture *fixture = *state;
    const struct split_weight half = {BYTES("new"), 5000};

    tick(fixture);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("pay"), &half, 1),
                     SPLIT_RAMP_MOVES);
    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_PAUSE),
                     SPLIT_DONE);
    assert_int_equal(run(fixture, 3600, 5), 0);
    assert_int_equal(weight(fixture), 100);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("pay"), &half, 1), SPLIT_DONE);
    assert_int_equal(weight(fixture), 5000);
    assert_int_equal(run(fixture, 3600, 5), 0);
    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_RESUME),
                     SPLIT_DONE);
    assert_true(tick(fixture));
    assert_int_equal(weight(fixture), 100);
    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_ABORT),
                     SPLIT_DONE);
    assert_int_equal(weight(fixture), 0);
    assert_int_equal(run(fixture, 3600, 5), 0);
    assert_int_equal(phase(fixture), RAMP_ABORTED);
}

/* An operator who pauses a ramp wants no more of it, not less care. */
static void a_paused_ramp_is_still_guarded(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_PAUSE);
    serve(fixture, ARM_GROUP_CONTROL, 200, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 200, 60, 1000);
    assert_true(tick(fixture));
    assert_int_equal(phase(fixture), RAMP_BREACHED);
}

/* --- what it remembers --------------------------------------------------------------------- */

static void breach(struct fixture *fixture)
{
    serve(fixture, ARM_GROUP_CONTROL, 200, 0, 1000);
    serve(fixture, ARM_GROUP_NEW, 200, 100, 1000);
    assert_true(tick(fixture));
    assert_int_equal(phase(fixture), RAMP_BREACHED);
}

static void reloads_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    unsigned ticks = 0;

    tick(fixture);
    /* Each second one: windows and holds go on all the same. */
    while (weight(fixture) == 100 && ticks < 1000) {
        two_phase(fixture, "old: 100%, new: 0%", RAMP);
        run(fixture, 1, 5);
        ticks++;
    }
    assert_int_equal(ticks, 240);
    breach(fixture);
    two_phase(fixture, "old: 100%, new: 0%", RAMP);
    assert_int_equal(phase(fixture), RAMP_BREACHED);
    assert_int_equal(weight(fixture), 0);
    /* Other weights in the file, other steps, other guards: it takes a person all the same. */
    two_phase(fixture, "old: 90%, new: 10%", RAMP);
    assert_int_equal(phase(fixture), RAMP_BREACHED);
    assert_int_equal(weight(fixture), 0);
    two_phase(fixture, "old: 90%, new: 10%", "ramp: {steps: [2%, 100%], error_rate: 50%}");
    assert_int_equal(phase(fixture), RAMP_BREACHED);
    assert_int_equal(weight(fixture), 0);
    assert_int_equal(run(fixture, 3600, 5), 0);
    /* The ramp gone from the file: its weights hold. Back again: so is the breach. */
    two_phase(fixture, "old: 90%, new: 10%", "salt: x");
    assert_int_equal(phase(fixture), RAMP_NONE);
    assert_int_equal(weight(fixture), 1000);
    two_phase(fixture, "old: 90%, new: 10%", RAMP);
    assert_int_equal(phase(fixture), RAMP_BREACHED);
    assert_int_equal(weight(fixture), 0);
}

static void another_split_begins_anew(void **state)
{
    struct fixture *fixture = *state;

    tick(fixture);
    breach(fixture);
    two_phase(fixture, "old: 100%, other: 0%", RAMP);
    assert_int_equal(phase(fixture), RAMP_MOVES);
    assert_true(tick(fixture));
    assert_int_equal(weight(fixture), 100);
}

static void a_restart_remembers(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen;

    tick(fixture);
    assert_int_equal(run(fixture, 1000, 5), HOLD_S);
    run(fixture, 100, 5);
    for (int round = 0; round < 2; round++) {
        struct page text = {0};

        split_registry_save_ramps(fixture->registry, &text);
        page_add_char(&text, '\0');
        assert_false(text.failed);
        for (int i = 0; i < 4; i++) {
            live_split_unref(&fixture->splits[i]);
        }
        split_registry_free(&fixture->registry);
        fixture->registry = split_registry_new(2);
        assert_true(split_registry_restore_ramps(fixture->registry, text.at));
        page_release(&text);
        two_phase(fixture, "old: 100%, new: 0%", RAMP);
        seen = check(fixture);
        if (round == 0) {
            assert_int_equal(seen.ramp.phase, RAMP_MOVES);
            assert_int_equal(seen.weights[1], 500);
            assert_in_range(run(fixture, 1000, 5), 60, HOLD_S - 100); /* but for a whole window */
            breach(fixture);
        } else {
            assert_int_equal(seen.ramp.phase, RAMP_BREACHED);
            assert_int_equal(seen.weights[1], 0);
            assert_non_null(strstr(seen.ramp.reason, "50.00% of 200"));
        }
    }
}

static void spoilt_lines_are_left_out(void **state)
{
    struct fixture *fixture = *state;
    struct split_registry *registry = split_registry_new(1);
    char text[] = "pay\tbreached\t0\nnonsense\n\npay\twild\t0\t0\t0\t0\t\n";

    (void)fixture;
    assert_true(split_registry_restore_ramps(registry, text));
    split_registry_free(&registry);
}

static void without_a_place_to_remember_it_stays(void **state)
{
    struct fixture *fixture = *state;

    live_split_unref(&fixture->splits[0]);
    split_registry_free(&fixture->registry);
    fixture->registry = split_registry_new(2);
    split_registry_forgo_ramps(fixture->registry);
    two_phase(fixture, "old: 70%, new: 30%", RAMP);
    assert_false(tick(fixture));
    assert_int_equal(phase(fixture), RAMP_NONE);
    assert_int_equal(weight(fixture), 3000);
}

/* --- chance -------------------------------------------------------------------------------- */

#ifdef ADDRESS_SANITIZER
#define RAMPS 50 /* they take up to forty times as long, and chance is the same */
#else
#define RAMPS 1000
#endif

/* How an arm behaves: one in `failing` fails, and one in `slow` takes so many times as long. */
struct manner {
    double failing;
    double slow;
    double slower;
};

static double fraction(struct random *random)
{
    return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

/* A long tail, as answers of real services have: Pareto over 5 ms, shape 2. Each draw is a statement
 * of its own, so that all compilers draw in the same order. */
static uint64_t draw_duration(struct random *random, const struct manner *manner)
{
    double duration = 5000 / sqrt(1 - fraction(random));
    bool is_slow = fraction(random) < manner->slow;

    return (uint64_t)(is_slow ? duration * manner->slower : duration);
}

static void serve_chance(struct fixture *fixture, struct random *random, enum arm_group group,
                         const struct manner *manner, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        unsigned user = (unsigned)random_below(random, ARM_USERS);
        bool failed = fraction(random) < manner->failing;
        uint64_t duration_us = draw_duration(random, manner);

        arm_tally_count(live_split_tally(fixture->splits[0], 0, group), user, failed, duration_us);
    }
}

static void begin_run(struct fixture *fixture)
{
    split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_ABORT);
    split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_RESUME);
    two_phase(fixture, "old: 100%, new: 0%", RAMP);
    tick(fixture);
}

static const struct manner usual = {.failing = 0.01};

/* Ten requests a second each, about 13 minutes of looking once a second, no tolerance at all. */
static void noise_rolls_nothing_back(void **state)
{
    struct fixture *fixture = *state;
    struct random random = {{1, 2, 3, 4}};
    unsigned breaches = 0;

    for (int i = 0; i < RAMPS; i++) {
        begin_run(fixture);
        while (phase(fixture) == RAMP_MOVES) {
            serve_chance(fixture, &random, ARM_GROUP_NEW, &usual, 10);
            serve_chance(fixture, &random, ARM_GROUP_CONTROL, &usual, 10);
            tick(fixture);
        }
        breaches += phase(fixture) == RAMP_BREACHED;
    }
    print_message("%u of %u ramps that saw noise only went back\n", breaches, RAMPS);
    assert_true(breaches <= RAMPS / 100);
}

/* From some second of the second step on. Returns how long it took. */
static unsigned seconds_to_breach(struct fixture *fixture, struct random *random,
                                  const struct manner *manner)
{
    unsigned good_for = HOLD_S + 1 + (unsigned)random_below(random, HOLD_S);
    unsigned failing_for = 0;

    begin_run(fixture);
    for (unsigned i = 0; phase(fixture) == RAMP_MOVES; i++) {
        serve_chance(fixture, random, ARM_GROUP_NEW, i < good_for ? &usual : manner, 10);
        serve_chance(fixture, random, ARM_GROUP_CONTROL, &usual, 10);
        tick(fixture);
        failing_for += i >= good_for;
    }
    assert_int_equal(phase(fixture), RAMP_BREACHED);
    assert_int_equal(weight(fixture), 0);
    return failing_for;
}

static void an_arm_that_fails_is_back_within_two_windows(void **state)
{
    static const struct manner manners[] = {
        {.failing = 1},
        {.failing = 0.2},
        {.failing = 0.1},
        {.failing = 0.01, .slow = 0.2, .slower = 20},
        {.failing = 0.01, .slow = 1, .slower = 4},
    };
    struct fixture *fixture = *state;
    struct random random = {{5, 6, 7, 8}};

    for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
        unsigned longest = 0;

        for (int j = 0; j < RAMPS / 10; j++) {
            unsigned seconds = seconds_to_breach(fixture, &random, &manners[i]);

            longest = seconds > longest ? seconds : longest;
        }
        print_message("manner %zu: back after at most %u s\n", i, longest);
        assert_true(longest <= 2 * WINDOW_S);
    }
}

static void tails_are_binomial(void **state)
{
    (void)state;
    assert_true(guard_tail(10, 0.5, 0) == 1);
    assert_true(fabs(guard_tail(20, 0.5, 20) - 1.0 / 1048576) < 1e-12);
    assert_true(fabs(guard_tail(10, 0.5, 9) - 11.0 / 1024) < 1e-12);
    assert_true(fabs(guard_tail(4, 0.25, 3) - 13.0 / 256) < 1e-12);
    assert_true(guard_tail(5, 0.5, 6) == 0);
    assert_true(guard_tail(1000000, 0.5, 503000) < 1e-8);
    assert_true(guard_tail(1000000, 0.5, 500500) > 0.1);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR); /* weights come and go */
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_goes_from_step_to_step),
        TEST(it_may_lead_to_any_of_the_two),
        TEST(it_waits_for_enough_samples),
        TEST(a_breach_goes_back_and_stays),
        TEST(one_client_ends_no_ramp),
        TEST(one_slow_client_ends_no_ramp),
        TEST(one_client_makes_no_arm_check_good),
        TEST(a_client_that_is_all_traffic_counts),
        TEST(a_client_that_is_nearly_all_traffic_counts_later),
        TEST(slowness_is_a_breach_too),
        TEST(what_is_allowed_is_no_breach),
        TEST(an_operator_has_the_say),
        TEST(a_paused_ramp_is_still_guarded),
        TEST(reloads_change_nothing),
        TEST(another_split_begins_anew),
        TEST(a_restart_remembers),
        TEST(spoilt_lines_are_left_out),
        TEST(without_a_place_to_remember_it_stays),
        TEST(tails_are_binomial),
        TEST(noise_rolls_nothing_back),
        TEST(an_arm_that_fails_is_back_within_two_windows),
    };

    return cmocka_run_group_tests_name("ramp", tests, NULL, NULL);
}
