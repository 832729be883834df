/* SPDX-License-Identifier: BSD-2-Clause */
/* client/pace: who is too slow, when, and who is not. Clients are played second by second, and
 * looked at only when pace_next_look says so, as the real clock does. */
#include "client/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SECOND 1000000ull
#define BEGIN (5 * SECOND)

static const struct pace_rule defaults = {.rate = 1024, .grace_ms = 9000, .idle_ms = 30000};

/* Bytes of a client at each second; the second at which it is cut, or 0. */
typedef uint64_t moves(unsigned second);

static unsigned cut_at(const struct pace_rule *rule, moves *move, unsigned seconds,
                       enum pace_verdict *verdict)
{
    struct pace pace;
    uint64_t bytes = 0;
    uint64_t look_us;

    pace_begin(&pace, rule, BEGIN, 0);
    look_us = BEGIN + pace_next_look(&pace, rule, BEGIN) * 1000ull;
    for (unsigned second = 0; second < seconds; second++) {
        uint64_t moved = move(second);

        bytes += moved;
        if (moved > 0) {
            pace_moved(&pace, BEGIN + second * SECOND);
        }
        while (look_us < BEGIN + (second + 1) * SECOND) {
            *verdict = pace_look(&pace, rule, look_us, bytes);
            if (*verdict != PACE_FINE) {
                return second;
            }
            look_us += pace_next_look(&pace, rule, look_us) * 1000ull;
        }
    }
    return 0;
}

static uint64_t drips(unsigned second)
{
    (void)second;
    return 1;
}

static uint64_t at_half_the_rate(unsigned second)
{
    (void)second;
    return 512;
}

static uint64_t at_two_thirds(unsigned second)
{
    (void)second;
    return 680;
}

static uint64_t just_above(unsigned second)
{
    (void)second;
    return 1100;
}

static uint64_t above_in_lumps(unsigned second)
{
    return second % 5 == 0 ? 6000 : 0;
}

static uint64_t at_20_kb(unsigned second)
{
    (void)second;
    return 20000;
}

static uint64_t burst_then_drips(unsigned second)
{
    return second == 0 ? 100000000 : 1;
}

/* A record of TLS, which has to be whole before its client sees a byte, through a small window. */
static uint64_t a_record_bit_by_bit(unsigned second)
{
    return second <= 20 && second % 4 == 0 ? 4096 : 0;
}

/* Three seconds of way: a window of ten segments, doubling, each a round trip apart. */
static uint64_t far_away(unsigned second)
{
    return second % 6 == 0 ? 14600ull << (second / 6 < 5 ? second / 6 : 5) : 0;
}

static uint64_t stalls_for_15_seconds(unsigned second)
{
    return second % 60 < 45 ? 20000 : 0;
}

static uint64_t nothing(unsigned second)
{
    (void)second;
    return 0;
}

static void whoever_drips_is_cut_after_the_grace(void **state)
{
    enum pace_verdict verdict;

    (void)state;
    assert_in_range(cut_at(&defaults, drips, 100, &verdict), 9, 10);
    assert_int_equal(verdict, PACE_TOO_SLOW);
    assert_in_range(cut_at(&defaults, at_half_the_rate, 100, &verdict), 17, 19);
    assert_in_range(cut_at(&defaults, at_two_thirds, 100, &verdict), 25, 28);
    assert_in_range(cut_at(&defaults, burst_then_drips, 100, &verdict), 17, 28);
    assert_in_range(cut_at(&defaults, a_record_bit_by_bit, 100, &verdict), 26, 28);
}

static void whoever_keeps_to_the_rate_is_not(void **state)
{
    enum pace_verdict verdict;

    (void)state;
    assert_int_equal(cut_at(&defaults, just_above, 600, &verdict), 0);
    assert_int_equal(cut_at(&defaults, above_in_lumps, 600, &verdict), 0);
    assert_int_equal(cut_at(&defaults, at_20_kb, 600, &verdict), 0);
    assert_int_equal(cut_at(&defaults, far_away, 600, &verdict), 0);
    assert_int_equal(cut_at(&defaults, stalls_for_15_seconds, 600, &verdict), 0);
}

static void silence_has_a_limit_of_its_own(void **state)
{
    const struct pace_rule impatient = {.rate = 1024, .grace_ms = 10000, .idle_ms = 3000};
    const struct pace_rule any_rate = {.rate = 0, .grace_ms = 10000, .idle_ms = 30000};
    enum pace_verdict verdict;

    (void)state;
    assert_in_range(cut_at(&impatient, nothing, 100, &verdict), 3, 4);
    assert_int_equal(verdict, PACE_STOPPED);
    assert_in_range(cut_at(&any_rate, nothing, 100, &verdict), 30, 31);
    assert_int_equal(verdict, PACE_STOPPED);
    assert_int_equal(cut_at(&any_rate, drips, 600, &verdict), 0);
}

/* An upload that its origin does not take, an answer that its origin does not give. */
static void time_that_we_spend_is_not_the_clients(void **state)
{
    struct pace pace;

    (void)state;
    pace_begin(&pace, &defaults, BEGIN, 0);
    pace_hold(&pace, BEGIN + 8 * SECOND);
    pace_hold(&pace, BEGIN + 50 * SECOND);
    assert_false(pace_runs(&pace));
    pace_go_on(&pace, BEGIN + 1000 * SECOND);
    pace_go_on(&pace, BEGIN + 1000 * SECOND);
    assert_true(pace_runs(&pace));
    assert_int_equal(pace_next_look(&pace, &defaults, BEGIN + 1000 * SECOND), 1000);
    assert_int_equal(pace_look(&pace, &defaults, BEGIN + 1000 * SECOND + SECOND / 2, 0), PACE_FINE);
    assert_int_equal(pace_look(&pace, &defaults, BEGIN + 1001 * SECOND, 0), PACE_TOO_SLOW);
}

/* What a check finds acknowledged may be less than what was so before: never a byte too few. */
static void progress_does_not_go_back(void **state)
{
    struct pace pace;

    (void)state;
    pace_begin(&pace, &defaults, BEGIN, 5000);
    assert_int_equal(pace_look(&pace, &defaults, BEGIN + SECOND, 4000), PACE_FINE);
    assert_int_equal(pace_next_look(&pace, &defaults, BEGIN + SECOND), 8000);
    assert_int_equal(pace_look(&pace, &defaults, BEGIN + SECOND, 5000 + 1024), PACE_FINE);
    assert_int_equal(pace_next_look(&pace, &defaults, BEGIN + SECOND), 9000);
}

/* Of very many that are to be cut at once, each by itself never beyond three graces. */
static void one_may_be_let_go_a_while(void **state)
{
    struct pace pace;

    (void)state;
    pace_begin(&pace, &defaults, BEGIN, 0);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 9 * SECOND, 0), 13500);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 18 * SECOND, 0), 9000);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 27 * SECOND, 0), 0);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 600 * SECOND, 0), 0);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 9 * SECOND, 12000), 6000);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 9 * SECOND, 20000), 0);
    pace_hold(&pace, BEGIN);
    pace_go_on(&pace, BEGIN + 600 * SECOND);
    assert_int_equal(pace_spare_ms(&pace, &defaults, BEGIN + 609 * SECOND, 0), 13500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_drips_is_cut_after_the_grace),
        cmocka_unit_test(whoever_keeps_to_the_rate_is_not),
        cmocka_unit_test(silence_has_a_limit_of_its_own),
        cmocka_unit_test(time_that_we_spend_is_not_the_clients),
        cmocka_unit_test(progress_does_not_go_back),
        cmocka_unit_test(one_may_be_let_go_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
