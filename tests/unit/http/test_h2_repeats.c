/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_repeats: which fields of answers are worth a place in the compressor's table. */
#include "http/h2/h2_repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define ANSWERS 1000

static bool note(struct h2_repeats *repeats, const char *name, const char *value)
{
    return h2_repeats_note(repeats, bytes_of(name), bytes_of(value));
}

/* Its name then stands in the table for those that follow. */
static void the_first_field_of_a_name_gets_a_place(void **state)
{
    struct h2_repeats repeats = {0};

    (void)state;
    assert_true(note(&repeats, "x-request-id", "1"));
    assert_false(note(&repeats, "x-request-id", "2"));
    assert_true(note(&repeats, "server", "a"));
}

static void what_comes_again_gets_a_place(void **state)
{
    struct h2_repeats repeats = {0};

    (void)state;
    assert_true(note(&repeats, "date", "now"));
    assert_false(note(&repeats, "date", "then"));
    assert_true(note(&repeats, "date", "then"));
    assert_true(note(&repeats, "date", "now"));
}

/* However many new values pass, those that stay keep their places. */
static void new_values_push_nothing_out(void **state)
{
    struct h2_repeats repeats = {0};
    char id[37];

    (void)state;
    note(&repeats, "content-type", "application/json");
    note(&repeats, "link", "</a>");
    note(&repeats, "link", "</b>");
    note(&repeats, "link", "</b>");
    for (int i = 0; i < ANSWERS; i++) {
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", i * 2654435761u, i);
        note(&repeats, "x-request-id", id);
        assert_true(note(&repeats, "content-type", "application/json"));
        assert_true(note(&repeats, "link", "</b>"));
    }
}

/* But for the first, and for what one hash in many thousands mistakes. */
static void new_values_get_no_place(void **state)
{
    struct h2_repeats repeats = {0};
    int places = 0;
    char id[37];

    (void)state;
    for (int i = 0; i < ANSWERS; i++) {
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", i * 2654435761u, i);
        places += note(&repeats, "x-request-id", id);
    }
    assert_in_range(places, 1, 10);
}

static void a_name_and_its_value_are_told_from_others(void **state)
{
    struct h2_repeats repeats = {0};

    (void)state;
    note(&repeats, "a", "first");
    note(&repeats, "b", "first");
    assert_false(note(&repeats, "a", ""));
    assert_false(note(&repeats, "a", "12345678"));
    assert_false(note(&repeats, "a", "123456789"));
    assert_false(note(&repeats, "b", "12345678"));
}

/* They stand in a table of the RFC, where the compressor looks only for what may have a place. */
static void pseudo_fields_are_always_looked_up(void **state)
{
    struct h2_repeats repeats = {0};

    (void)state;
    assert_true(note(&repeats, ":status", "431"));
    assert_true(note(&repeats, ":status", "200"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_field_of_a_name_gets_a_place),
        cmocka_unit_test(what_comes_again_gets_a_place),
        cmocka_unit_test(new_values_push_nothing_out),
        cmocka_unit_test(new_values_get_no_place),
        cmocka_unit_test(pseudo_fields_are_always_looked_up),
        cmocka_unit_test(a_name_and_its_value_are_told_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
