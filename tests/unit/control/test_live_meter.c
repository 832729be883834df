/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/live/live_meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void percentiles_lie_within_their_bucket(void **state)
{
    float counts[METRICS_DURATION_BUCKETS] = {0};
    unsigned bucket = metrics_duration_bucket(1000);

    (void)state;
    assert_int_equal(live_percentile(counts, 0.5), 0);
    counts[bucket] = 100;
    assert_in_range(live_percentile(counts, 0.5), metrics_duration_limit(bucket - 1),
                    metrics_duration_limit(bucket));
    assert_true(live_percentile(counts, 0.5) < live_percentile(counts, 0.99));
    counts[METRICS_DURATION_BUCKETS - 1] = 900;
    assert_int_equal(live_percentile(counts, 0.99),
                     metrics_duration_limit(METRICS_DURATION_BUCKETS - 2));
}

static void update(struct live_meters *meters, struct metrics_reading *rows, size_t count,
                   double seconds)
{
    const struct merged merged = {.rows = rows, .count = count};

    assert_true(live_meters_update(meters, &merged, seconds));
}

static void a_meter_begins_where_its_counter_is(void **state)
{
    struct live_meters meters = {0};
    struct metrics_reading row = {.name = "pay", .exchanges = 1000};

    (void)state;
    update(&meters, &row, 1, 0);
    assert_true(live_meter_rate(live_meters_find(&meters, "pay")) == 0);
    for (int second = 0; second < 20; second++) {
        row.exchanges += 50;
        row.by_status[5] += 10;
        update(&meters, &row, 1, 1);
    }
    assert_true(live_meter_rate(live_meters_find(&meters, "pay")) > 49.9);
    assert_true(live_meter_rate(live_meters_find(&meters, "pay")) < 50.1);
    assert_true(live_meter_failure_rate(live_meters_find(&meters, "pay")) > 9.9);
    live_meters_release(&meters);
}

static void what_is_idle_comes_to_rest(void **state)
{
    struct live_meters meters = {0};
    struct metrics_reading row = {.name = "pay"};

    (void)state;
    update(&meters, &row, 1, 0);
    row.exchanges = 5;
    for (int second = 0; second < 100; second++) {
        update(&meters, &row, 1, 1);
    }
    assert_true(live_meter_rate(live_meters_find(&meters, "pay")) == 0);
    assert_true(live_meters_find(&meters, "pay")->idle);
    live_meters_find(&meters, "pay")->told = true;
    update(&meters, &row, 1, 1);
    assert_true(live_meters_find(&meters, "pay")->told);
    /* After a rest it moves like any other. */
    row.exchanges += 8;
    row.durations[7] += 8;
    update(&meters, &row, 1, 1);
    assert_false(live_meters_find(&meters, "pay")->idle);
    assert_false(live_meters_find(&meters, "pay")->told);
    assert_true(live_meter_rate(live_meters_find(&meters, "pay")) > 0.9);
    assert_true(live_meter_percentile(live_meters_find(&meters, "pay"), 0.5) > 0);
    live_meters_release(&meters);
}

static void names_come_and_go(void **state)
{
    struct live_meters meters = {0};
    struct metrics_reading rows[2] = {{.name = "a", .exchanges = 1}, {.name = "b"}};

    (void)state;
    update(&meters, rows, 1, 0);
    rows[0].exchanges = 9;
    update(&meters, rows, 2, 1);
    assert_true(live_meter_rate(live_meters_find(&meters, "a")) == 8);
    assert_non_null(live_meters_find(&meters, "b"));
    update(&meters, rows + 1, 1, 1);
    assert_null(live_meters_find(&meters, "a"));
    live_meters_release(&meters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_lie_within_their_bucket),
        cmocka_unit_test(a_meter_begins_where_its_counter_is),
        cmocka_unit_test(what_is_idle_comes_to_rest),
        cmocka_unit_test(names_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
