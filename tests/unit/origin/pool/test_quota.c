/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/quota: never more than the limit, whichever threads take, and no worker forgotten. */
#include "origin/pool/quota.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void so_many_and_no_more(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 2, 0, 0));
    assert_true(quota_has_room(&quota, 2));
    assert_true(quota_take(&quota, 2, 1, 0));
    assert_false(quota_has_room(&quota, 2));
    assert_false(quota_take(&quota, 2, 2, 0));
    assert_int_equal(quota_give(&quota, 0, 0), QUOTA_NOBODY);
    assert_true(quota_take(&quota, 2, 2, 0));
}

static void without_a_limit_it_counts(void **state)
{
    struct quota quota = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(quota_take(&quota, 0, 0, 0));
    }
    assert_false(quota_take(&quota, 100, 0, 0)); /* a limit that came later */
    assert_true(quota_take(&quota, 101, 0, 0));
}

static void what_is_kept_is_not_for_others(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 1000));
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give(&quota, 0, 1000), 70);
    assert_false(quota_take(&quota, 1, 0, 2000));
    assert_false(quota_take(&quota, 1, 3, 2000));
    assert_true(quota_take(&quota, 1, 70, 2000));
}

static void who_needs_it_no_more_leaves_it_to_the_next(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_int_equal(quota_decline(&quota, 0, 1000), QUOTA_NOBODY);
    assert_true(quota_take(&quota, 1, 0, 1000));
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give(&quota, 0, 1000), 70);
    quota_mark_waiting(&quota, 3, QUOTA_NEED_FIRST);
    assert_false(quota_take(&quota, 1, 3, 2000));
    assert_int_equal(quota_decline(&quota, 3, 2000), QUOTA_NOBODY); /* not its own */
    assert_int_equal(quota_decline(&quota, 70, 2000), 3);
    assert_false(quota_take(&quota, 1, 0, 2000));
    assert_true(quota_take(&quota, 1, 3, 2000));
    assert_int_equal(quota_decline(&quota, 3, 2000), QUOTA_NOBODY);
}

static void who_waits_no_more_takes_its_mark_back(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 1000));
    quota_unmark(&quota, 70); /* none is there */
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    quota_mark_waiting(&quota, 3, QUOTA_NEED_LATER);
    quota_unmark(&quota, 70);
    assert_int_equal(quota_give(&quota, 0, 1000), 3);
    assert_int_equal(quota_decline(&quota, 3, 1000), QUOTA_NOBODY);
    assert_true(quota_take(&quota, 1, 0, 1000));
}

static void who_waits_again_declines_nothing(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 1000));
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give(&quota, 0, 1000), 70);
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    quota_mark_waiting(&quota, 3, QUOTA_NEED_FIRST);
    assert_int_equal(quota_decline(&quota, 70, 1000), QUOTA_NOBODY);
    assert_true(quota_take(&quota, 1, 70, 1000));
}

static void who_does_not_come_loses_it(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 1000));
    quota_mark_waiting(&quota, 70, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give(&quota, 0, 1000), 70);
    assert_true(quota_take(&quota, 1, 0, 100000));
}

static void the_hungry_take_turns(void **state)
{
    static const uint32_t waiting[] = {0, 5, 64, 255};
    struct quota quota = {0};
    uint64_t now_us = 1000000;

    (void)state;
    assert_true(quota_take(&quota, 1, 9, now_us));
    for (int i = 0; i < 4; i++) {
        quota_mark_waiting(&quota, waiting[i], QUOTA_NEED_FIRST);
    }
    for (int i = 0; i < 12; i++) {
        uint32_t next = quota_give(&quota, 9, now_us);

        assert_int_equal(next, waiting[(i + 1) % 4]);
        now_us += 100;
        assert_true(quota_take(&quota, 1, next, now_us));
        quota_mark_waiting(&quota, next, QUOTA_NEED_FIRST);
    }
}

static void ones_own_line_comes_first_but_not_for_ever(void **state)
{
    struct quota quota = {0};
    uint64_t now_us = 1000000;
    int elsewhere = 0;

    (void)state;
    assert_true(quota_take(&quota, 1, 0, now_us));
    quota_mark_waiting(&quota, 1, QUOTA_NEED_FIRST);
    for (int i = 0; i < 100; i++) {
        uint32_t next;

        quota_mark_waiting(&quota, 0, QUOTA_NEED_FIRST);
        next = quota_give(&quota, 0, now_us);
        elsewhere += next == 1;
        assert_true(quota_take(&quota, 1, next, now_us));
        if (next == 1) {
            assert_int_equal(quota_give_on(&quota, 1, now_us), 0);
            assert_true(quota_take(&quota, 1, 0, now_us));
            quota_mark_waiting(&quota, 1, QUOTA_NEED_FIRST);
        }
        now_us += 1000;
    }
    assert_in_range(elsewhere, 5, 50);
}

static void who_cannot_use_it_passes_it_on(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 0));
    quota_mark_waiting(&quota, 0, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give_on(&quota, 0, 0), QUOTA_NOBODY); /* not to itself */
    assert_true(quota_take(&quota, 1, 0, 0));
    quota_mark_waiting(&quota, 3, QUOTA_NEED_FIRST);
    assert_int_equal(quota_give_on(&quota, 0, 0), 3);
}

static void what_stands_behind_others_does_so_over_all_workers(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 0));
    quota_mark_waiting(&quota, 0, QUOTA_NEED_LATER);
    quota_mark_waiting(&quota, 1, QUOTA_NEED_LATER);
    quota_mark_waiting(&quota, 2, QUOTA_NEED_FIRST);
    assert_true(quota_is_due_elsewhere(&quota, 0, 0, QUOTA_NEED_LATER));
    assert_int_equal(quota_give(&quota, 0, 0), 2);
    assert_true(quota_take(&quota, 1, 2, 0));
    quota_mark_waiting(&quota, 2, QUOTA_NEED_FIRST);
    assert_false(quota_is_due_elsewhere(&quota, 2, 1000000, QUOTA_NEED_FIRST));
    assert_int_equal(quota_give(&quota, 2, 1000000), 2); /* whichever worker is next */
    assert_true(quota_take(&quota, 1, 2, 1000000));
    assert_int_equal(quota_give(&quota, 2, 2000000), 0);
    assert_true(quota_take(&quota, 1, 0, 2000000));
    assert_int_equal(quota_give(&quota, 0, 3000000), 1);
}

static void who_has_something_first_and_cannot_use_it_passes_it_on(void **state)
{
    struct quota quota = {0};

    (void)state;
    assert_true(quota_take(&quota, 1, 0, 0));
    quota_mark_waiting(&quota, 0, QUOTA_NEED_FIRST);
    quota_mark_waiting(&quota, 3, QUOTA_NEED_LATER);
    assert_int_equal(quota_give_on(&quota, 0, 0), 3);
}

/* --- many threads ------------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS 20000
#define LIMIT 2

struct shared {
    struct quota quota;
    _Atomic int now;
    _Atomic int most;
};

static void *take_and_give(void *owner)
{
    struct shared *shared = owner;
    int taken = 0;

    while (taken < ROUNDS) {
        if (quota_take(&shared->quota, LIMIT, 0, 0)) {
            int now = atomic_fetch_add(&shared->now, 1) + 1;
            int most = atomic_load(&shared->most);

            while (now > most && !atomic_compare_exchange_weak(&shared->most, &most, now)) {
            }
            atomic_fetch_sub(&shared->now, 1);
            quota_give(&shared->quota, 0, 0);
            taken++;
        }
    }
    return NULL;
}

static void threads_never_exceed_it(void **state)
{
    struct shared shared = {.now = 0};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &shared), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_in_range(shared.most, 1, LIMIT);
    assert_int_equal(shared.quota.used, 0);
}

/* Time stands still: what were kept for a worker that does not come would be so for ever. */
struct hesitant {
    struct quota quota;
    _Atomic bool woken[THREADS];
    _Atomic uint32_t next;
};

static void wake_one(struct hesitant *shared, uint32_t worker)
{
    if (worker != QUOTA_NOBODY) {
        atomic_store(&shared->woken[worker], true);
    }
}

/* As limits.c: a mark, another look, sleep. */
static bool take_or_mark(struct hesitant *shared, uint32_t worker)
{
    if (quota_take(&shared->quota, 1, worker, 0)) {
        return true;
    }
    quota_mark_waiting(&shared->quota, worker, worker % QUOTA_NEEDS);
    return quota_take(&shared->quota, 1, worker, 0);
}

static void leave(struct hesitant *shared, uint32_t worker)
{
    quota_unmark(&shared->quota, worker);
    wake_one(shared, quota_decline(&shared->quota, worker, 0));
}

static void *take_or_leave(void *owner)
{
    struct hesitant *shared = owner;
    uint32_t worker = atomic_fetch_add(&shared->next, 1);

    for (int round = 0; round < ROUNDS / 4; round++) {
        bool taken = take_or_mark(shared, worker);

        while (!taken && round % 3 != 0) {
            while (!atomic_exchange(&shared->woken[worker], false)) {
                sched_yield();
            }
            taken = take_or_mark(shared, worker);
        }
        if (taken) {
            wake_one(shared, quota_give(&shared->quota, worker, 0));
        }
        leave(shared, worker);
    }
    return NULL;
}

static void nothing_is_kept_for_workers_that_left(void **state)
{
    static struct hesitant shared;
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_or_leave, &shared), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(shared.quota.used, 0);
    assert_true(quota_take(&shared.quota, 1, THREADS, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_and_no_more),
        cmocka_unit_test(without_a_limit_it_counts),
        cmocka_unit_test(what_is_kept_is_not_for_others),
        cmocka_unit_test(who_needs_it_no_more_leaves_it_to_the_next),
        cmocka_unit_test(who_waits_no_more_takes_its_mark_back),
        cmocka_unit_test(who_waits_again_declines_nothing),
        cmocka_unit_test(who_does_not_come_loses_it),
        cmocka_unit_test(the_hungry_take_turns),
        cmocka_unit_test(ones_own_line_comes_first_but_not_for_ever),
        cmocka_unit_test(who_cannot_use_it_passes_it_on),
        cmocka_unit_test(what_stands_behind_others_does_so_over_all_workers),
        cmocka_unit_test(who_has_something_first_and_cannot_use_it_passes_it_on),
        cmocka_unit_test(threads_never_exceed_it),
        cmocka_unit_test(nothing_is_kept_for_workers_that_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
