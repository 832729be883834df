/* SPDX-License-Identifier: BSD-2-Clause */
/* config/renamed: every old name leads to an option that there is, and no option that there is
 * counts as an old name. */
#include "config/schema/renamed.h"

#include "loading.h"

#define SOUND "listeners: [{address: 127.0.0.1:80}]\nroutes: [{respond: {}}]\n"

static const enum option_place places[] = {PLACE_GLOBAL, PLACE_LISTENER, PLACE_SERVICE,
                                           PLACE_ROUTE};

static void old_names_lead_to_new_ones(void **state)
{
    static const struct {
        enum option_place place;
        const char *old_path;
        const char *new_path;
    } cases[] = {
        {PLACE_GLOBAL, "limits.gather_bytes", "limits.request_buffer"},
        {PLACE_LISTENER, "limits.held_bytes", "limits.connection_buffer"},
        {PLACE_GLOBAL, "limits.requests", "limits.requests_per_connection"},
        {PLACE_SERVICE, "limits.requests", "limits.max_concurrent_requests"},
        {PLACE_SERVICE, "pool.waiting", "pool.max_pending"},
        {PLACE_ROUTE, "rates", "min_rates"},
        {PLACE_SERVICE, "health.slow.least", "health.slow.min_time"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = config_renamed_to(cases[i].place, cases[i].old_path);

        assert_non_null(path);
        assert_string_equal(path, cases[i].new_path);
        assert_non_null(config_option_find(cases[i].place, path));
    }
}

static void what_is_an_option_is_no_old_name(void **state)
{
    const struct option *option;

    (void)state;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
            if ((option->places & places[p]) != 0) {
                assert_null(config_renamed_to(places[p], option->path));
            }
        }
    }
    assert_null(config_renamed_to(PLACE_GLOBAL, "colour"));
}

static void the_error_names_the_new_one(void **state)
{
    static const struct bad_file files[] = {
        {SOUND "limits: {gather_bytes: 8KiB}\n",
         "3:10: 'limits.gather_bytes' was renamed: write 'limits.request_buffer'"},
        {SOUND "rates: {body: 1KiB}\n", "3:1: 'rates' was renamed: write 'min_rates'"},
    };

    (void)state;
    EXPECT_ALL(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_names_lead_to_new_ones),
        cmocka_unit_test(what_is_an_option_is_no_old_name),
        cmocka_unit_test(the_error_names_the_new_one),
    };

    return cmocka_run_group_tests_name("config/renamed", tests, NULL, NULL);
}
