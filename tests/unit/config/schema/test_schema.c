/* SPDX-License-Identifier: BSD-2-Clause */
/* config/schema/schema: the table itself makes sense, so that what is made from it does too. */
#include "config/schema/schema.h"

#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_row_is_complete(void **state)
{
    const struct option *option;
    size_t i;

    (void)state;
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        size_t length = strlen(option->help);

        assert_true(option->places != 0);
        assert_true(length > 8 && option->help[length - 1] == '.');
        assert_null(strchr(option->help, '|')); /* would break a table's row */
        assert_true((option->least == NULL) == (option->greatest == NULL));
        assert_false(option->required && option->initial != NULL);
        if (option->type == OPTION_TIME || option->type == OPTION_SIZE ||
            (option->type == OPTION_COUNT && option->words == NULL)) {
            assert_non_null(option->least);
            assert_true(option->size > 0);
        }
    }
    assert_true(i > 50);
}

static void no_option_twice_in_one_place(void **state)
{
    const struct option *a;
    const struct option *b;
    size_t i;
    size_t j;

    (void)state;
    for (i = 0; (a = config_option_at(i)) != NULL; i++) {
        for (j = i + 1; (b = config_option_at(j)) != NULL; j++) {
            assert_false((a->places & b->places) != 0 && strcmp(a->path, b->path) == 0);
        }
    }
}

static void children_have_a_group(void **state)
{
    const struct option *option;
    const struct option *group;
    char above[64];
    size_t i;
    unsigned place;

    (void)state;
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        const char *dot = strrchr(option->path, '.');

        for (place = PLACE_GLOBAL; dot != NULL && place <= PLACE_ROUTE; place *= 2) {
            if ((option->places & place) == 0) {
                continue;
            }
            memcpy(above, option->path, (size_t)(dot - option->path));
            above[dot - option->path] = '\0';
            group = config_option_find((enum option_place)place, above);
            assert_non_null(group);
            assert_true(group->type == OPTION_GROUP || group->type == OPTION_ORIGINS ||
                        group->type == OPTION_ROWS || group->type == OPTION_STEPS ||
                        group->type == OPTION_LOG_GROUP);
        }
    }
}

static void walking(void **state)
{
    struct bytes name;
    struct bytes words = BYTES("a|bc|d");
    const struct option *head = config_option_find(PLACE_GLOBAL, "timeouts.head");

    (void)state;
    assert_non_null(head);
    assert_true(config_option_is_child(head, PLACE_GLOBAL, "timeouts", &name));
    assert_true(bytes_equal(name, BYTES("head")));
    assert_false(config_option_is_child(head, PLACE_GLOBAL, "", &name));
    assert_false(config_option_is_child(head, PLACE_GLOBAL, "time", &name));
    assert_false(config_option_is_child(head, PLACE_ROUTE, "timeouts", &name));
    assert_null(config_option_find(PLACE_ROUTE, "timeouts.head"));
    assert_true(config_next_word(&words, &name));
    assert_true(config_next_word(&words, &name));
    assert_true(bytes_equal(name, BYTES("bc")));
    assert_true(config_next_word(&words, &name));
    assert_false(config_next_word(&words, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(no_option_twice_in_one_place),
        cmocka_unit_test(children_have_a_group),
        cmocka_unit_test(walking),
    };

    return cmocka_run_group_tests_name("config/schema/schema", tests, NULL, NULL);
}
