/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/keeping: which ages of idle connections are trusted after what an origin has done. */
#include "origin/pool/keeping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define START (1000 * SECOND)

static struct keeping one_that_has_idled(void)
{
    struct keeping keeping = {0};

    keeping_note_idle(&keeping, START);
    return keeping;
}

static void nothing_is_trusted_before_one_has_idled_for_a_while(void **state)
{
    struct keeping keeping = one_that_has_idled();

    (void)state;
    assert_int_equal(keeping_trusted_us(&keeping, START), 0);
    assert_int_equal(keeping_trusted_us(&keeping, START + 99 * MS), 0);
    assert_int_equal(keeping_trusted_us(&keeping, START + 100 * MS), SECOND);
    keeping_note_idle(&keeping, START + SECOND); /* that was the first one's to prove */
    assert_int_equal(keeping_trusted_us(&keeping, START + SECOND), SECOND);
}

static void at_first_half_of_what_was_proved_is_trusted(void **state)
{
    struct keeping keeping = {0};

    (void)state;
    assert_false(keeping_is_new(&keeping, START)); /* none was idle: there is nothing to trust */
    keeping_note_idle(&keeping, START);
    assert_true(keeping_is_new(&keeping, START + 99 * MS));
    assert_false(keeping_is_new(&keeping, START + 100 * MS));
    assert_int_equal(keeping_trusted_at_first_us(4 * MS), 0);
    assert_int_equal(keeping_trusted_at_first_us(40 * MS), 20 * MS);
    keeping_note_closed(&keeping, START + 20 * MS, 15 * MS);
    assert_false(keeping_is_new(&keeping, START + 20 * MS)); /* something is known: doubt */
}

static void half_of_the_shortest_age_is_safe(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    keeping_note_closed(&keeping, now, 700 * MS);
    keeping_note_closed(&keeping, now, 400 * MS);
    keeping_note_closed(&keeping, now, 900 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now), 200 * MS);
    keeping_note_closed(&keeping, now, 300 * SECOND);
    assert_int_equal(keeping_trusted_us(&keeping, now), 200 * MS);
}

static void an_origin_that_keeps_them_long_is_trusted_for_a_second(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    keeping_note_closed(&keeping, now, 5 * SECOND);
    assert_int_equal(keeping_trusted_us(&keeping, now), SECOND);
}

static void what_was_seen_long_ago_counts_no_more(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    keeping_note_closed(&keeping, now, 400 * MS);
    keeping_note_closed(&keeping, now + 4 * SECOND, 800 * MS); /* another window */
    assert_int_equal(keeping_trusted_us(&keeping, now + 5 * SECOND), 200 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now + 8 * SECOND), 400 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now + 20 * SECOND), SECOND);
}

static void short_ages_bring_doubt(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    keeping_note_closed(&keeping, now, 3 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now), 0);
    assert_int_equal(keeping_trusted_us(&keeping, now + 2999 * MS), 0);
    assert_in_range(keeping_trusted_us(&keeping, now + 3000 * MS), 1, 3 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now + 7 * SECOND), SECOND);
}

static void a_doubt_is_renewed_while_it_lasts(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        keeping_note_closed(&keeping, now, 20 * MS);
        now += 10 * MS;
    }
    assert_int_equal(keeping_trusted_us(&keeping, now + 2900 * MS), 0);
    assert_true(keeping_trusted_us(&keeping, now + 3000 * MS) > 0); /* it grew no longer by that */
}

static void a_doubt_that_was_given_up_too_early_lasts_twice_as_long(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    keeping_note_closed(&keeping, now, 20 * MS);
    now += 5 * SECOND;
    keeping_note_closed(&keeping, now, 20 * MS);
    assert_int_equal(keeping_trusted_us(&keeping, now + 5999 * MS), 0);
    assert_true(keeping_trusted_us(&keeping, now + 6000 * MS) > 0);
    for (int i = 0; i < 20; i++) { /* but not for ever */
        now = keeping.doubted_until_us;
        keeping_note_closed(&keeping, now, 20 * MS);
    }
    assert_in_range(keeping.doubted_until_us - now, 600 * SECOND, 1200 * SECOND);
    now = keeping.doubted_until_us + 3601 * SECOND;
    keeping_note_closed(&keeping, now, 20 * MS);
    assert_int_equal(keeping.doubted_until_us - now, 3 * SECOND);
}

static void connections_are_closed_before_the_origin_does(void **state)
{
    struct keeping keeping = one_that_has_idled();
    uint64_t now = START + 10 * SECOND;

    (void)state;
    assert_int_equal(keeping_idle_ms(&keeping, now, 30000, 0), 30000);
    assert_int_equal(keeping_idle_ms(&keeping, now, 30000, 5000), 4500);
    assert_int_equal(keeping_idle_ms(&keeping, now, 30000, 1000), 500);
    assert_int_equal(keeping_idle_ms(&keeping, now, 2000, 5000), 2000);
    keeping_note_closed(&keeping, now, 4 * SECOND);
    assert_int_equal(keeping_idle_ms(&keeping, now, 30000, 0), 3000);
    keeping_note_closed(&keeping, now, 900 * MS); /* so short a time is left to the origin */
    assert_int_equal(keeping_idle_ms(&keeping, now, 30000, 0), 30000);
}

static void the_field_is_read(void **state)
{
    static const struct {
        const char *value;
        uint32_t kept_ms;
        uint32_t more;
    } rows[] = {
        {"timeout=5", 5000, 77},
        {"timeout=5, max=100", 5000, 100},
        {"max=0,timeout=60", 60000, 0},
        {"timeout=0", 1, 77},
        {"timeout=", 9, 77},
        {"timeout=-1", 9, 77},
        {"timeout=99999999", 9, 77},
        {"timeout=5s", 9, 77},
        {"max", 9, 77},
        {"", 9, 77},
        {" , ,", 9, 77},
        {"x=1, timeout=2", 2000, 77},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t kept_ms = 9;
        uint32_t more = 77;

        keeping_read_field(bytes_of(rows[i].value), &kept_ms, &more);
        assert_int_equal(kept_ms, rows[i].kept_ms);
        assert_int_equal(more, rows[i].more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_trusted_before_one_has_idled_for_a_while),
        cmocka_unit_test(at_first_half_of_what_was_proved_is_trusted),
        cmocka_unit_test(half_of_the_shortest_age_is_safe),
        cmocka_unit_test(an_origin_that_keeps_them_long_is_trusted_for_a_second),
        cmocka_unit_test(what_was_seen_long_ago_counts_no_more),
        cmocka_unit_test(short_ages_bring_doubt),
        cmocka_unit_test(a_doubt_is_renewed_while_it_lasts),
        cmocka_unit_test(a_doubt_that_was_given_up_too_early_lasts_twice_as_long),
        cmocka_unit_test(connections_are_closed_before_the_origin_does),
        cmocka_unit_test(the_field_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
