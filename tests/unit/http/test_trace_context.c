/* SPDX-License-Identifier: BSD-2-Clause */
/* http/trace_context: what is a traceparent, what is none, and what is made of it. */
#include "http/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void well_formed_values_are_read(void **state)
{
    struct trace_context context;

    (void)state;
    assert_true(trace_context_parse(BYTES("00-" TRACE "-" SPAN "-01"), &context));
    assert_memory_equal(context.trace_id, TRACE, TRACE_ID_LENGTH);
    assert_memory_equal(context.span_id, SPAN, SPAN_ID_LENGTH);
    assert_true(context.sampled);
    assert_true(trace_context_parse(BYTES("00-" TRACE "-" SPAN "-00"), &context));
    assert_false(context.sampled);
    assert_true(trace_context_parse(BYTES("00-" TRACE "-" SPAN "-0a"), &context));
    assert_false(context.sampled);
    assert_true(trace_context_parse(BYTES("00-" TRACE "-" SPAN "-ff"), &context));
    assert_true(context.sampled);
    /* Of a later version: what is known. */
    assert_true(trace_context_parse(BYTES("cc-" TRACE "-" SPAN "-01"), &context));
    assert_true(trace_context_parse(BYTES("cc-" TRACE "-" SPAN "-01-what-comes"), &context));
}

static void others_are_none(void **state)
{
    static const struct bytes values[] = {
        BYTES(""),
        BYTES("00"),
        BYTES("00-" TRACE "-" SPAN),
        BYTES("00-" TRACE "-" SPAN "-0"),
        BYTES("00-" TRACE "-" SPAN "-01-"),
        BYTES("00-" TRACE "-" SPAN "-01-more"),
        BYTES("cc-" TRACE "-" SPAN "-01.more"),
        BYTES("ff-" TRACE "-" SPAN "-01"),
        BYTES("0g-" TRACE "-" SPAN "-01"),
        BYTES("00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01"),
        BYTES("00-00000000000000000000000000000000-" SPAN "-01"),
        BYTES("00-" TRACE "-0000000000000000-01"),
        BYTES("00-" TRACE "-00f067aa0ba902b.-01"),
        BYTES("00_" TRACE "-" SPAN "-01"),
        BYTES("00-" TRACE "_" SPAN "-01"),
        BYTES("00-" TRACE "-" SPAN "_01"),
        BYTES("00-" TRACE "-" SPAN "-0x"),
        BYTES(" 00-" TRACE "-" SPAN "-01"),
    };
    struct trace_context context;

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_false(trace_context_parse(values[i], &context));
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct trace_context context = {.sampled = true};
    struct trace_context again;
    char out[TRACEPARENT_LENGTH];

    (void)state;
    trace_context_put_id(context.trace_id, 0x0123456789abcdef);
    trace_context_put_id(context.trace_id + SPAN_ID_LENGTH, 0);
    trace_context_put_id(context.span_id, UINT64_MAX);
    trace_context_format(&context, out);
    assert_memory_equal(out, "00-0123456789abcdef0000000000000001-ffffffffffffffff-01",
                        TRACEPARENT_LENGTH);
    assert_true(trace_context_parse((struct bytes){out, sizeof(out)}, &again));
    assert_memory_equal(again.trace_id, context.trace_id, TRACE_ID_LENGTH);
    assert_true(again.sampled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_values_are_read),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
