/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/service/retry_budget: the share, what is allowed beside it, and how both are forgotten. */
#include "origin/service/retry_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SLOT (UINT64_C(1) << RETRY_BUDGET_SHIFT)
#define START (1000 * SLOT)

static const struct retry_budget_settings fifth = {.percent = 20, .min_per_second = 0};

static void note(struct retry_budget *budget, unsigned requests, uint64_t now_us)
{
    for (unsigned i = 0; i < requests; i++) {
        retry_budget_note_request(budget, false, now_us);
    }
}

static void retries_are_a_share_of_the_requests(void **state)
{
    struct retry_budget budget = {0};

    (void)state;
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START), 0);
    note(&budget, 50, START);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START), 10);
    for (int i = 0; i < 10; i++) {
        retry_budget_take(&budget, START);
    }
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START), 0);
    note(&budget, 5, START);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START), 1);
}

static void a_few_are_allowed_beside_and_divided_among_the_workers(void **state)
{
    const struct retry_budget_settings settings = {.percent = 0, .min_per_second = 3};
    struct retry_budget budget = {0};

    (void)state;
    assert_int_equal(retry_budget_left(&budget, &settings, 1, START), 3 * RETRY_BUDGET_SLOTS);
    assert_int_equal(retry_budget_left(&budget, &settings, 2, START), 3 * RETRY_BUDGET_SLOTS / 2);
    assert_int_equal(retry_budget_left(&budget, &settings, 100, START), 1); /* never none */
}

/* They leave less for the gateway's own; but never less than the few beside. */
static void what_clients_send_again_counts(void **state)
{
    const struct retry_budget_settings settings = {.percent = 20, .min_per_second = 1};
    struct retry_budget budget = {0};

    (void)state;
    note(&budget, 50, START);
    assert_int_equal(retry_budget_left(&budget, &settings, 1, START), 10 + RETRY_BUDGET_SLOTS);
    for (int i = 0; i < 4; i++) {
        retry_budget_note_request(&budget, true, START);
    }
    assert_int_equal(retry_budget_left(&budget, &settings, 1, START), 6 + RETRY_BUDGET_SLOTS);
    for (int i = 0; i < 1000; i++) {
        retry_budget_note_request(&budget, true, START);
    }
    assert_int_equal(retry_budget_left(&budget, &settings, 1, START), RETRY_BUDGET_SLOTS);
    note(&budget, 50, START + 9 * SLOT);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 9 * SLOT), 10);
}

static void what_is_old_counts_no_more(void **state)
{
    struct retry_budget budget = {0};

    (void)state;
    note(&budget, 100, START);
    retry_budget_take(&budget, START + 4 * SLOT);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 7 * SLOT), 19);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 8 * SLOT), 0);
    note(&budget, 100, START + 9 * SLOT);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 9 * SLOT), 19);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 12 * SLOT), 20);
    assert_int_equal(retry_budget_left(&budget, &fifth, 1, START + 1000 * SLOT), 0);
}

static void another_second_is_reported(void **state)
{
    struct retry_budget budget = {0};

    (void)state;
    assert_true(retry_budget_note_request(&budget, false, START));
    assert_false(retry_budget_note_request(&budget, false, START + SLOT - 1));
    assert_true(retry_budget_note_request(&budget, false, START + SLOT));
}

/* An origin that fails everything: the attempts stay below 1.2 times the requests. */
static void attempts_never_exceed_the_share(void **state)
{
    struct retry_budget budget = {0};
    unsigned attempts = 0;

    (void)state;
    for (unsigned i = 1; i <= 100000; i++) {
        uint64_t now_us = START + i * SLOT / 1000;

        retry_budget_note_request(&budget, false, now_us);
        attempts++;
        if (retry_budget_left(&budget, &fifth, 1, now_us) > 0) {
            retry_budget_take(&budget, now_us);
            attempts++;
        }
        assert_true(attempts <= i + i / 5 + 1);
    }
    assert_in_range(attempts, 119000, 120001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_are_a_share_of_the_requests),
        cmocka_unit_test(a_few_are_allowed_beside_and_divided_among_the_workers),
        cmocka_unit_test(what_clients_send_again_counts),
        cmocka_unit_test(what_is_old_counts_no_more),
        cmocka_unit_test(another_second_is_reported),
        cmocka_unit_test(attempts_never_exceed_the_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
