/* SPDX-License-Identifier: BSD-2-Clause */
/* split/split_registry, live_split and split_turn: weights set at run time, who sees them, what a
 * new configuration does to them. Ramps have a test of their own. */
#include "split/split_registry.h"

#include "base/log/log.h"
#include "config/load.h"
#include "split/live_split.h"
#include "split/split_turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUTES_MAX 4

struct fixture {
    struct split_registry *registry;
    struct snapshot *snapshot;
    struct live_split *splits[ROUTES_MAX];
};

static void let_go(struct fixture *fixture)
{
    for (int i = 0; i < ROUTES_MAX; i++) {
        live_split_unref(&fixture->splits[i]);
    }
    snapshot_unref(&fixture->snapshot);
}

static void two_phase(struct fixture *fixture, const char *routes)
{
    struct config_errors *errors;
    const struct settings *settings;
    char source[2048];

    snprintf(source, sizeof(source),
             "listeners: [{address: \"127.0.0.1:80\"}]\n"
             "services:\n"
             "  old: {origins: [\"127.0.0.1:1\"]}\n"
             "  new: {origins: [\"127.0.0.1:2\"]}\n"
             "  third: {origins: [\"127.0.0.1:3\"]}\n"
             "routes: [%s, {name: plain, service: old}]\n",
             routes);
    let_go(fixture);
    fixture->snapshot = config_load_bytes("t.yaml", bytes_of(source), &errors);
    if (fixture->snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    assert_non_null(fixture->snapshot);
    settings = snapshot_settings(fixture->snapshot);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].arm_count > 1) {
            fixture->splits[i] = split_registry_find(fixture->registry, &settings->routes[i]);
            assert_non_null(fixture->splits[i]);
        }
    }
    assert_true(split_registry_adopt(fixture->registry, settings, fixture->splits));
}

#define PAY "{name: pay, match: {path: /pay}, split: {old: 90%, new: 10%}}"
#define SHOP "{name: shop, match: {path: /shop}, split: {old: 50%, new: 30%, third: 20%}}"

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->registry = split_registry_new(1);
    two_phase(fixture, SHOP "," PAY);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    let_go(fixture);
    split_registry_free(&fixture->registry);
    free(fixture);
    return 0;
}

/* All of a registry in one line. */
static void on_seen(void *owner, const struct split_reading *reading)
{
    char *text = owner;
    size_t length = strlen(text);

    length += (size_t)sprintf(text + length, "%s[", reading->route);
    for (uint32_t i = 0; i < reading->arm_count; i++) {
        length += (size_t)sprintf(text + length, " %s %u/%u", reading->arms[i].service,
                                  reading->arms[i].weight, reading->arms[i].file_weight);
    }
    sprintf(text + length, "] %s%s; ", split_cause_name(reading->cause),
            reading->differs ? " differs" : "");
}

static void expect(struct fixture *fixture, const char *expected)
{
    char text[1024] = "";

    split_registry_read(fixture->registry, on_seen, text);
    assert_string_equal(text, expected);
}

static enum split_verdict set(struct fixture *fixture, const char *route, const char *service,
                              uint32_t weight)
{
    const struct split_weight one = {bytes_of(service), weight};

    return split_registry_set(fixture->registry, bytes_of(route), &one, 1);
}

static void an_operator_sets_and_resets(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
    assert_int_equal(set(fixture, "pay", "new", 2501), SPLIT_DONE);
    expect(fixture, "pay[ old 7499/9000 new 2501/1000] operator differs; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
    assert_int_equal(set(fixture, "pay", "old", 9000), SPLIT_DONE);
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
    set(fixture, "pay", "old", 0);
    assert_int_equal(split_registry_reset(fixture->registry, BYTES("pay")), SPLIT_DONE);
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct split_weight short_of[] = {{BYTES("old"), 5000}, {BYTES("new"), 4000}};
    const struct split_weight twice[] = {{BYTES("new"), 5000}, {BYTES("new"), 5000}};
    const struct split_weight all[] = {
        {BYTES("third"), 0}, {BYTES("old"), 6000}, {BYTES("new"), 4000}};

    assert_int_equal(set(fixture, "pay", "third", 5), SPLIT_NO_ARM);
    assert_int_equal(set(fixture, "plain", "old", 5), SPLIT_NO_ROUTE);
    assert_int_equal(set(fixture, "absent", "old", 5), SPLIT_NO_ROUTE);
    assert_int_equal(set(fixture, "pay", "new", 10001), SPLIT_BAD_SUM);
    assert_int_equal(set(fixture, "shop", "new", 5000), SPLIT_BAD_SUM);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("pay"), short_of, 2),
                     SPLIT_BAD_SUM);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("pay"), twice, 2), SPLIT_TWICE);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("pay"), all, 0), SPLIT_BAD_SUM);
    assert_int_equal(split_registry_order_ramp(fixture->registry, BYTES("pay"), RAMP_PAUSE),
                     SPLIT_NO_RAMP);
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
    assert_int_equal(split_registry_set(fixture->registry, BYTES("shop"), short_of, 2), SPLIT_DONE);
    assert_int_equal(split_registry_set(fixture->registry, BYTES("shop"), all, 3), SPLIT_DONE);
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 6000/5000 new 4000/3000 third 0/2000] operator differs; ");
}

static void a_reload_keeps_what_the_file_did_not_change(void **state)
{
    struct fixture *fixture = *state;
    struct live_split *before = fixture->splits[1];

    set(fixture, "pay", "new", 5000);
    set(fixture, "shop", "third", 2000); /* two are left out: refused */
    two_phase(fixture, "{name: first, match: {path: /1}, service: old}," PAY);
    assert_ptr_equal(fixture->splits[1], before);
    expect(fixture, "pay[ old 5000/9000 new 5000/1000] operator differs; ");
    /* A ramp that comes needs counters, which is no reason to forget. */
    two_phase(fixture, "{name: pay, match: {path: /pay}, split: {old: 90%, new: 10%}, salt: x, "
                       "ramp: {steps: [5%]}}");
    expect(fixture, "pay[ old 5000/9000 new 5000/1000] operator differs; ");
}

static void a_split_that_changed_in_the_file_begins_with_it(void **state)
{
    static const char *const changed[] = {
        "{name: pay, match: {path: /pay}, split: {old: 80%, new: 20%}}",
        "{name: pay, match: {path: /pay}, split: {old: 90%, third: 10%}}",
        "{name: pay, match: {path: /pay}, split: {old: 90%, new: 10%, third: 0%}}",
    };
    static const char *const expected[] = {
        "pay[ old 8000/8000 new 2000/2000] file; ",
        "pay[ old 9000/9000 third 1000/1000] file; ",
        "pay[ old 9000/9000 new 1000/1000 third 0/0] file; ",
    };
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++) {
        two_phase(fixture, PAY);
        set(fixture, "pay", "new", 5000);
        two_phase(fixture, changed[i]);
        expect(fixture, expected[i]);
    }
}

/* As a commit that is not confirmed: the former plan still holds its splits. */
static void going_back_finds_what_was(void **state)
{
    struct fixture *fixture = *state;
    struct live_split *kept = live_split_ref(fixture->splits[1]);
    struct live_split *former[ROUTES_MAX] = {kept};
    struct snapshot *snapshot;

    two_phase(fixture, PAY);
    assert_ptr_equal(fixture->splits[0], kept);
    set(fixture, "pay", "new", 5000);
    snapshot = snapshot_ref(fixture->snapshot);
    two_phase(fixture, "{name: pay, split: {old: 80%, new: 20%}, match: {path: /pay}}");
    assert_true(split_registry_adopt(fixture->registry, snapshot_settings(snapshot), former));
    expect(fixture, "pay[ old 5000/9000 new 5000/1000] operator differs; ");
    snapshot_unref(&snapshot);
    live_split_unref(&kept);
}

/* --- workers ------------------------------------------------------------------------------- */

/* The same registry in the next process, with what the one before wrote. */
static void restart(struct fixture *fixture, const char *routes)
{
    struct page text = {0};

    split_registry_save_weights(fixture->registry, &text);
    page_add_char(&text, '\0');
    let_go(fixture);
    split_registry_free(&fixture->registry);
    fixture->registry = split_registry_new(1);
    assert_true(split_registry_restore_weights(fixture->registry, text.at));
    page_release(&text);
    two_phase(fixture, routes);
}

static void what_an_operator_set_outlives_the_process(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, "pay", "new", 2501);
    restart(fixture, SHOP "," PAY);
    expect(fixture, "pay[ old 7499/9000 new 2501/1000] operator differs; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
    split_registry_reset(fixture->registry, BYTES("pay"));
    restart(fixture, SHOP "," PAY);
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; "
                    "shop[ old 5000/5000 new 3000/3000 third 2000/2000] file; ");
}

static void but_not_another_split_in_the_file(void **state)
{
    struct fixture *fixture = *state;

    set(fixture, "pay", "new", 2501);
    restart(fixture, "{name: pay, match: {path: /pay}, split: {old: 80%, new: 20%}}");
    expect(fixture, "pay[ old 8000/8000 new 2000/2000] file; ");
    two_phase(fixture, PAY); /* nor when the old one comes back */
    expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; ");
    set(fixture, "pay", "new", 2501);
    restart(fixture, "{name: pay, match: {path: /pay}, split: {new: 10%, old: 90%}}");
    expect(fixture, "pay[ new 1000/1000 old 9000/9000] file; ");
}

static void lines_that_make_no_sense_are_left_out(void **state)
{
    static const char *const lines[] = {
        "weights\tpay",
        "weights\t\told\t9000\t5000\tnew\t1000\t5000",
        "weights\tpay\told\t9000\t5000",
        "weights\tpay\told\t9000\t5000\tnew\t1000",
        "weights\tpay\told\t9000\t5000\tnew\t1000\t4000",
        "weights\tpay\told\t9000\t5000\tnew\t1000\t5000x",
        "weights\tpay\told\t9000\t10001\tnew\t1000\t4294962296",
        "drained\t127.0.0.1:80",
        "",
    };
    struct fixture *fixture = *state;

    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *text = strdup(lines[i]);

        let_go(fixture);
        split_registry_free(&fixture->registry);
        fixture->registry = split_registry_new(1);
        assert_true(split_registry_restore_weights(fixture->registry, text));
        free(text);
        two_phase(fixture, PAY);
        expect(fixture, "pay[ old 9000/9000 new 1000/1000] file; ");
    }
}

static void a_turn_sees_new_weights_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct split_turn *turn = split_turn_new(fixture->splits[1], BYTES(""));
    unsigned count = 0;

    assert_int_equal(split_turn_weights(turn)[1], 1000);
    for (int i = 0; i < 100; i++) {
        split_turn_weights(turn);
        count += split_turn_next(turn);
    }
    assert_int_equal(count, 10);
    set(fixture, "pay", "new", 10000);
    assert_int_equal(split_turn_weights(turn)[1], 10000);
    assert_int_equal(split_turn_next(turn), 1);
    set(fixture, "pay", "new", 0);
    assert_int_equal(split_turn_weights(turn)[0], 10000);
    assert_int_equal(split_turn_next(turn), 0);
    split_turn_unref(&turn);
}

/* Where requests that a ramp counts end up: as many of the old arm's as of the new one's. */
static void the_control_group_is_as_large(void **state)
{
    struct fixture *fixture = *state;
    struct split_turn *turn;
    struct live_split *split;
    unsigned by_turn = 0;
    unsigned by_bucket = 0;

    two_phase(fixture, "{name: pay, match: {path: /pay}, split: {old: 90%, new: 10%}, "
                       "ramp: {steps: [20%]}}");
    split = fixture->splits[0];
    turn = split_turn_new(split, BYTES(""));
    assert_false(split_turn_counts(turn));
    assert_null(split_turn_tally(turn, 0, 0, SPLIT_NO_BUCKET));
    atomic_store(&split->counts, 1);
    assert_ptr_equal(split_turn_tally(turn, 0, 1, 77), live_split_tally(split, 0, ARM_GROUP_NEW));
    for (uint32_t i = 0; i < 9000; i++) {
        by_turn += split_turn_tally(turn, 0, 0, SPLIT_NO_BUCKET) != NULL;
        by_bucket += split_turn_tally(turn, 0, 0, 1000 + i) != NULL;
    }
    assert_int_equal(by_turn, 1000);
    assert_int_equal(by_bucket, 1000);
    split_turn_unref(&turn);
}

struct writer {
    pthread_t thread;
    struct fixture *fixture;
    _Atomic bool stop;
};

static void *write_weights(void *owner)
{
    struct writer *writer = owner;

    for (uint32_t i = 0; !atomic_load(&writer->stop); i++) {
        set(writer->fixture, "pay", "new", i * 37 % (SPLIT_WHOLE + 1));
    }
    return NULL;
}

static void weights_are_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct split_turn *turn = split_turn_new(fixture->splits[1], BYTES(""));
    struct writer writer = {.fixture = fixture};

    assert_int_equal(pthread_create(&writer.thread, NULL, write_weights, &writer), 0);
    for (int i = 0; i < 200000; i++) {
        const uint32_t *weights = split_turn_weights(turn);

        assert_int_equal(weights[0] + weights[1], SPLIT_WHOLE);
    }
    atomic_store(&writer.stop, true);
    pthread_join(writer.thread, NULL);
    split_turn_unref(&turn);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_operator_sets_and_resets),
        TEST(what_makes_no_sense_is_refused),
        TEST(a_reload_keeps_what_the_file_did_not_change),
        TEST(a_split_that_changed_in_the_file_begins_with_it),
        TEST(going_back_finds_what_was),
        TEST(what_an_operator_set_outlives_the_process),
        TEST(but_not_another_split_in_the_file),
        TEST(lines_that_make_no_sense_are_left_out),
        TEST(a_turn_sees_new_weights_at_once),
        TEST(the_control_group_is_as_large),
        TEST(weights_are_of_one_moment),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("split_book", tests, NULL, NULL);
}
