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

        adaptive_note_answer(adaptive, &sample);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_no_wait),
        cmocka_unit_test(places_below_the_limit_make_the_wait_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
