/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/adaptive: how long a request would wait in line. */
#include "origin/pool/adaptive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* An origin that answers in 40 ms, as many at once as the limit lets in; for two seconds. */
static void answer_in_40_ms(struct adaptive *adaptive)
{
    for (uint64_t now_us = 1000000; now_us < 3000000; now_us += 2500) {
        struct adaptive_sample sample = {now_us - 40000, now_us, 4};

        adaptive_note_answer(adaptive, PRIORITY_NORMAL, &sample);
    }
}

static void nothing_known_is_no_wait(void **state)
{
    static struct adaptive adaptive;

    (void)state;
    assert_int_equal(adaptive_wait_ms(&adaptive, PRIORITY_NORMAL, 100), 0);
}

static void places_below_the_limit_make_the_wait_longer(void **state)
{
    static struct adaptive adaptive;
    uint32_t whole = 0;
    uint32_t half = 0;

    (void)state;
    answer_in_40_ms(&adaptive);
    atomic_store(&adaptive.waiting[PRIORITY_NORMAL], 99);
    whole = adaptive_wait_ms(&adaptive, PRIORITY_NORMAL, adaptive_now(&adaptive));
    half = adaptive_wait_ms(&adaptive, PRIORITY_NORMAL, adaptive_now(&adaptive) / 2);
    assert_in_range(whole, 200, 300); /* 100 before it, 16 at once */
    assert_in_range(half, whole * 2 - 10, whole * 2 + 10);
    assert_int_equal(adaptive_wait_ms(&adaptive, PRIORITY_NORMAL, 1000), whole);
}

/* Of 30 critical, 120 normal and 60 bulk requests a second. */
static void note_outage_of_three_classes(struct adaptive *adaptive)
{
    atomic_store(&adaptive->class_rates[PRIORITY_CRITICAL], 30);
    atomic_store(&adaptive->class_rates[PRIORITY_NORMAL], 120);
    atomic_store(&adaptive->class_rates[PRIORITY_BULK], 60);
    adaptive_note_outage(adaptive, 2000000, 3000000);
}

static void after_an_outage_a_class_has_its_share_of_before(void **state)
{
    static struct adaptive adaptive;

    (void)state;
    answer_in_40_ms(&adaptive);
    assert_int_equal(adaptive_turns(&adaptive, PRIORITY_NORMAL, PRIORITY_BULK), 1);
    note_outage_of_three_classes(&adaptive);
    assert_int_equal(adaptive_turns(&adaptive, PRIORITY_NORMAL, PRIORITY_BULK),
                     ADAPTIVE_PROMISE / 2);
    assert_int_equal(adaptive_turns(&adaptive, PRIORITY_CRITICAL, PRIORITY_BULK), 1);
    assert_int_equal(adaptive_turns(&adaptive, PRIORITY_CRITICAL, PRIORITY_NORMAL), 1);
    atomic_store(&adaptive.waiting[PRIORITY_NORMAL], 500);
    atomic_store(&adaptive.waiting[PRIORITY_BULK], 2);
    assert_int_equal(adaptive_wait_ms(&adaptive, PRIORITY_BULK, 100), 3000 / 60);
    assert_false(adaptive_refuses(&adaptive, PRIORITY_BULK, 100, UINT64_MAX));
    assert_true(adaptive_refuses(&adaptive, PRIORITY_BULK, 100, 40));
    assert_true(adaptive_refuses(&adaptive, PRIORITY_NORMAL, 100, UINT64_MAX));
}

static void what_is_kept_after_an_outage_ends(void **state)
{
    static struct adaptive adaptive;

    (void)state;
    note_outage_of_three_classes(&adaptive);
    for (uint64_t now_us = 3000000; now_us <= 7200000; now_us += 50000) {
        adaptive_note_answer(&adaptive, PRIORITY_NORMAL,
                             &(struct adaptive_sample){now_us - 40000, now_us, 4});
        if (now_us == 6900000) {
            assert_true(adaptive_turns(&adaptive, PRIORITY_NORMAL, PRIORITY_BULK) > 1);
        }
    }
    assert_int_equal(adaptive_turns(&adaptive, PRIORITY_NORMAL, PRIORITY_BULK), 1);
}

/* One answer after such a time, so many times. */
static void answer_each(struct adaptive *adaptive, uint64_t pause_us, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        uint64_t now_us = adaptive->latest_us + pause_us;

        adaptive_note_answer(adaptive, PRIORITY_NORMAL,
                             &(struct adaptive_sample){now_us - 40000, now_us, 1});
    }
}

static void a_class_that_has_become_quiet_takes_no_share(void **state)
{
    static struct adaptive adaptive;
    uint32_t busy;

    (void)state;
    answer_in_40_ms(&adaptive);
    busy = atomic_load(&adaptive.class_rates[PRIORITY_NORMAL]);
    assert_true(busy > 200);
    answer_each(&adaptive, 5000000, 1); /* an outage: what was before it is asked for after it */
    assert_int_equal(atomic_load(&adaptive.class_rates[PRIORITY_NORMAL]), busy);
    answer_each(&adaptive, 2000000, 30);
    assert_int_equal(atomic_load(&adaptive.class_rates[PRIORITY_NORMAL]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_no_wait),
        cmocka_unit_test(places_below_the_limit_make_the_wait_longer),
        cmocka_unit_test(after_an_outage_a_class_has_its_share_of_before),
        cmocka_unit_test(what_is_kept_after_an_outage_ends),
        cmocka_unit_test(a_class_that_has_become_quiet_takes_no_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
