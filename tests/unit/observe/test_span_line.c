/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/span_line: the spans of an exchange with two attempts say whose they are. */
#include "observe/span_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define ROOM_MAX 8192

static const struct outcome_attempt refused = {
    .origin = "api:9000@10.0.0.11",
    .error = "connection_refused",
    .delivery = "not-sent",
};

static const struct outcome_attempt answered = {
    .origin = "10.0.0.12:9000",
    .status = 201,
    .delivery = "answered",
};

static const struct outcome payment = {
    .course.end = OUTCOME_ANSWERED,
    .course.status = 201,
    .protocol = BYTES("1.1"),
    .method = BYTES("POST"),
    .scheme = BYTES("https"),
    .host = BYTES("pay.example"),
    .path = BYTES("/v1/payments"),
    .listener = "0.0.0.0:8443",
    .route = "payments",
    .service = "payments-v1",
    .origin = "10.0.0.12:9000",
    .course.attempts = 2,
    .tries = {&refused, &answered},
    .course.start_realtime_us = 1732187696000042,
    .total_us = 2155,
};

static struct span_facts facts(void)
{
    struct span_facts facts = {
        .authority = BYTES("pay.example"),
        .pattern = BYTES("/v1/"),
        .pattern_is_prefix = true,
        .origin_target = BYTES("/v1/payments"),
        .origin_scheme = BYTES("http"),
    };

    memset(facts.own.trace_id, '1', TRACE_ID_LENGTH);
    memset(facts.own.span_id, '2', SPAN_ID_LENGTH);
    memset(facts.tries[0].span_id, '3', SPAN_ID_LENGTH);
    memset(facts.tries[1].span_id, '4', SPAN_ID_LENGTH);
    return facts;
}

/* Each line, a span, becomes a string of its own. */
static void format(char room[static ROOM_MAX], char *lines[static 3])
{
    struct span_facts of_payment = facts();
    struct text text = text_over(room, ROOM_MAX - 1);
    char *rest = room;

    span_line_format(&text, &payment, &of_payment);
    assert_false(text.overflowed);
    *text.at = '\0';
    for (int i = 0; i < 3; i++) {
        lines[i] = strsep(&rest, "\n");
        assert_non_null(rest);
    }
    assert_string_equal(rest, "");
}

static void assert_says(const char *line, const char *key, const char *value)
{
    char wanted[256];

    snprintf(wanted, sizeof(wanted), "{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}", key,
             value);
    if (strstr(line, wanted) == NULL) {
        fail_msg("no %s in %s", wanted, line);
    }
}

static void each_span_says_route_service_and_origin(void **state)
{
    char room[ROOM_MAX];
    char *lines[3];

    (void)state;
    format(room, lines);
    for (int i = 0; i < 3; i++) {
        assert_says(lines[i], "turnpike.route", "payments");
        assert_says(lines[i], "turnpike.service", "payments-v1");
    }
    assert_says(lines[0], "turnpike.origin", "10.0.0.12:9000");
    assert_says(lines[1], "turnpike.origin", refused.origin);
    assert_says(lines[2], "turnpike.origin", "10.0.0.12:9000");
}

static void an_attempt_says_how_far_it_came(void **state)
{
    char room[ROOM_MAX];
    char *lines[3];

    (void)state;
    format(room, lines);
    assert_says(lines[1], "turnpike.delivery", "not-sent");
    assert_says(lines[1], "error.type", "connection_refused");
    assert_says(lines[2], "turnpike.delivery", "answered");
    assert_null(strstr(lines[2], "error.type"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_span_says_route_service_and_origin),
        cmocka_unit_test(an_attempt_says_how_far_it_came),
    };
    return cmocka_run_group_tests_name("span_line", tests, NULL, NULL);
}
