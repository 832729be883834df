/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/choice: what the end of an exchange tells the ramp that chose its arm. */
#include "../../fakes/gateway.h"
#include "exchange/exchange_private.h"
#include "split/live_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static const char rules[] = "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                            "services: {old: {origins: [\"127.0.0.1:1\"]},\n"
                            "           new: {origins: [\"127.0.0.1:2\"]}}\n"
                            "routes: [{split: {old: 100%, new: 0%}, ramp: {steps: [1%, 100%]}}]\n";

struct fixture {
    struct gateway gateway;
    struct arm_tally tally;
    struct exchange exchange;
};

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(64, (sizeof(*fixture) + 63) / 64 * 64);

    memset(fixture, 0, sizeof(*fixture));
    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    fixture->exchange.routing.route =
        &exchange_context_settings(fixture->gateway.exchanges)->routes[0];
    fixture->exchange.routing.tally = &fixture->tally;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

/* Requests and failures that the ramp has counted after it. */
static void expect(struct fixture *fixture, enum outcome_end end, uint16_t status,
                   const char *error, unsigned requests, unsigned failures)
{
    fixture->exchange.outcome.end = end;
    fixture->exchange.outcome.status = status;
    fixture->exchange.outcome.error = error;
    choice_count(&fixture->exchange, 0);
    assert_int_equal(fixture->tally.requests, requests);
    assert_int_equal(fixture->tally.failures, failures);
}

static void an_arm_answers_for_its_origins(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, OUTCOME_ANSWERED, 200, NULL, 1, 0);
    expect(fixture, OUTCOME_ANSWERED, 500, NULL, 2, 1);
    expect(fixture, OUTCOME_ANSWERED_HERE, 502, "connection_refused", 3, 2);
    expect(fixture, OUTCOME_ORIGIN_BROKE, 200, "http_response_incomplete", 4, 3);
    expect(fixture, OUTCOME_CUT_BY_TIMEOUT, 200, "connection_read_timeout", 5, 4);
    expect(fixture, OUTCOME_CLIENT_GONE, 0, NULL, 6, 4);
}

static void not_for_the_client(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, OUTCOME_REQUEST_BROKE, 200, "http_request_error", 0, 0);
    expect(fixture, OUTCOME_ANSWERED_HERE, 413, "http_request_error", 0, 0);
}

/* The status in HTTP is 200 whatever came of it. */
static void a_grpc_call_counts_by_its_status(void **state)
{
    struct fixture *fixture = *state;
    struct outcome_course *outcome = &fixture->exchange.outcome;

    outcome->is_grpc = true;
    outcome->grpc_status = GRPC_OK;
    expect(fixture, OUTCOME_ANSWERED, 200, NULL, 1, 0);
    outcome->grpc_status = GRPC_NOT_FOUND;
    expect(fixture, OUTCOME_ANSWERED, 200, NULL, 2, 0);
    outcome->grpc_status = GRPC_UNAVAILABLE;
    expect(fixture, OUTCOME_ANSWERED, 200, NULL, 3, 1);
    outcome->grpc_status = GRPC_UNKNOWN;
    expect(fixture, OUTCOME_ANSWERED, 200, NULL, 4, 2);
    outcome->grpc_status = GRPC_NO_STATUS;
    expect(fixture, OUTCOME_CLIENT_GONE, 200, NULL, 5, 2);
    outcome->grpc_status = GRPC_UNAVAILABLE;
    outcome->error_status = 502;
    expect(fixture, OUTCOME_ANSWERED_HERE, 200, "connection_refused", 6, 3);
    outcome->grpc_status = GRPC_RESOURCE_EXHAUSTED;
    outcome->error_status = 413;
    expect(fixture, OUTCOME_ANSWERED_HERE, 200, "http_request_error", 6, 3);
}

/* Memory, descriptors. */
static void nor_for_what_the_gateway_lacks(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, OUTCOME_CUT_BY_STOP, 200, NULL, 0, 0);
    expect(fixture, OUTCOME_ANSWERED_HERE, 503, "proxy_internal_error", 0, 0);
    expect(fixture, OUTCOME_GATEWAY_BROKE, 200, "proxy_internal_error", 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_arm_answers_for_its_origins),
        TEST(not_for_the_client),
        TEST(a_grpc_call_counts_by_its_status),
        TEST(nor_for_what_the_gateway_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
