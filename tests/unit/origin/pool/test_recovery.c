/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/recovery, by the time of a model: an origin that fails, and comes back. */
#include "origin/pool/recovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define ROUND_TRIP 40000

static void fail_times(struct recovery *recovery, unsigned count, uint64_t from_us,
                       uint64_t until_us)
{
    for (unsigned i = 0; i < count; i++) {
        recovery_note_failure(recovery, from_us + (until_us - from_us) * i / (count - 1));
    }
}

/* As many answers as there may be requests. */
static uint32_t one_round_trip(struct recovery *recovery, uint32_t limit, uint64_t *now_us)
{
    uint32_t slots = recovery_slots(recovery, limit, *now_us);

    uint64_t sent_us = *now_us;

    *now_us += ROUND_TRIP;
    for (uint32_t i = 0; i < slots; i++) {
        recovery_note_success(recovery, limit, 0, sent_us, *now_us);
    }
    return recovery_slots(recovery, limit, *now_us);
}

static void grows_from_a_tenth_by_half_each_round_trip(void **state)
{
    struct recovery recovery = {0};
    uint64_t now_us = 3 * SECOND;
    uint32_t slots;
    unsigned round_trips = 0;

    (void)state;
    fail_times(&recovery, 9, SECOND, now_us);
    assert_int_equal(recovery_slots(&recovery, 200, now_us), 200); /* nothing else would help */
    recovery_note_success(&recovery, 200, 0, now_us, now_us);
    assert_int_equal(slots = recovery_slots(&recovery, 200, now_us), 20);
    while (recovery_is_on(&recovery) && round_trips < 20) {
        uint32_t next = one_round_trip(&recovery, 200, &now_us);

        assert_in_range(next, slots + slots / 4, slots + slots / 2 + 2);
        slots = next;
        round_trips++;
    }
    assert_in_range(round_trips, 5, 7);
    assert_int_equal(slots, 200);
    assert_int_equal(one_round_trip(&recovery, 200, &now_us), 200);
}

static void few_failures_and_short_ones_are_no_outage(void **state)
{
    struct recovery recovery = {0};

    (void)state;
    fail_times(&recovery, 4, SECOND, 9 * SECOND);
    recovery_note_success(&recovery, 20, 0, 9 * SECOND, 9 * SECOND);
    assert_false(recovery_is_on(&recovery));
    fail_times(&recovery, 50, 10 * SECOND, 10 * SECOND + 900000);
    recovery_note_success(&recovery, 20, 0, 10 * SECOND + 900000, 10 * SECOND + 900000);
    assert_false(recovery_is_on(&recovery));
    for (unsigned i = 0; i < 50; i++) {
        fail_times(&recovery, 4, (20 + i) * SECOND, (21 + i) * SECOND);
        recovery_note_success(&recovery, 20, 0, (21 + i) * SECOND, (21 + i) * SECOND);
        assert_false(recovery_is_on(&recovery));
    }
}

static void a_failure_holds_it_and_another_outage_begins_it_anew(void **state)
{
    struct recovery recovery = {0};
    uint64_t now_us = 3 * SECOND;
    uint32_t before;

    (void)state;
    fail_times(&recovery, 9, SECOND, now_us);
    recovery_note_success(&recovery, 100, 0, now_us, now_us);
    before = one_round_trip(&recovery, 100, &now_us);
    fail_times(&recovery, 3, now_us, now_us + 1);
    assert_int_equal(recovery_slots(&recovery, 100, now_us), before);
    fail_times(&recovery, 5, now_us, now_us + SECOND);
    now_us += SECOND;
    recovery_note_success(&recovery, 100, 0, now_us, now_us);
    assert_int_equal(recovery_slots(&recovery, 100, now_us), 10);
}

/* All that went out before the first success is answered about when that is. */
static void what_was_sent_before_adds_nothing(void **state)
{
    struct recovery recovery = {0};
    uint64_t now_us = 3 * SECOND;

    (void)state;
    fail_times(&recovery, 9, SECOND, now_us);
    for (unsigned i = 0; i < 100; i++) {
        recovery_note_success(&recovery, 100, 0, now_us - ROUND_TRIP, now_us);
    }
    assert_int_equal(recovery_slots(&recovery, 100, now_us), 10);
}

/* The one slot may be taken by what never ends. */
static void is_whole_in_ten_seconds_whatever_answers(void **state)
{
    struct recovery recovery = {0};

    (void)state;
    fail_times(&recovery, 9, SECOND, 3 * SECOND);
    recovery_note_success(&recovery, 5, 0, 3 * SECOND, 3 * SECOND);
    assert_int_equal(recovery_slots(&recovery, 5, 3 * SECOND), 1);
    assert_int_equal(recovery_slots(&recovery, 5, 6 * SECOND), 2);
    assert_int_equal(recovery_slots(&recovery, 5, 13 * SECOND), 5);
    assert_int_equal(recovery_slots(&recovery, 5, 2 * SECOND), 1); /* another worker's clock */
}

static void services_with_other_limits_and_without(void **state)
{
    struct recovery recovery = {0};
    uint64_t now_us = 3 * SECOND;

    (void)state;
    fail_times(&recovery, 9, SECOND, now_us);
    recovery_note_success(&recovery, 0, 0, now_us, now_us);
    assert_false(recovery_is_on(&recovery));
    fail_times(&recovery, 9, SECOND, now_us);
    recovery_note_success(&recovery, 20, 0, now_us, now_us);
    recovery_note_success(&recovery, 100, 0, now_us, now_us);
    for (unsigned i = 0; i < 50; i++) {
        recovery_note_success(&recovery, 20, 0, now_us, now_us);
    }
    assert_int_equal(recovery_slots(&recovery, 20, now_us), 20);
    assert_true(recovery_slots(&recovery, 100, now_us) < 100);
    assert_int_equal(recovery_slots(&recovery, 0, now_us), 0);
    assert_int_equal(recovery_slots(&recovery, 1, now_us), 1);
}

/* Long streams that an outage of other requests did not end take none of the tenth. */
static void what_goes_on_since_before_has_its_slot_beside(void **state)
{
    struct recovery recovery = {0};
    uint64_t now_us = 3 * SECOND;

    (void)state;
    fail_times(&recovery, 9, SECOND, now_us);
    recovery_note_success(&recovery, 200, 151, now_us, now_us);
    assert_int_equal(recovery_slots(&recovery, 200, now_us), 171);
    recovery_note_slot_given(&recovery, now_us); /* taken since: was not one of them */
    assert_int_equal(recovery_slots(&recovery, 200, now_us), 171);
    for (unsigned i = 0; i < 200; i++) {
        recovery_note_slot_given(&recovery, SECOND);
    }
    assert_int_equal(recovery_slots(&recovery, 200, now_us), 20);
}

/* Nothing is sent any more before the limit is whole. */
static void what_is_shown_ends_by_time(void **state)
{
    struct recovery recovery = {0};

    (void)state;
    assert_int_equal(recovery_slots_shown(&recovery, SECOND), 0);
    fail_times(&recovery, 9, SECOND, 3 * SECOND);
    recovery_note_success(&recovery, 20, 0, 3 * SECOND, 3 * SECOND);
    assert_int_equal(recovery_slots_shown(&recovery, 3 * SECOND), 2);
    assert_int_equal(recovery_slots_shown(&recovery, 60 * SECOND), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_from_a_tenth_by_half_each_round_trip),
        cmocka_unit_test(few_failures_and_short_ones_are_no_outage),
        cmocka_unit_test(a_failure_holds_it_and_another_outage_begins_it_anew),
        cmocka_unit_test(what_was_sent_before_adds_nothing),
        cmocka_unit_test(is_whole_in_ten_seconds_whatever_answers),
        cmocka_unit_test(services_with_other_limits_and_without),
        cmocka_unit_test(what_goes_on_since_before_has_its_slot_beside),
        cmocka_unit_test(what_is_shown_ends_by_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
