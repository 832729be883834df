/* SPDX-License-Identifier: BSD-2-Clause */
/* net/timer with a clock of the test's own: never early, at most 20 ms late, and the code that
 * drives the wheel may sleep exactly as long as it says. */
#include "net/timer.h"

#include "base/list.h"
#include "base/system/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct probe {
    struct timer timer;
    uint64_t set_us; /* when it was set last */
    uint32_t milliseconds;
    unsigned rung;
    uint64_t rung_us;
};

/* cmocka's callbacks have no owner: the timers' neither. */
static struct wheel {
    uint64_t now_us;
    struct timer_wake wake;
    struct timer_group *group;
    struct probe *clears; /* cleared by whichever rings first */
    bool sets_again;
} wheel;

static void on_due(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

    assert_false(timer_is_set(timer));
    probe->rung++;
    probe->rung_us = wheel.now_us;
    if (wheel.clears != NULL) {
        timer_clear(wheel.group, &wheel.clears->timer);
    }
    if (wheel.sets_again) {
        timer_set(wheel.group, timer, probe->milliseconds);
    }
}

static void begin(uint64_t now_us)
{
    memset(&wheel, 0, sizeof(wheel));
    wheel.now_us = now_us;
    wheel.group = timer_group_make(on_due, &wheel.now_us, &wheel.wake);
    assert_non_null(wheel.group);
}

static void finish(void)
{
    assert_int_equal(timer_group_count(wheel.group), 0);
    timer_group_free(&wheel.group);
    assert_null(wheel.group);
}

static void set(struct probe *probe, uint32_t milliseconds)
{
    probe->set_us = wheel.now_us;
    probe->milliseconds = milliseconds;
    timer_set(wheel.group, &probe->timer, milliseconds);
    assert_true(timer_is_set(&probe->timer));
}

static void pass(uint64_t us)
{
    wheel.now_us += us;
    timer_group_advance(wheel.group, wheel.now_us);
}

/* As net/loop drives it: asleep until the tick that timer_group_next names. */
static void sleep_as_reported(void)
{
    uint32_t ticks = timer_group_next(wheel.group);

    assert_true(ticks >= 1 && ticks <= TIMER_REST_TICKS);
    wheel.now_us = (uint64_t)(wheel.now_us / TIMER_TICK_US + ticks) * TIMER_TICK_US;
    timer_group_advance(wheel.group, wheel.now_us);
}

static void assert_in_time(const struct probe *probe)
{
    uint64_t late_us = probe->rung_us - (probe->set_us + (uint64_t)probe->milliseconds * 1000);

    assert_int_equal(probe->rung, 1);
    assert_true(probe->rung_us >= probe->set_us + (uint64_t)probe->milliseconds * 1000);
    assert_true(late_us <= 20000);
}

static const uint32_t spans[] = {0,       1,        9,        10,       11,       100,
                                 2540,    2550,     2560,     2570,     2580,     5000,
                                 60000,   163830,   163840,   163850,   200000,   655360,
                                 3600000, 10485750, 10485760, 10485770, 86400000, 604800000};

static void each_span_is_kept_when_driven_as_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        for (uint64_t phase = 0; phase < 10000; phase += 3333) {
            struct probe probe = {0};

            begin(123456780000 + phase);
            set(&probe, spans[i]);
            while (probe.rung == 0) {
                sleep_as_reported();
            }
            assert_in_time(&probe);
            finish();
        }
    }
}

static void each_span_is_kept_when_driven_every_millisecond(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]) && spans[i] <= 60000; i++) {
        struct probe probe = {0};

        begin(777);
        set(&probe, spans[i]);
        while (probe.rung == 0) {
            pass(1000);
        }
        assert_in_time(&probe);
        finish();
    }
}

/* Asleep for longer than the wheel is wide, as a stopped process is. */
static void a_jump_of_the_clock_rings_all_that_is_due(void **state)
{
    struct probe probes[sizeof(spans) / sizeof(spans[0])] = {0};
    size_t count = sizeof(spans) / sizeof(spans[0]);

    (void)state;
    begin(5000000);
    for (size_t i = 0; i < count; i++) {
        set(&probes[i], spans[i]);
    }
    pass(3600ull * 1000 * 1000 + 20000);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(probes[i].rung, spans[i] <= 3600000);
    }
    while (timer_group_count(wheel.group) > 0) {
        sleep_as_reported();
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(probes[i].rung, 1);
    }
    finish();
}

static void moved_later_it_rings_only_then(void **state)
{
    struct probe probe = {0};

    (void)state;
    begin(1000000);
    set(&probe, 100);
    for (int i = 0; i < 50; i++) {
        pass(50000);
        assert_int_equal(probe.rung, 0);
        set(&probe, 100); /* as each read of a slow sender does */
        assert_int_equal(timer_group_count(wheel.group), 1);
    }
    while (probe.rung == 0) {
        sleep_as_reported();
    }
    assert_in_time(&probe);
    finish();
}

static void moved_earlier_it_rings_then(void **state)
{
    static const uint32_t later[] = {200, 3000, 170000, 3600000, 20000000};

    (void)state;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        struct probe probe = {0};

        begin(1000000);
        set(&probe, later[i]);
        pass(25000);
        set(&probe, 30);
        assert_int_equal(timer_group_count(wheel.group), 1);
        while (probe.rung == 0) {
            sleep_as_reported();
        }
        assert_in_time(&probe);
        pass((uint64_t)later[i] * 2000);
        assert_int_equal(probe.rung, 1);
        finish();
    }
}

/* Whatever the wheel looks at meanwhile; and set again it is as any other. */
static void at_rest_it_does_not_ring(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct probe probe = {0};

        begin(1000000);
        timer_rest(wheel.group, &probe.timer);
        assert_false(timer_is_set(&probe.timer));
        set(&probe, spans[i]);
        pass(5000);
        timer_rest(wheel.group, &probe.timer);
        pass((uint64_t)spans[i] * 2000 + 100000);
        assert_int_equal(probe.rung, 0);
        assert_int_equal(timer_group_count(wheel.group), 1);
        timer_rest(wheel.group, &probe.timer);
        set(&probe, spans[i]);
        while (probe.rung == 0) {
            sleep_as_reported();
        }
        assert_in_time(&probe);
        set(&probe, spans[i]);
        timer_rest(wheel.group, &probe.timer);
        timer_clear(wheel.group, &probe.timer);
        finish();
    }
}

/* Moved later and then earlier again: the wheel still looks at the earliest. */
static void moved_to_and_fro_it_keeps_the_last_word(void **state)
{
    struct probe probe = {0};

    (void)state;
    begin(1000000);
    set(&probe, 50);
    set(&probe, 5000);
    set(&probe, 1000);
    while (probe.rung == 0) {
        sleep_as_reported();
    }
    assert_in_time(&probe);
    finish();
}

static void cleared_it_never_rings(void **state)
{
    struct probe probes[3] = {0};

    (void)state;
    begin(1000000);
    set(&probes[0], 50);
    set(&probes[1], 50);
    set(&probes[2], 500000);
    timer_clear(wheel.group, &probes[1].timer);
    timer_clear(wheel.group, &probes[2].timer);
    timer_clear(wheel.group, &probes[2].timer);
    assert_false(timer_is_set(&probes[1].timer));
    assert_int_equal(timer_group_count(wheel.group), 1);
    pass(1000ull * 1000 * 1000);
    assert_int_equal(probes[0].rung, 1);
    assert_int_equal(probes[1].rung, 0);
    assert_int_equal(probes[2].rung, 0);
    finish();
}

/* Whatever order a slot is called in, one timer of it may clear any other. */
static void cleared_inside_a_callback_it_does_not_ring(void **state)
{
    (void)state;
    for (int victim = 0; victim < 3; victim++) {
        struct probe probes[3] = {0};

        begin(1000000);
        for (int i = 0; i < 3; i++) {
            set(&probes[i], 50);
        }
        wheel.clears = &probes[victim];
        pass(200000);
        for (int i = 0; i < 3; i++) {
            assert_true(i == victim ? probes[i].rung <= 1 : probes[i].rung == 1);
        }
        finish();
    }
}

static void set_again_inside_its_callback_it_rings_again(void **state)
{
    struct probe probe = {0};

    (void)state;
    begin(1000000);
    wheel.sets_again = true;
    set(&probe, 10);
    for (int i = 0; i < 200; i++) {
        pass(10000);
    }
    assert_true(probe.rung > 50);
    wheel.sets_again = false;
    pass(100000);
    finish();
}

/* With deadline 0 set again each time, one advance must come to an end. */
static void one_advance_ends_even_if_timers_are_set_for_now(void **state)
{
    struct probe probe = {0};

    (void)state;
    begin(1000000);
    wheel.sets_again = true;
    set(&probe, 0);
    pass(1000000);
    assert_true(probe.rung <= 101);
    timer_clear(wheel.group, &probe.timer);
    finish();
}

/* A timer that is cleared or put off while it waits for its turn does not ring then. */
static void very_many_of_one_tick_are_spread(void **state)
{
    enum { MANY = 1000 };
    static struct probe probes[MANY];
    uint32_t rung = 0;
    uint32_t put_off = 0;

    (void)state;
    begin(1000000);
    memset(probes, 0, sizeof(probes));
    for (int i = 0; i < MANY; i++) {
        set(&probes[i], 500);
    }
    for (int ticks = 0; rung == 0; ticks++) {
        assert_true(ticks < 100);
        pass(10000);
        for (int i = 0; i < MANY; i++) {
            rung += probes[i].rung;
        }
    }
    assert_true(rung <= 100);
    for (int i = 0; i < MANY; i++) {
        if (i % 10 == 0) {
            timer_clear(wheel.group, &probes[i].timer);
        } else if (i % 10 == 1 && probes[i].rung == 0) {
            set(&probes[i], 5000);
            put_off++;
        }
    }
    assert_true(put_off > 50);
    pass(300000);
    for (int i = 0; i < MANY; i++) {
        assert_true(i % 10 < 2 || probes[i].rung == 1);
        put_off -= i % 10 == 1 && probes[i].rung == 0;
    }
    assert_int_equal(put_off, 0);
    pass(6000000);
    finish();
}

/* The tick is 32 bits of 10 ms: it wraps after 497 days of uptime. */
static void it_survives_the_wrap_of_its_tick(void **state)
{
    const uint64_t wrap_us = (1ull << 32) * TIMER_TICK_US;

    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct probe probe = {0};

        begin(wrap_us - 15000);
        set(&probe, spans[i]);
        while (probe.rung == 0) {
            sleep_as_reported();
        }
        assert_in_time(&probe);
        finish();
        memset(&probe, 0, sizeof(probe));
        begin(wrap_us - 1500000);
        set(&probe, spans[i]);
        while (probe.rung == 0) {
            sleep_as_reported();
        }
        assert_in_time(&probe);
        finish();
    }
}

static void with_nothing_set_it_may_sleep_for_a_minute(void **state)
{
    struct probe probe = {0};

    (void)state;
    begin(1000000);
    assert_int_equal(timer_group_next(wheel.group), TIMER_REST_TICKS);
    pass(3600ull * 1000 * 1000);
    set(&probe, 100); /* a wheel that stood still for an hour */
    while (probe.rung == 0) {
        sleep_as_reported();
    }
    assert_in_time(&probe);
    assert_int_equal(timer_group_next(wheel.group), TIMER_REST_TICKS);
    finish();
}

static void an_earlier_deadline_says_so(void **state)
{
    struct probe probes[2] = {0};

    (void)state;
    begin(1000000);
    wheel.wake.tick = timer_tick_of(wheel.now_us) + 50;
    set(&probes[0], 5000);
    assert_false(wheel.wake.too_late);
    set(&probes[1], 100);
    assert_true(wheel.wake.too_late);
    timer_clear(wheel.group, &probes[0].timer);
    timer_clear(wheel.group, &probes[1].timer);
    finish();
}

/* A few hundred timers set, moved and cleared at random, driven as the loop does it. */
static void a_crowd_of_timers_is_in_time(void **state)
{
    enum { CROWD = 300 };
    static struct probe probes[CROWD];
    struct random random = {{1, 2, 3, 4}};
    unsigned rung = 0;

    (void)state;
    memset(probes, 0, sizeof(probes));
    begin((1ull << 32) * TIMER_TICK_US - 300ull * 1000 * 1000);
    for (int round = 0; round < 8000; round++) {
        struct probe *probe = &probes[random_below(&random, CROWD)];
        uint32_t spread = (uint32_t)random_below(&random, 5) == 0 ? 400000 : 4000;

        if (random_below(&random, 8) == 0) {
            timer_clear(wheel.group, &probe->timer);
            probe->rung = 0;
        } else {
            probe->rung = 0;
            set(probe, (uint32_t)random_below(&random, spread));
        }
        if (random_below(&random, 3) == 0) {
            uint64_t awake_us = wheel.now_us + random_below(&random, 30000);

            while (wheel.now_us / TIMER_TICK_US + timer_group_next(wheel.group) <=
                   awake_us / TIMER_TICK_US) {
                sleep_as_reported();
            }
            wheel.now_us = awake_us; /* something else woke the loop: the wheel is not turned */
        }
        for (int i = 0; i < CROWD; i++) {
            if (probes[i].rung > 0) {
                assert_in_time(&probes[i]);
                probes[i].rung = 0;
                rung++;
            } else if (timer_is_set(&probes[i].timer)) {
                assert_true(wheel.now_us <= probes[i].set_us + 20000 +
                                                (uint64_t)probes[i].milliseconds * 1000 +
                                                TIMER_TICK_US);
            }
        }
    }
    assert_true(rung > 400);
    for (int i = 0; i < CROWD; i++) {
        timer_clear(wheel.group, &probes[i].timer);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_span_is_kept_when_driven_as_reported),
        cmocka_unit_test(each_span_is_kept_when_driven_every_millisecond),
        cmocka_unit_test(a_jump_of_the_clock_rings_all_that_is_due),
        cmocka_unit_test(moved_later_it_rings_only_then),
        cmocka_unit_test(moved_earlier_it_rings_then),
        cmocka_unit_test(at_rest_it_does_not_ring),
        cmocka_unit_test(moved_to_and_fro_it_keeps_the_last_word),
        cmocka_unit_test(cleared_it_never_rings),
        cmocka_unit_test(cleared_inside_a_callback_it_does_not_ring),
        cmocka_unit_test(set_again_inside_its_callback_it_rings_again),
        cmocka_unit_test(one_advance_ends_even_if_timers_are_set_for_now),
        cmocka_unit_test(it_survives_the_wrap_of_its_tick),
        cmocka_unit_test(with_nothing_set_it_may_sleep_for_a_minute),
        cmocka_unit_test(an_earlier_deadline_says_so),
        cmocka_unit_test(a_crowd_of_timers_is_in_time),
        cmocka_unit_test(very_many_of_one_tick_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
