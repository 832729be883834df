/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/metrics: what is counted where, across reloads, and read while it is written
 * (this test is also run under ThreadSanitizer). */
#include "observe/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct listener_settings listeners[] = {{.name = "0.0.0.0:80"}};
static struct service_settings services[] = {{.name = "v1"}, {.name = "v2"}};
static struct route_settings routes_before[] = {{.name = "pay"}, {.name = "ping"}};
static struct route_settings routes_after[] = {{.name = "new"}, {.name = "ping"}, {.name = "pay"}};

static const struct settings before = {.listeners = listeners,
                                       .listener_count = 1,
                                       .services = services,
                                       .service_count = 2,
                                       .routes = routes_before,
                                       .route_count = 2};
static const struct settings after = {.listeners = listeners,
                                      .listener_count = 1,
                                      .services = services,
                                      .service_count = 2,
                                      .routes = routes_after,
                                      .route_count = 3};

static int set_up(void **state)
{
    struct metrics *metrics = metrics_new();

    *state = metrics;
    return metrics != NULL && metrics_adopt(metrics, &before) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct metrics *metrics = *state;

    metrics_free(&metrics);
    return metrics == NULL ? 0 : -1;
}

struct wanted {
    const char *name;
    struct metrics_reading found;
    unsigned times;
};

static void keep_wanted(void *owner, const struct metrics_reading *reading)
{
    struct wanted *wanted = owner;

    if (strcmp(reading->name, wanted->name) == 0) {
        wanted->found = *reading;
        wanted->times++;
    }
}

static struct metrics_reading reading_of(const struct metrics *metrics, enum metrics_kind kind,
                                         const char *name)
{
    struct wanted wanted = {.name = name};

    metrics_read(metrics, kind, keep_wanted, &wanted);
    assert_int_equal(wanted.times, 1);
    return wanted.found;
}

static struct outcome outcome_on(const struct settings *settings, int32_t route, int32_t service)
{
    return (struct outcome){.course.end = OUTCOME_ANSWERED,
                            .course.status = 200,
                            .listener = listeners[0].name,
                            .route = route >= 0 ? settings->routes[route].name : NULL,
                            .service = service >= 0 ? services[service].name : NULL,
                            .route_index = route,
                            .service_index = service,
                            .total_us = 100,
                            .course.bytes_in = 10,
                            .course.bytes_out = 1000};
}

static void an_exchange_counts_for_route_listener_and_service(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = outcome_on(&before, 0, 1);
    struct metrics_reading pay;

    metrics_count(metrics, &outcome);
    outcome.course.status = 503;
    outcome.course.end = OUTCOME_ANSWERED_HERE;
    outcome.course.error = "connection_refused";
    outcome.total_us = 5000;
    metrics_count(metrics, &outcome);

    pay = reading_of(metrics, METRICS_ROUTES, "pay");
    assert_int_equal(pay.exchanges, 2);
    assert_int_equal(pay.errors, 1);
    assert_int_equal(pay.bytes_in, 20);
    assert_int_equal(pay.bytes_out, 2000);
    assert_int_equal(pay.duration_sum_us, 5100);
    assert_int_equal(pay.by_status[2], 1);
    assert_int_equal(pay.by_status[5], 1);
    assert_int_equal(pay.by_end[OUTCOME_ANSWERED], 1);
    assert_int_equal(pay.by_end[OUTCOME_ANSWERED_HERE], 1);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "ping").exchanges, 0);
    assert_int_equal(reading_of(metrics, METRICS_LISTENERS, "0.0.0.0:80").exchanges, 2);
    assert_int_equal(reading_of(metrics, METRICS_SERVICES, "v1").exchanges, 0);
    assert_int_equal(reading_of(metrics, METRICS_SERVICES, "v2").exchanges, 2);
    assert_int_equal(reading_of(metrics, METRICS_SERVICES, "v2").errors, 1);
    assert_int_equal(metrics_exchanges(metrics), 2);
}

static void an_exchange_without_a_route_is_counted_too(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = outcome_on(&before, -1, -1);

    outcome.course.status = 0;
    metrics_count(metrics, &outcome);
    outcome.course.status = 999;
    metrics_count(metrics, &outcome);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "").exchanges, 2);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "").by_status[0], 2);
    assert_int_equal(metrics_exchanges(metrics), 2);
}

static void names_keep_their_counts_over_a_reload(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = outcome_on(&before, 0, 0);

    metrics_count(metrics, &outcome);
    assert_true(metrics_adopt(metrics, &after));
    outcome = outcome_on(&after, 2, 0);
    metrics_count(metrics, &outcome);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "pay").exchanges, 2);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "new").exchanges, 0);
    assert_int_equal(reading_of(metrics, METRICS_SERVICES, "v1").exchanges, 2);
    assert_true(metrics_adopt(metrics, &before));
    outcome = outcome_on(&before, 0, 0);
    metrics_count(metrics, &outcome);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "pay").exchanges, 3);
}

/* Index 0 was "pay" when the exchange began and is "new" when it ends. */
static void an_exchange_from_before_a_reload_counts_for_its_own_route(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = outcome_on(&before, 0, 0);

    assert_true(metrics_adopt(metrics, &after));
    metrics_count(metrics, &outcome);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "pay").exchanges, 1);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "new").exchanges, 0);
}

static void many_names_are_found_again(void **state)
{
    struct metrics *metrics = *state;
    struct route_settings *routes = calloc(3000, sizeof(*routes));
    struct settings many = {.routes = routes, .route_count = 3000};

    for (uint32_t i = 0; i < many.route_count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "route-%u", i);
        routes[i].name = strdup(name);
    }
    for (int round = 0; round < 2; round++) {
        assert_true(metrics_adopt(metrics, &many));
        for (int32_t i = 0; i < 3000; i++) {
            struct outcome outcome = outcome_on(&many, i, -1);

            metrics_count(metrics, &outcome);
        }
    }
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "route-0").exchanges, 2);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "route-2999").exchanges, 2);
    assert_int_equal(metrics_exchanges(metrics), 6000);
    for (uint32_t i = 0; i < many.route_count; i++) {
        free((char *)routes[i].name);
    }
    free(routes);
}

static void count_rows(void *owner, const struct metrics_reading *reading)
{
    (void)reading;
    (*(unsigned *)owner)++;
}

static unsigned rows_of(const struct metrics *metrics, enum metrics_kind kind)
{
    unsigned rows = 0;

    metrics_read(metrics, kind, count_rows, &rows);
    return rows;
}

/* Settings with "pay", which is asked for once, and a route that is new. */
static void reload_with(struct metrics *metrics, const char *name)
{
    struct route_settings routes[] = {{.name = name}, {.name = "pay"}};
    const struct settings settings = {.routes = routes, .route_count = 2};
    struct outcome outcome = outcome_on(&settings, 1, -1);

    assert_true(metrics_adopt(metrics, &settings));
    metrics_count(metrics, &outcome);
    outcome = outcome_on(&settings, 0, -1);
    metrics_count(metrics, &outcome);
}

static void reload_with_new(struct metrics *metrics, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "new-%d", i);
        reload_with(metrics, name);
    }
}

static void names_that_went_long_ago_are_forgotten(void **state)
{
    struct metrics *metrics = *state;

    reload_with_new(metrics, 0, 3000);
    assert_in_range(rows_of(metrics, METRICS_ROUTES), 16, 40);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "pay").exchanges, 3000);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "new-2998").exchanges, 1);
    reload_with(metrics, "new-2998");
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "new-2998").exchanges, 2);
    reload_with(metrics, "new-0");
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "new-0").exchanges, 1);
}

/* However many: a reader must see what they came to. */
static void names_that_just_went_are_all_kept(void **state)
{
    struct metrics *metrics = *state;
    struct route_settings routes[1000];
    const struct settings settings = {.routes = routes, .route_count = 1000};

    for (unsigned i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "one-of-many-%u", i);
        routes[i] = (struct route_settings){.name = strdup(name)};
    }
    assert_true(metrics_adopt(metrics, &settings));
    reload_with_new(metrics, 0, 5);
    assert_true(rows_of(metrics, METRICS_ROUTES) > 1000);
    reload_with_new(metrics, 5, 10);
    assert_in_range(rows_of(metrics, METRICS_ROUTES), 16, 40);
    for (unsigned i = 0; i < 1000; i++) {
        free((char *)routes[i].name);
    }
}

static void nothing_is_forgotten_while_somebody_reads(void **state)
{
    struct metrics *metrics = *state;

    metrics_hold(metrics);
    reload_with_new(metrics, 0, 1000);
    assert_true(rows_of(metrics, METRICS_ROUTES) > 1000);
    metrics_let_go(metrics);
    reload_with_new(metrics, 1000, 1);
    assert_in_range(rows_of(metrics, METRICS_ROUTES), 16, 40);
}

static void origins_are_kept_while_they_are_held(void **state)
{
    struct metrics *metrics = *state;
    struct metrics_origin *held = metrics_origin(metrics, "held");

    const char *reported = NULL;

    metrics_origin_begins(held, 200);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        struct metrics_origin *origin;

        snprintf(name, sizeof(name), "10.0.0.1:%d", i);
        origin = metrics_origin(metrics, name);
        assert_non_null(origin);
        reported = i == 0 ? metrics_origin_name(origin) : reported;
        metrics_origin_leaves(metrics, &origin);
        assert_null(origin);
        reload_with_new(metrics, 0, 1);
    }
    assert_in_range(rows_of(metrics, METRICS_ORIGINS), 16, 40);
    assert_int_equal(reading_of(metrics, METRICS_ORIGINS, "held").exchanges, 1);
    assert_string_equal(reported, "10.0.0.1:0");
    metrics_origin_leaves(metrics, &held);
}

static void come_and_go(struct metrics *metrics, int count)
{
    for (int i = 0; i < count; i++) {
        struct metrics_origin *origin;
        char name[32];

        snprintf(name, sizeof(name), "10.0.0.%d:%d", count % 250, i);
        origin = metrics_origin(metrics, name);
        metrics_origin_begins(origin, 200);
        metrics_origin_leaves(metrics, &origin);
    }
}

/* As DNS does it, from one answer to the next. */
static void origins_that_come_and_go_without_a_reload_are_bounded(void **state)
{
    struct metrics *metrics = *state;
    struct metrics_origin *held = metrics_origin(metrics, "held");
    struct metrics_origin *origin = metrics_origin(metrics, "first");
    const char *reported = metrics_origin_name(origin);

    metrics_origin_begins(held, 200);
    metrics_origin_leaves(metrics, &origin);
    come_and_go(metrics, 5000);
    assert_in_range(rows_of(metrics, METRICS_ORIGINS), 100, 300);
    assert_int_equal(reading_of(metrics, METRICS_ORIGINS, "held").exchanges, 1);
    assert_int_equal(reading_of(metrics, METRICS_ORIGINS, "10.0.0.0:4999").exchanges, 1);
    /* Its name may still be told, and is the same when it comes again. */
    assert_string_equal(reported, "first");
    origin = metrics_origin(metrics, "first");
    assert_ptr_equal(metrics_origin_name(origin), reported);
    metrics_origin_leaves(metrics, &origin);
    metrics_hold(metrics);
    come_and_go(metrics, 1001);
    assert_true(rows_of(metrics, METRICS_ORIGINS) > 1000);
    metrics_let_go(metrics);
    come_and_go(metrics, 1002);
    assert_in_range(rows_of(metrics, METRICS_ORIGINS), 100, 300);
    metrics_origin_leaves(metrics, &held);
}

static void retries_are_counted_by_service(void **state)
{
    struct metrics *metrics = *state;
    const struct service_settings *first = &before.services[0];
    struct metrics_reading reading;

    metrics_report_retries(metrics, first, &(struct metrics_retries){.made = 1, .left = 7});
    metrics_report_retries(metrics, first, &(struct metrics_retries){.denied = 1, .left = 0});
    metrics_report_retries(metrics, first, &(struct metrics_retries){.made = 1, .left = 4});
    reading = reading_of(metrics, METRICS_SERVICES, "v1");
    assert_int_equal(reading.retries, 2);
    assert_int_equal(reading.retries_denied, 1);
    assert_int_equal(reading.retries_left, 4);
    reading = reading_of(metrics, METRICS_SERVICES, "v2");
    assert_int_equal(reading.retries + reading.retries_denied + reading.retries_left, 0);
}

static unsigned bucket_counted(uint32_t microseconds)
{
    struct metrics *metrics = metrics_new();
    struct outcome outcome = outcome_on(&before, -1, -1);
    struct metrics_reading reading;
    unsigned bucket = 0;

    outcome.total_us = microseconds;
    metrics_count(metrics, &outcome);
    reading = reading_of(metrics, METRICS_ROUTES, "");
    while (reading.durations[bucket] == 0) {
        bucket++;
    }
    metrics_free(&metrics);
    return bucket;
}

static void durations_fall_below_their_limit(void **state)
{
    (void)state;
    assert_int_equal(metrics_duration_limit(0), 64);
    assert_int_equal(metrics_duration_limit(1), 80);
    assert_int_equal(metrics_duration_limit(4), 128);
    assert_int_equal(metrics_duration_limit(METRICS_DURATION_BUCKETS - 2), 1u << 26);
    assert_int_equal(bucket_counted(0), 0);
    assert_int_equal(bucket_counted(UINT32_MAX), METRICS_DURATION_BUCKETS - 1);
    for (unsigned bucket = 0; bucket < METRICS_DURATION_BUCKETS - 1; bucket++) {
        uint32_t limit = (uint32_t)metrics_duration_limit(bucket);

        assert_true(limit < metrics_duration_limit(bucket + 1));
        assert_int_equal(bucket_counted(limit - 1), bucket);
        assert_int_equal(bucket_counted(limit), bucket + 1);
    }
}

static void events_are_counted(void **state)
{
    struct metrics *metrics = *state;

    metrics_note(metrics, METRICS_ORIGIN_DIALED);
    metrics_note(metrics, METRICS_ORIGIN_DIALED);
    assert_int_equal(metrics_noted(metrics, METRICS_ORIGIN_DIALED), 2);
    assert_int_equal(metrics_noted(metrics, METRICS_ORIGIN_REUSED), 0);
    metrics_note_cut(metrics, CUT_HEAD);
    assert_int_equal(metrics_cuts(metrics, CUT_HEAD), 1);
    assert_int_equal(metrics_cuts(metrics, CUT_BODY_RATE), 0);
}

static void on_cut_seen(void *owner, const struct metrics_reading *reading)
{
    assert_string_equal(reading->name, "body-rate");
    assert_int_equal(reading->duration_sum_us, 3000000);
    *(uint64_t *)owner = reading->exchanges;
}

static void exchanges_that_were_cut_are_counted_by_cause(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = {.course.status = 408, .total_us = 1000000};
    uint64_t seen = 0;

    metrics_count(metrics, &outcome);
    metrics_read(metrics, METRICS_CUTS, on_cut_seen, &seen);
    assert_int_equal(seen, 0);
    outcome.course.cut = CUT_BODY_RATE;
    metrics_count(metrics, &outcome);
    outcome.total_us = 2000000;
    metrics_count(metrics, &outcome);
    metrics_read(metrics, METRICS_CUTS, on_cut_seen, &seen);
    assert_int_equal(seen, 2);
}

#define THREADED 50000

static void *count_and_adopt(void *owner)
{
    struct metrics *metrics = owner;

    for (int i = 0; i < THREADED; i++) {
        struct outcome outcome = outcome_on(&before, i % 2, i % 2);

        if (i == THREADED / 2) {
            metrics_adopt(metrics, &after);
        }
        metrics_count(metrics, &outcome);
    }
    return NULL;
}

static void others_may_read_at_any_time(void **state)
{
    struct metrics *metrics = *state;
    pthread_t writer;
    uint64_t last = 0;

    assert_int_equal(pthread_create(&writer, NULL, count_and_adopt, metrics), 0);
    while (last < THREADED) {
        uint64_t now = metrics_exchanges(metrics);
        struct metrics_reading pay = reading_of(metrics, METRICS_ROUTES, "pay");

        assert_true(now >= last);
        assert_true(pay.exchanges <= THREADED / 2);
        last = now;
    }
    pthread_join(writer, NULL);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "pay").exchanges, THREADED / 2);
    assert_int_equal(reading_of(metrics, METRICS_ROUTES, "ping").exchanges, THREADED / 2);
}

/* --- exemplars --------------------------------------------------------------------------- */

struct found_exemplars {
    const char *name;
    struct metrics_exemplar all[METRICS_EXEMPLARS];
    unsigned times;
};

static void keep_exemplars(void *owner, const char *name,
                           const struct metrics_exemplar exemplars[static METRICS_EXEMPLARS])
{
    struct found_exemplars *found = owner;

    if (strcmp(name, found->name) == 0) {
        memcpy(found->all, exemplars, sizeof(found->all));
        found->times++;
    }
}

static void only_sampled_exchanges_leave_an_exemplar(void **state)
{
    struct metrics *metrics = *state;
    struct outcome outcome = outcome_on(&before, 0, 1);
    struct trace_context trace = {.sampled = false};
    struct found_exemplars found = {.name = "pay"};

    memset(trace.trace_id, '7', TRACE_ID_LENGTH);
    metrics_count(metrics, &outcome);
    outcome.trace = &trace;
    metrics_count(metrics, &outcome);
    metrics_read_exemplars(metrics, METRICS_ROUTES, keep_exemplars, &found);
    assert_int_equal(found.times, 0);
    trace.sampled = true;
    outcome.course.start_realtime_us = 5000000;
    for (uint32_t us = 1; us < 100u * 1000 * 1000; us *= 3) {
        outcome.total_us = us;
        metrics_count(metrics, &outcome);
    }
    metrics_read_exemplars(metrics, METRICS_ROUTES, keep_exemplars, &found);
    assert_int_equal(found.times, 1);
    for (unsigned i = 0; i < METRICS_EXEMPLARS; i++) {
        const struct metrics_exemplar *exemplar = &found.all[i];
        uint64_t edge_us = UINT64_C(64) << i;

        if (exemplar->ended_us != 0) {
            assert_memory_equal(exemplar->trace_id, trace.trace_id, TRACE_ID_LENGTH);
            assert_int_equal(exemplar->ended_us, 5000000 + exemplar->duration_us);
            assert_true(i == METRICS_EXEMPLARS - 1 || exemplar->duration_us < edge_us);
            assert_true(i == 0 || exemplar->duration_us >= edge_us / 2);
        }
    }
    assert_int_equal(found.all[0].duration_us, 27); /* the last one below 64 us */
    found = (struct found_exemplars){.name = "v2"};
    metrics_read_exemplars(metrics, METRICS_SERVICES, keep_exemplars, &found);
    assert_int_equal(found.times, 1);
    found = (struct found_exemplars){.name = "0.0.0.0:80"};
    metrics_read_exemplars(metrics, METRICS_LISTENERS, keep_exemplars, &found);
    assert_int_equal(found.times, 1);
    found = (struct found_exemplars){.name = "ping"};
    metrics_read_exemplars(metrics, METRICS_ROUTES, keep_exemplars, &found);
    assert_int_equal(found.times, 0);
}

static void *count_sampled(void *owner)
{
    struct metrics *metrics = owner;
    struct outcome outcome = outcome_on(&before, 0, 0);
    struct trace_context trace = {.sampled = true};

    outcome.trace = &trace;
    for (int i = 0; i < THREADED; i++) {
        memset(trace.trace_id, 'a' + i % 6, TRACE_ID_LENGTH);
        outcome.course.start_realtime_us = (uint64_t)('a' + i % 6);
        metrics_count(metrics, &outcome);
    }
    return NULL;
}

/* Each word of an exemplar tells which exchange it is of. */
static void no_half_of_an_exemplar_is_read(void **state)
{
    struct metrics *metrics = *state;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, count_sampled, metrics), 0);
    while (metrics_exchanges(metrics) < THREADED) {
        struct found_exemplars found = {.name = "pay"};

        metrics_read_exemplars(metrics, METRICS_ROUTES, keep_exemplars, &found);
        for (unsigned i = 0; i < METRICS_EXEMPLARS; i++) {
            const struct metrics_exemplar *exemplar = &found.all[i];
            char digit = (char)(exemplar->ended_us - exemplar->duration_us);

            for (unsigned j = 0; exemplar->ended_us != 0 && j < TRACE_ID_LENGTH; j++) {
                assert_int_equal(exemplar->trace_id[j], digit);
            }
        }
    }
    pthread_join(writer, NULL);
}

#define WITH_METRICS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_METRICS(an_exchange_counts_for_route_listener_and_service),
        WITH_METRICS(an_exchange_without_a_route_is_counted_too),
        WITH_METRICS(names_keep_their_counts_over_a_reload),
        WITH_METRICS(an_exchange_from_before_a_reload_counts_for_its_own_route),
        WITH_METRICS(many_names_are_found_again),
        WITH_METRICS(names_that_went_long_ago_are_forgotten),
        WITH_METRICS(names_that_just_went_are_all_kept),
        WITH_METRICS(nothing_is_forgotten_while_somebody_reads),
        WITH_METRICS(origins_are_kept_while_they_are_held),
        WITH_METRICS(origins_that_come_and_go_without_a_reload_are_bounded),
        WITH_METRICS(retries_are_counted_by_service),
        cmocka_unit_test(durations_fall_below_their_limit),
        WITH_METRICS(events_are_counted),
        WITH_METRICS(exchanges_that_were_cut_are_counted_by_cause),
        WITH_METRICS(others_may_read_at_any_time),
        WITH_METRICS(only_sampled_exchanges_leave_an_exemplar),
        WITH_METRICS(no_half_of_an_exemplar_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
