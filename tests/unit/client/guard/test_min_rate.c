/* SPDX-License-Identifier: BSD-2-Clause */
/* client/guard/min_rate: who is too slow, when, and who is not. Clients are played second by second, and
 * looked at only when min_rate_next_check_ms says so, as the real clock does. */
#include "client/guard/min_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SECOND 1000000ull
#define BEGIN (5 * SECOND)

static const struct min_rate_rule by_default = {.idle_ms = 60000, .window_ms = 60000};
static const struct min_rate_rule with_rate = {.idle_ms = 60000, .rate = 100, .window_ms = 60000};

/* Bytes of a client at each second; the second at which it is cut, or 0. */
typedef uint64_t moves(unsigned second);

static unsigned cut_at(const struct min_rate_rule *rule, moves *move, unsigned seconds,
                       enum min_rate_verdict *verdict)
{
    struct min_rate min_rate;
    uint64_t bytes = 0;
    uint64_t check_us;

    min_rate_begin(&min_rate, BEGIN, 0);
    check_us = BEGIN + min_rate_next_check_ms(&min_rate, rule, BEGIN) * 1000ull;
    for (unsigned second = 0; second < seconds; second++) {
        uint64_t moved = move(second);

        bytes += moved;
        if (moved > 0) {
            min_rate_moved(&min_rate, BEGIN + second * SECOND);
        }
        while (check_us < BEGIN + (second + 1) * SECOND) {
            *verdict = min_rate_check(&min_rate, rule, check_us, bytes);
            if (*verdict != MIN_RATE_FINE) {
                return second;
            }
            check_us += min_rate_next_check_ms(&min_rate, rule, check_us) * 1000ull;
        }
    }
    return 0;
}

static uint64_t nothing(unsigned second)
{
    (void)second;
    return 0;
}

static uint64_t every_59_seconds(unsigned second)
{
    return second % 59 == 0;
}

static uint64_t once_then_nothing(unsigned second)
{
    return second == 20 ? 1000000 : 0;
}

static uint64_t drips(unsigned second)
{
    (void)second;
    return 1;
}

static uint64_t just_above(unsigned second)
{
    (void)second;
    return 110;
}

/* A client that packs what it sends next. */
static uint64_t pauses_for_45_seconds(unsigned second)
{
    return second % 60 < 15 ? 490 : 0;
}

static uint64_t burst_then_drips(unsigned second)
{
    return second == 0 ? 100000000 : 1;
}

static void a_pause_may_be_as_long_as_the_limit(void **state)
{
    enum min_rate_verdict verdict;

    (void)state;
    assert_int_equal(cut_at(&by_default, every_59_seconds, 3600, &verdict), 0);
    assert_in_range(cut_at(&by_default, nothing, 100, &verdict), 59, 61);
    assert_int_equal(verdict, MIN_RATE_STOPPED);
    assert_in_range(cut_at(&by_default, once_then_nothing, 200, &verdict), 79, 81);
    assert_int_equal(verdict, MIN_RATE_STOPPED);
}

static void without_a_rate_a_client_may_drip(void **state)
{
    enum min_rate_verdict verdict;

    (void)state;
    assert_int_equal(cut_at(&by_default, drips, 3600, &verdict), 0);
}

static void a_rate_counts_over_the_window(void **state)
{
    enum min_rate_verdict verdict;

    (void)state;
    assert_int_equal(cut_at(&with_rate, just_above, 3600, &verdict), 0);
    assert_int_equal(cut_at(&with_rate, pauses_for_45_seconds, 3600, &verdict), 0);
    assert_in_range(cut_at(&with_rate, drips, 300, &verdict), 59, 61);
    assert_int_equal(verdict, MIN_RATE_TOO_SLOW);
    /* What was moved in one window does not count for the next. */
    assert_in_range(cut_at(&with_rate, burst_then_drips, 300, &verdict), 119, 121);
    assert_int_equal(verdict, MIN_RATE_TOO_SLOW);
}

/* An upload that its origin does not take, an answer that its origin does not give. */
static void time_that_we_spend_is_not_the_clients(void **state)
{
    struct min_rate min_rate;

    (void)state;
    min_rate_begin(&min_rate, BEGIN, 0);
    min_rate_hold(&min_rate, BEGIN + 58 * SECOND);
    min_rate_hold(&min_rate, BEGIN + 500 * SECOND);
    assert_false(min_rate_runs(&min_rate));
    min_rate_go_on(&min_rate, BEGIN + 1000 * SECOND);
    min_rate_go_on(&min_rate, BEGIN + 1000 * SECOND);
    assert_true(min_rate_runs(&min_rate));
    assert_int_equal(min_rate_next_check_ms(&min_rate, &with_rate, BEGIN + 1000 * SECOND), 2000);
    assert_int_equal(min_rate_check(&min_rate, &with_rate, BEGIN + 1001 * SECOND, 1),
                     MIN_RATE_FINE);
    assert_int_equal(min_rate_check(&min_rate, &with_rate, BEGIN + 1002 * SECOND, 1),
                     MIN_RATE_TOO_SLOW);
}

/* Over HTTP/2 a client may send on while its origin takes nothing. */
static void what_moves_while_we_let_it_wait_moves_nothing_ahead(void **state)
{
    struct min_rate min_rate;

    (void)state;
    min_rate_begin(&min_rate, BEGIN, 0);
    min_rate_hold(&min_rate, BEGIN + 10 * SECOND);
    min_rate_moved(&min_rate, BEGIN + 50 * SECOND);
    min_rate_go_on(&min_rate, BEGIN + 100 * SECOND);
    assert_int_equal(min_rate_check(&min_rate, &by_default, BEGIN + 101 * SECOND, 0),
                     MIN_RATE_FINE);
    assert_int_equal(min_rate_next_check_ms(&min_rate, &by_default, BEGIN + 101 * SECOND), 59000);
    assert_int_equal(min_rate_check(&min_rate, &by_default, BEGIN + 160 * SECOND, 0),
                     MIN_RATE_STOPPED);
}

/* What a look finds acknowledged may be less than what was so before: never a byte too few. */
static void progress_does_not_go_back(void **state)
{
    struct min_rate min_rate;

    (void)state;
    min_rate_begin(&min_rate, BEGIN, 5000);
    assert_int_equal(min_rate_check(&min_rate, &by_default, BEGIN + 30 * SECOND, 4000),
                     MIN_RATE_FINE);
    assert_int_equal(min_rate_next_check_ms(&min_rate, &by_default, BEGIN + 30 * SECOND), 30000);
    assert_int_equal(min_rate_check(&min_rate, &by_default, BEGIN + 31 * SECOND, 5001),
                     MIN_RATE_FINE);
    assert_int_equal(min_rate_next_check_ms(&min_rate, &by_default, BEGIN + 31 * SECOND), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_may_be_as_long_as_the_limit),
        cmocka_unit_test(without_a_rate_a_client_may_drip),
        cmocka_unit_test(a_rate_counts_over_the_window),
        cmocka_unit_test(time_that_we_spend_is_not_the_clients),
        cmocka_unit_test(what_moves_while_we_let_it_wait_moves_nothing_ahead),
        cmocka_unit_test(progress_does_not_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
