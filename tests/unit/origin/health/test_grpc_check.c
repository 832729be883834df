/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/health/grpc_check: answers of grpc.health.v1 byte by byte, good ones and others. */
#include "origin/health/grpc_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SETTINGS BYTES("\0\0\0\4\0\0\0\0\0")
/* :status 200, then trailers with grpc-status, no field compressed. */
#define HEAD BYTES("\0\0\1\1\4\0\0\0\1\x88")
#define STATUS(digit) BYTES("\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1" digit)
#define DATA(length, content) BYTES("\0\0" length "\0\0\0\0\0\1" content)

struct dialogue {
    struct grpc_check *check;
    char why[GRPC_CHECK_WHY_MAX];
    enum grpc_check_result result;
};

static struct dialogue begin(struct bytes service)
{
    struct dialogue dialogue = {.check = grpc_check_new(BYTES("a.example"), service, false)};

    assert_non_null(dialogue.check);
    return dialogue;
}

/* One byte at a time, until there is a verdict. */
static void hear(struct dialogue *dialogue, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.length && dialogue->result == GRPC_CHECK_WAITS; i++) {
        dialogue->result =
            grpc_check_receive(dialogue->check, (struct bytes){bytes.at + i, 1}, dialogue->why);
    }
}

static void end(struct dialogue *dialogue, enum grpc_check_result result, const char *why)
{
    assert_int_equal(dialogue->result, result);
    if (result == GRPC_CHECK_BAD) {
        assert_string_equal(dialogue->why, why);
    }
    grpc_check_free(&dialogue->check);
    assert_null(dialogue->check);
}

static void expect(struct bytes data, struct bytes trailers, enum grpc_check_result result,
                   const char *why)
{
    struct dialogue dialogue = begin(BYTES(""));

    hear(&dialogue, SETTINGS);
    hear(&dialogue, HEAD);
    hear(&dialogue, data);
    hear(&dialogue, trailers);
    end(&dialogue, result, why);
}

static void serving_and_nothing_else_is_good(void **state)
{
    (void)state;
    expect(DATA("\7", "\0\0\0\0\2\x08\1"), STATUS("0"), GRPC_CHECK_GOOD, "");
    /* A field that is not known stands before it. */
    expect(DATA("\x0a", "\0\0\0\0\5\x12\1x\x08\1"), STATUS("0"), GRPC_CHECK_GOOD, "");
    expect(DATA("\7", "\0\0\0\0\2\x08\2"), STATUS("0"), GRPC_CHECK_BAD,
           "it says that it is NOT_SERVING");
    expect(DATA("\7", "\0\0\0\0\2\x08\3"), STATUS("0"), GRPC_CHECK_BAD,
           "it says that it is SERVICE_UNKNOWN");
    expect(DATA("\7", "\0\0\0\0\2\x08\x09"), STATUS("0"), GRPC_CHECK_BAD,
           "it says that it is in another state");
    expect(DATA("\5", "\0\0\0\0\0"), STATUS("0"), GRPC_CHECK_BAD, "it says that it is UNKNOWN");
    expect(DATA("\7", "\0\0\0\0\2\x08\1"), STATUS("5"), GRPC_CHECK_BAD,
           "it answered grpc-status 5 (NOT_FOUND)");
}

static void what_is_no_answer(void **state)
{
    (void)state;
    expect(BYTES(""), STATUS("0"), GRPC_CHECK_BAD, "its answer is no HealthCheckResponse");
    expect(DATA("\7", "\1\0\0\0\2\x08\1"), STATUS("0"), GRPC_CHECK_BAD,
           "its answer is no HealthCheckResponse");
    expect(DATA("\7", "\0\0\0\0\3\x08\1"), STATUS("0"), GRPC_CHECK_BAD,
           "its answer is no HealthCheckResponse");
    expect(DATA("\7", "\0\0\0\0\2\x08\x80"), STATUS("0"), GRPC_CHECK_BAD,
           "its answer is no HealthCheckResponse");
    expect(DATA("\7", "\0\0\0\0\2\x12\x09"), STATUS("0"), GRPC_CHECK_BAD,
           "its answer is no HealthCheckResponse");
}

static void a_reset_and_another_protocol(void **state)
{
    struct dialogue dialogue = begin(BYTES(""));

    (void)state;
    hear(&dialogue, SETTINGS);
    hear(&dialogue, BYTES("\0\0\4\3\0\0\0\0\1\0\0\0\2"));
    end(&dialogue, GRPC_CHECK_BAD, "it reset the question");
    dialogue = begin(BYTES(""));
    hear(&dialogue, BYTES("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    end(&dialogue, GRPC_CHECK_BAD, "it does not speak HTTP/2");
}

/* The message stands at the end of what is written. */
static void expect_asked(const char *service, struct bytes expected)
{
    struct dialogue dialogue = begin(bytes_of(service));
    struct bytes output = grpc_check_output(dialogue.check);

    assert_true(bytes_start_with(output, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    grpc_check_wrote(dialogue.check, output.length);
    assert_int_equal(grpc_check_output(dialogue.check).length, 0);
    hear(&dialogue, SETTINGS);
    output = grpc_check_output(dialogue.check);
    assert_true(output.length > expected.length);
    assert_memory_equal(output.at + output.length - expected.length, expected.at, expected.length);
    end(&dialogue, GRPC_CHECK_WAITS, "");
}

static void the_question(void **state)
{
    char text[4 + 200];
    char expected[5 + 3 + 200] = {0, 0, 0, 0, (char)203, 0x0A, (char)0xC8, 1};

    (void)state;
    expect_asked("", BYTES("\0\0\0\0\0"));
    expect_asked("shop.v1.Orders", BYTES("\0\0\0\0\x10\x0a\x0eshop.v1.Orders"));
    memset(text, 'x', 200);
    text[200] = '\0';
    memset(expected + 8, 'x', 200);
    expect_asked(text, (struct bytes){expected, sizeof(expected)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serving_and_nothing_else_is_good),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(a_reset_and_another_protocol),
        cmocka_unit_test(the_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
