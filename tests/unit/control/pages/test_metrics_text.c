/* SPDX-License-Identifier: BSD-2-Clause */
/* Prometheus refuses a whole page for one line that is not well-formed. */
#include "control/pages/metrics_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void labels_are_escaped(void **state)
{
    struct page page = {0};
    struct metrics_text out = {.page = &page, .name = "m"};

    (void)state;
    metrics_text_begin(&out, "route", "a\"b\\c\nd");
    metrics_text_label(&out, "why", "x");
    metrics_text_end(&out, UINT64_MAX);
    page_add_char(&page, '\0');
    assert_string_equal(page.at, "m{route=\"a\\\"b\\\\c\\nd\",why=\"x\"} 18446744073709551615\n");
    page_release(&page);
}

static void an_address_of_a_name_has_a_label_of_its_own(void **state)
{
    struct page page = {0};
    struct metrics_text out = {.page = &page, .name = "m"};

    (void)state;
    metrics_text_begin(&out, METRICS_TEXT_ORIGIN, "api:80@10.0.0.1");
    metrics_text_end(&out, 1);
    metrics_text_begin(&out, METRICS_TEXT_ORIGIN, "10.0.0.2:80");
    metrics_text_end(&out, 2);
    page_add_char(&page, '\0');
    assert_string_equal(page.at, "m{origin=\"api:80\",address=\"10.0.0.1\"} 1\n"
                                 "m{origin=\"10.0.0.2:80\"} 2\n");
    page_release(&page);
}

/* Buckets never go down, the last one is +Inf and equals the count. */
static void a_histogram_adds_up(void **state)
{
    struct metrics_reading reading = {.name = "r", .duration_sum_us = 1500001};
    struct page page = {0};
    struct metrics_text out = {.page = &page, .name = "h"};
    unsigned long long before = 0;
    int buckets = 0;

    (void)state;
    reading.durations[0] = 3;
    reading.durations[metrics_duration_bucket(1000000)] = 4;
    reading.durations[METRICS_DURATION_BUCKETS - 1] = 5;
    metrics_text_histogram(&out, "route", &reading, NULL);
    page_add_char(&page, '\0');
    for (char *line = strtok(page.at, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long long count = strtoull(strrchr(line, ' ') + 1, NULL, 10);

        if (strncmp(line, "h_bucket{route=\"r\",le=\"", 23) == 0) {
            assert_true(count >= before);
            before = count;
            buckets++;
            assert_int_equal(strstr(line, "+Inf") != NULL, buckets == 22);
        } else if (strncmp(line, "h_sum", 5) == 0) {
            assert_string_equal(line, "h_sum{route=\"r\"} 1.500001");
        } else {
            assert_string_equal(line, "h_count{route=\"r\"} 12");
        }
    }
    assert_int_equal(before, 12);
    page_release(&page);
}

/* The edges are texts: each twice the one before, from the first limit of the counters on. */
static void edges_double(void **state)
{
    const struct metrics_reading reading = {.name = "r"};
    struct page page = {0};
    struct metrics_text out = {.page = &page, .name = "h"};
    uint64_t wanted_us = metrics_duration_limit(0);
    int edges = 0;

    (void)state;
    metrics_text_histogram(&out, NULL, &reading, NULL);
    page_add_char(&page, '\0');
    for (char *at = strstr(page.at, "le=\""); at != NULL; at = strstr(at + 1, "le=\"")) {
        char *end;
        double seconds = strtod(at + 4, &end);

        if (strncmp(at + 4, "+Inf", 4) != 0) {
            assert_true(*end == '"' && (uint64_t)(seconds * 1e6 + 0.5) == wanted_us);
            wanted_us *= 2;
            edges++;
        }
    }
    assert_int_equal(edges, METRICS_EXEMPLARS - 1);
    page_release(&page);
}

static void an_exemplar_stands_behind_its_bucket(void **state)
{
    struct metrics_reading reading = {.name = "r"};
    struct metrics_exemplar exemplars[METRICS_EXEMPLARS] = {0};
    struct page page = {0};
    struct metrics_text out = {.page = &page, .name = "h"};

    (void)state;
    memset(exemplars[1].trace_id, 'a', TRACE_ID_LENGTH);
    exemplars[1].duration_us = 100;
    exemplars[1].ended_us = 1700000000000250;
    memset(exemplars[METRICS_EXEMPLARS - 1].trace_id, 'b', TRACE_ID_LENGTH);
    exemplars[METRICS_EXEMPLARS - 1].duration_us = 70000000;
    exemplars[METRICS_EXEMPLARS - 1].ended_us = 1700000000000251;
    reading.durations[metrics_duration_bucket(100)] = 1;
    metrics_text_histogram(&out, "route", &reading, exemplars);
    page_add_char(&page, '\0');
    assert_non_null(strstr(page.at, "h_bucket{route=\"r\",le=\"0.000064\"} 0\n"));
    assert_non_null(strstr(page.at, "h_bucket{route=\"r\",le=\"0.000128\"} 1 # "
                                    "{trace_id=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"} 0.000100 "
                                    "1700000000.000250\n"));
    assert_non_null(strstr(page.at, "le=\"+Inf\"} 1 # "
                                    "{trace_id=\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"} 70.000000 "
                                    "1700000000.000251\n"));
    page_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(an_address_of_a_name_has_a_label_of_its_own),
        cmocka_unit_test(a_histogram_adds_up),
        cmocka_unit_test(edges_double),
        cmocka_unit_test(an_exemplar_stands_behind_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
