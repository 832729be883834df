/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/origin_registry: entries by name, the operator's word, sums over workers. */
#include "origin/origin_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WORKERS 3

static int set_up(void **state)
{
    *state = origin_registry_new(WORKERS);
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct origin_registry *registry = *state;

    origin_registry_free(&registry);
    return 0;
}

static void keep_last(void *owner, const struct origin_reading *reading)
{
    *(struct origin_reading *)owner = *reading;
}

static void one_name_is_one_entry(void **state)
{
    struct origin_entry *one = origin_entry_get(*state, "10.0.0.1:80");
    struct origin_entry *same = origin_entry_get(*state, "10.0.0.1:80");
    struct origin_entry *other = origin_entry_get(*state, "10.0.0.2:80");

    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    origin_entry_put(&one);
    assert_null(one);
    origin_entry_put(&same);
    origin_entry_put(&other);
}

static void a_drain_holds_as_long_as_the_entry(void **state)
{
    struct origin_entry *one = origin_entry_get(*state, "10.0.0.1:80");
    uint64_t serial = *origin_registry_serial(*state);
    struct origin_reading reading = {0};

    assert_false(origin_registry_drain(*state, "10.0.0.2:80", true));
    assert_true(origin_registry_drain(*state, "10.0.0.1:80", true));
    assert_true(*origin_registry_serial(*state) > serial);
    origin_registry_read(*state, keep_last, &reading);
    assert_true(reading.drained);
    assert_true(origin_registry_drain(*state, "10.0.0.1:80", false));
    origin_registry_read(*state, keep_last, &reading);
    assert_false(reading.drained);
    origin_entry_put(&one);
}

static void numbers_of_all_workers_are_added_up(void **state)
{
    struct origin_entry *entry = origin_entry_get(*state, "10.0.0.1:80");
    struct origin_tally tallies[WORKERS] = {{0}};
    struct origin_reading reading = {0};

    for (uint32_t i = 0; i < WORKERS; i++) {
        origin_entry_join(entry, &tallies[i]);
        TALLY_ADD(tallies[i].requests, 10 + i);
        TALLY_ADD(tallies[i].busy, 1);
    }
    TALLY_ADD(tallies[1].busy, -1u);
    origin_registry_read(*state, keep_last, &reading);
    assert_int_equal(reading.requests, 33);
    assert_int_equal(reading.in_flight, 2);
    origin_entry_leave(entry, &tallies[2]);
    origin_registry_read(*state, keep_last, &reading);
    assert_int_equal(reading.requests, 33); /* what is past stays counted */
    assert_int_equal(reading.in_flight, 1);
    origin_entry_leave(entry, &tallies[0]);
    origin_entry_leave(entry, &tallies[1]);
    origin_entry_put(&entry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_name_is_one_entry),
        TEST(a_drain_holds_as_long_as_the_entry),
        TEST(numbers_of_all_workers_are_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
