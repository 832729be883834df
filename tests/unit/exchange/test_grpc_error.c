/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/grpc_error: each error of the gateway's own, and the status it has in gRPC. */
#include "exchange/grpc_error.h"
#include "origin/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(uint16_t status, const char *error, enum grpc_status expected)
{
    assert_int_equal(grpc_error_status(status, error, false), expected);
}

static void what_the_gateway_refuses(void **state)
{
    (void)state;
    expect(400, "http_request_error", GRPC_INTERNAL);
    expect(401, "http_request_denied", GRPC_UNAUTHENTICATED);
    expect(403, "http_request_denied", GRPC_PERMISSION_DENIED);
    expect(404, "destination_not_found", GRPC_UNIMPLEMENTED);
    expect(408, "http_request_error", GRPC_DEADLINE_EXCEEDED);
    expect(413, "http_request_error", GRPC_RESOURCE_EXHAUSTED);
    expect(421, "http_request_denied", GRPC_UNAVAILABLE);
    expect(429, "http_request_denied", GRPC_UNAVAILABLE);
    expect(431, "http_request_error", GRPC_RESOURCE_EXHAUSTED);
    expect(501, "http_request_denied", GRPC_UNIMPLEMENTED);
    expect(503, "proxy_internal_error", GRPC_UNAVAILABLE);
    expect(504, "http_response_timeout", GRPC_DEADLINE_EXCEEDED);
    expect(508, "proxy_loop_detected", GRPC_INTERNAL);
    expect(418, "http_request_error", GRPC_UNKNOWN);
}

static const struct {
    enum origin_failure failure;
    enum grpc_status before; /* no origin can have read the call */
    enum grpc_status after;
} failures[] = {
    {ORIGIN_FAILURE_NAME_TIMEOUT, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_NONE_FIT, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_REFUSED, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_CONNECT_TIMEOUT, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_TLS_CERTIFICATE, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_LINE_FULL, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_CLOSED, GRPC_UNAVAILABLE, GRPC_INTERNAL},
    {ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT, GRPC_DEADLINE_EXCEEDED, GRPC_DEADLINE_EXCEEDED},
    {ORIGIN_FAILURE_ANSWER_TIMEOUT, GRPC_DEADLINE_EXCEEDED, GRPC_DEADLINE_EXCEEDED},
    {ORIGIN_FAILURE_SEND_TIMEOUT, GRPC_DEADLINE_EXCEEDED, GRPC_DEADLINE_EXCEEDED},
    {ORIGIN_FAILURE_MALFORMED, GRPC_INTERNAL, GRPC_INTERNAL},
    {ORIGIN_FAILURE_HEAD_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED, GRPC_RESOURCE_EXHAUSTED},
    {ORIGIN_FAILURE_TRAILERS_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED, GRPC_RESOURCE_EXHAUSTED},
};

static void failures_of_origins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        uint16_t status = origin_failures[failures[i].failure].status;
        const char *error = origin_failures[failures[i].failure].error;

        assert_int_equal(grpc_error_status(status, error, false), failures[i].before);
        assert_int_equal(grpc_error_status(status, error, true), failures[i].after);
    }
}

/* It would be made again by clients that are set up to repeat what is UNAVAILABLE. */
static void no_call_that_may_have_run_is_unavailable(void **state)
{
    (void)state;
    for (int i = 0; i < ORIGIN_FAILURE_COUNT; i++) {
        assert_int_not_equal(grpc_error_status(origin_failures[(enum origin_failure)i].status,
                                               origin_failures[(enum origin_failure)i].error, true),
                             GRPC_UNAVAILABLE);
    }
}

/* PROTOCOL-HTTP2, "HTTP2 Transport Mapping", Errors. */
static void resets_have_the_statuses_that_clients_give_them(void **state)
{
    (void)state;
    assert_int_equal(grpc_error_of_reset(H2_NO_ERROR), GRPC_INTERNAL);
    assert_int_equal(grpc_error_of_reset(H2_PROTOCOL_ERROR), GRPC_INTERNAL);
    assert_int_equal(grpc_error_of_reset(H2_REFUSED_STREAM), GRPC_UNAVAILABLE);
    assert_int_equal(grpc_error_of_reset(H2_CANCEL), GRPC_CANCELLED);
    assert_int_equal(grpc_error_of_reset(H2_ENHANCE_YOUR_CALM), GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(grpc_error_of_reset(H2_INADEQUATE_SECURITY), GRPC_PERMISSION_DENIED);
    assert_int_equal(grpc_error_of_reset(UINT32_MAX), GRPC_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_gateway_refuses),
        cmocka_unit_test(failures_of_origins),
        cmocka_unit_test(no_call_that_may_have_run_is_unavailable),
        cmocka_unit_test(resets_have_the_statuses_that_clients_give_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
