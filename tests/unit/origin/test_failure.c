/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/failure: each row can be told to a client: a status that fits (RFC 9110 section 15.6),
 * an error type that RFC 9209 section 2.3 registers, a sentence that fits a quoted string. */
#include "origin/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const char *const registered[] = {
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
};

static bool is_registered(const char *error)
{
    for (size_t i = 0; i < sizeof(registered) / sizeof(registered[0]); i++) {
        if (strcmp(registered[i], error) == 0) {
            return true;
        }
    }
    return false;
}

static void each_row_can_be_reported(void **state)
{
    (void)state;
    for (int i = 0; i < ORIGIN_FAILURE_COUNT; i++) {
        enum origin_failure failure = (enum origin_failure)i;
        uint16_t status = origin_failures[failure].status;
        const char *sentence = origin_failures[failure].sentence;

        assert_true(failure == ORIGIN_FAILURE_WEBSOCKET_KEY
                        ? status == 400
                        : status == 502 || status == 503 || status == 504);
        assert_true(is_registered(origin_failures[failure].error));
        assert_true(strlen(sentence) > 10);
        for (const char *at = sentence; *at != '\0'; at++) {
            assert_true(*at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\');
        }
    }
}

/* RFC 9110 section 15.6.5: 504 is for an answer that did not come in time, and for nothing else. */
static void timeouts_are_504_unless_they_are_ours(void **state)
{
    (void)state;
    for (int i = 0; i < ORIGIN_FAILURE_COUNT; i++) {
        enum origin_failure failure = (enum origin_failure)i;
        bool is_timeout = strstr(origin_failures[failure].error, "timeout") != NULL;

        assert_int_equal(origin_failures[failure].status == 504, is_timeout);
    }
}

/* RFC 9110 section 15.6.4: overload is 503. */
static void limits_are_503(void **state)
{
    (void)state;
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LINE_FULL].status, 503);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LINE_TIMEOUT].status, 503);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LOCAL_RESOURCE].status, 503);
}

/* The gateway's own limits, and clients that ask for nothing any more, are no reason to eject an origin. */
static void limits_and_tunnels_are_blameless(void **state)
{
    (void)state;
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LINE_FULL].blame, ORIGIN_BLAMELESS);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LINE_TIMEOUT].blame, ORIGIN_BLAMELESS);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_LOCAL_RESOURCE].blame, ORIGIN_BLAMELESS);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_TUNNEL_IDLE].blame, ORIGIN_BLAMELESS);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_CLOSED].blame, ORIGIN_BLAMED_SOMETIMES);
    assert_int_equal(origin_failures[ORIGIN_FAILURE_H2_FLOOD].blame, ORIGIN_BLAMED);
}

/* What waited for long waits as long again: only a quick failure is asked about elsewhere. */
static void slow_failures_are_not_repeated(void **state)
{
    (void)state;
    assert_false(origin_failures[ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT].is_worth_another);
    assert_false(origin_failures[ORIGIN_FAILURE_SEND_TIMEOUT].is_worth_another);
    assert_false(origin_failures[ORIGIN_FAILURE_LINE_TIMEOUT].is_worth_another);
    assert_true(origin_failures[ORIGIN_FAILURE_REFUSED].is_worth_another);
    assert_true(origin_failures[ORIGIN_FAILURE_STREAM_REFUSED].is_worth_another);
    assert_true(origin_failures[ORIGIN_FAILURE_HALF_OPEN_TIMEOUT].is_worth_another);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_can_be_reported),
        cmocka_unit_test(timeouts_are_504_unless_they_are_ours),
        cmocka_unit_test(limits_are_503),
        cmocka_unit_test(limits_and_tunnels_are_blameless),
        cmocka_unit_test(slow_failures_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
