/* SPDX-License-Identifier: BSD-2-Clause */
/* config/schema/foreign: every name of another gateway leads to an option that there is, and none is an option's own
 * name where it would be met. */
#include "config/schema/foreign.h"

#include "config/schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool is_in_schema(const char *path)
{
    const struct option *option;

    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (strcmp(option->path, path) == 0) {
            return true;
        }
    }
    return false;
}

static void each_leads_to_an_option(void **state)
{
    const struct foreign_name *row;

    (void)state;
    for (size_t i = 0; (row = config_foreign_name_at(i)) != NULL; i++) {
        if (!is_in_schema(row->path)) {
            fail_msg("no option '%s', which '%s' leads to", row->path, row->name);
        }
        assert_ptr_equal(config_foreign_name(bytes_of(row->name)), row);
    }
}

static void spelling_is_free(void **state)
{
    (void)state;
    assert_string_equal(config_foreign_name(BYTES("Proxy-Pass"))->path, "service");
    assert_null(config_foreign_name(BYTES("proxy_pas")));
    assert_null(config_foreign_name(BYTES("proxy_passes")));
    assert_null(config_foreign_name(BYTES("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_leads_to_an_option),
        cmocka_unit_test(spelling_is_free),
    };

    return cmocka_run_group_tests_name("config/foreign", tests, NULL, NULL);
}
