/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_closed: how the streams that are gone have ended. */
#include "http/h2/h2_closed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_stream_that_is_to_come_is_unknown(void **state)
{
    struct h2_closed_streams streams = {0};

    (void)state;
    assert_int_equal(h2_closed_how(&streams, 1), H2_CLOSED_UNKNOWN);
    h2_closed_note_begun(&streams, 1);
    assert_int_equal(h2_closed_how(&streams, 1), H2_CLOSED_BEGAN);
    assert_int_equal(h2_closed_how(&streams, 3), H2_CLOSED_UNKNOWN);
}

/* RFC 9113 section 5.1.1: the first use of a higher id closes all lower ones. */
static void streams_that_were_passed_over_are_closed(void **state)
{
    struct h2_closed_streams streams = {0};

    (void)state;
    h2_closed_note_begun(&streams, 7);
    for (int32_t id = 1; id < 7; id += 2) {
        assert_int_equal(h2_closed_how(&streams, id), H2_CLOSED_SKIPPED);
    }
    h2_closed_note_begun(&streams, 9);
    assert_int_equal(h2_closed_how(&streams, 7), H2_CLOSED_BEGAN);
}

static void a_reset_from_here_is_remembered(void **state)
{
    struct h2_closed_streams streams = {0};

    (void)state;
    h2_closed_note_begun(&streams, 1);
    h2_closed_note_begun(&streams, 3);
    h2_closed_note_reset(&streams, 1);
    assert_int_equal(h2_closed_how(&streams, 1), H2_CLOSED_RESET_HERE);
    assert_int_equal(h2_closed_how(&streams, 3), H2_CLOSED_BEGAN);
}

/* Their places are those of streams that began long before, and ended in other ways. */
static void only_the_last_streams_are_known(void **state)
{
    struct h2_closed_streams streams = {0};
    int32_t last = 2 * H2_CLOSED_KNOWN + 1;

    (void)state;
    h2_closed_note_begun(&streams, 1);
    h2_closed_note_reset(&streams, 1);
    h2_closed_note_begun(&streams, last - 2);
    assert_int_equal(h2_closed_how(&streams, 1), H2_CLOSED_RESET_HERE);
    h2_closed_note_begun(&streams, last);
    assert_int_equal(h2_closed_how(&streams, 1), H2_CLOSED_UNKNOWN);
    assert_int_equal(h2_closed_how(&streams, last), H2_CLOSED_BEGAN);
    h2_closed_note_begun(&streams, INT32_MAX);
    assert_int_equal(h2_closed_how(&streams, last), H2_CLOSED_UNKNOWN);
    assert_int_equal(h2_closed_how(&streams, INT32_MAX - 2), H2_CLOSED_SKIPPED);
    h2_closed_note_reset(&streams, last); /* too late: its place is another stream's */
    assert_int_equal(h2_closed_how(&streams, INT32_MAX), H2_CLOSED_BEGAN);
}

/* Origins push under even ids, which nothing is kept for. */
static void even_streams_are_unknown(void **state)
{
    struct h2_closed_streams streams = {0};

    (void)state;
    h2_closed_note_begun(&streams, 5);
    assert_int_equal(h2_closed_how(&streams, 2), H2_CLOSED_UNKNOWN);
    h2_closed_note_reset(&streams, 4);
    assert_int_equal(h2_closed_how(&streams, 5), H2_CLOSED_BEGAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_is_to_come_is_unknown),
        cmocka_unit_test(streams_that_were_passed_over_are_closed),
        cmocka_unit_test(a_reset_from_here_is_remembered),
        cmocka_unit_test(only_the_last_streams_are_known),
        cmocka_unit_test(even_streams_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
