/* SPDX-License-Identifier: BSD-2-Clause */
/* control/pages/metrics_routes: writing a page gives the core up between its pieces, and workers that use
 * the store meanwhile must not wait for it. */
#include "control/pages/metrics_families.h"

#include "cache/cache_store.h"
#include "control/yield.h"
#include "exchange/generation.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

#define CONFIG \
    "listeners: [{address: \"127.0.0.1:0\"}]\n" \
    "services:\n" \
    "  one: {origins: [\"127.0.0.1:1\"]}\n" \
    "routes:\n" \
    "  - {name: r, service: one, cache: {ttl: 1h}}\n"
#define ADDS_MOST 1024u
#define TOO_LONG_S 10

static unsigned yields;

/* In place of the system's: what a worker on this core would do now. It would wait for ever for a lock
 * that is held here. */
int sched_yield(void)
{
    yields++;
    assert_int_equal(cache_store_read_route("r").stored, 0);
    return 0;
}

static struct plan *plan_of(void *owner)
{
    return plan_ref(owner);
}

static void add_behind(size_t before, const struct control_sources *sources)
{
    struct page page = {0};
    struct metrics_text out = {.page = &page};

    for (size_t i = 0; i < before; i++) {
        page_add_char(&page, '\n');
    }
    metrics_held_add(&out, sources);
    assert_in_range(page.length - before, 1, ADDS_MOST);
    page_add_char(&page, '\0');
    assert_non_null(strstr(page.at + before, "turnpike_cache_answers{route=\"r\"} 0\n"));
    assert_non_null(strstr(page.at + before, "turnpike_cache_bytes{route=\"r\"} 0\n"));
    page_release(&page);
}

/* Wherever in these families a piece of the page ends. */
static void the_core_is_not_given_up_under_the_stores_lock(void **state)
{
    struct plan *plan = gateway_plan(CONFIG);
    const struct control_sources sources = {.owner = plan, .plan = plan_of};

    (void)state;
    alarm(TOO_LONG_S);
    for (size_t before = YIELD_BYTES - ADDS_MOST; before < YIELD_BYTES; before++) {
        add_behind(before, &sources);
    }
    alarm(0);
    assert_true(yields > 0);
    plan_unref(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_core_is_not_given_up_under_the_stores_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
