/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/name_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define MANY 3000 /* several in each bucket */

static void finds_what_is_there_and_nothing_else(void **state)
{
    struct name_table *table = malloc(sizeof(*table));
    struct named *named = calloc(MANY, sizeof(*named));
    char(*names)[16] = calloc(MANY, sizeof(*names));
    size_t seen = 0;

    (void)state;
    name_table_init(table);
    assert_null(name_table_find(table, "n0", NULL));
    assert_null(name_table_next(table, NULL));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i);
        name_table_add(table, &named[i], names[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%zu", i);
        assert_ptr_equal(name_table_find(table, name, NULL), &named[i]);
        assert_null(name_table_find(table, name, &named[i]));
    }
    assert_null(name_table_find(table, "n", NULL));
    for (struct named *at = NULL; (at = name_table_next(table, at)) != NULL;) {
        seen++;
    }
    assert_int_equal(seen, MANY);
    for (size_t i = 0; i < MANY; i += 2) {
        name_table_remove(&named[i]);
    }
    assert_null(name_table_find(table, "n0", NULL));
    assert_ptr_equal(name_table_find(table, "n1", NULL), &named[1]);
    free(names);
    free(named);
    free(table);
}

static void things_of_one_name_come_in_their_order(void **state)
{
    struct name_table *table = malloc(sizeof(*table));
    struct named twins[3] = {0};

    (void)state;
    name_table_init(table);
    for (int i = 0; i < 3; i++) {
        name_table_add(table, &twins[i], "twin");
    }
    assert_ptr_equal(name_table_find(table, "twin", NULL), &twins[0]);
    assert_ptr_equal(name_table_find(table, "twin", &twins[0]), &twins[1]);
    assert_ptr_equal(name_table_find(table, "twin", &twins[1]), &twins[2]);
    assert_null(name_table_find(table, "twin", &twins[2]));
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there_and_nothing_else),
        cmocka_unit_test(things_of_one_name_come_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
