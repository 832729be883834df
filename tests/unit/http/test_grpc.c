/* SPDX-License-Identifier: BSD-2-Clause */
/* http/grpc: what the gRPC documents say of types, statuses, messages and timeouts. */
#include "http/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void which_content_types_are_grpc(void **state)
{
    static const char *const are[] = {"application/grpc", "application/grpc+proto",
                                      "application/grpc+json", "Application/GRPC",
                                      "application/grpc; charset=utf-8"};
    static const char *const are_not[] = {"",
                                          "application/grp",
                                          "application/grpc-web",
                                          "application/grpc-web+proto",
                                          "application/grpcx",
                                          "application/json",
                                          "text/application/grpc"};

    (void)state;
    for (size_t i = 0; i < sizeof(are) / sizeof(are[0]); i++) {
        assert_true(grpc_is_content_type(bytes_of(are[i])));
    }
    for (size_t i = 0; i < sizeof(are_not) / sizeof(are_not[0]); i++) {
        assert_false(grpc_is_content_type(bytes_of(are_not[i])));
    }
}

static void statuses_have_their_numbers_and_names(void **state)
{
    enum grpc_status status;

    (void)state;
    assert_int_equal(GRPC_DEADLINE_EXCEEDED, 4);
    assert_int_equal(GRPC_UNAVAILABLE, 14);
    assert_int_equal(GRPC_UNAUTHENTICATED, 16);
    assert_int_equal(grpc_status_read(BYTES("0")), GRPC_OK);
    assert_int_equal(grpc_status_read(BYTES("16")), GRPC_UNAUTHENTICATED);
    assert_int_equal(grpc_status_read(BYTES("17")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_read(BYTES("")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_read(BYTES("-1")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_read(BYTES("4294967310")), GRPC_UNKNOWN);
    assert_string_equal(grpc_status_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(grpc_status_name(GRPC_NO_STATUS), "none");
    assert_true(grpc_status_named(BYTES("INTERNAL"), &status));
    assert_int_equal(status, GRPC_INTERNAL);
    assert_false(grpc_status_named(BYTES("none"), &status));
    assert_false(grpc_status_named(BYTES("internal"), &status));
}

static void expect_message(struct bytes message, const char *expected)
{
    char room[64];
    struct text text = text_over(room, sizeof(room));

    grpc_add_message(&text, message);
    assert_false(text.overflowed);
    assert_true(bytes_equal(text_since(&text, room), bytes_of(expected)));
}

static void messages_are_percent_encoded(void **state)
{
    (void)state;
    expect_message(BYTES("no route; \"x\""), "no route; \"x\"");
    expect_message(BYTES("100%\t\r\n"), "100%25%09%0D%0A");
    expect_message(BYTES("\x7f\xe2\x98\xba"), "%7F%E2%98%BA");
    expect_message(BYTES(""), "");
}

static void expect_ms(const char *value, uint32_t expected)
{
    uint32_t milliseconds = 12345;

    assert_true(grpc_timeout_read(bytes_of(value), &milliseconds));
    assert_int_equal(milliseconds, expected);
}

static void timeouts_have_one_to_eight_digits_and_a_unit(void **state)
{
    static const char *const malformed[] = {"",     "1",   "S",   "123456789S", "1s", "-1S",
                                            "1.5S", "1 S", "1SS", "+1S",        "1h"};
    uint32_t milliseconds;

    (void)state;
    expect_ms("1H", 3600000);
    expect_ms("2M", 120000);
    expect_ms("3S", 3000);
    expect_ms("4m", 4);
    expect_ms("5000u", 5);
    expect_ms("5001u", 6);
    expect_ms("1n", 1);
    expect_ms("99999999n", 100);
    expect_ms("0S", 0);
    expect_ms("99999999m", 99999999);
    expect_ms("99999999H", GRPC_TIMEOUT_MOST_MS);
    expect_ms("00000001S", 1000);
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_false(grpc_timeout_read(bytes_of(malformed[i]), &milliseconds));
    }
}

static void timeouts_are_written_in_eight_digits(void **state)
{
    char room[16];
    struct text text = text_over(room, sizeof(room));

    (void)state;
    grpc_timeout_add(&text, 1500);
    assert_true(bytes_equal(text_since(&text, room), BYTES("1500m")));
    text = text_over(room, sizeof(room));
    grpc_timeout_add(&text, UINT32_MAX);
    assert_true(bytes_equal(text_since(&text, room), BYTES("99999999m")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_content_types_are_grpc),
        cmocka_unit_test(statuses_have_their_numbers_and_names),
        cmocka_unit_test(messages_are_percent_encoded),
        cmocka_unit_test(timeouts_have_one_to_eight_digits_and_a_unit),
        cmocka_unit_test(timeouts_are_written_in_eight_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
