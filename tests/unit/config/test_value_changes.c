/* SPDX-License-Identifier: BSD-2-Clause */
/* config/value_changes: one line a value, by path in the file, list items by name. */
#include "config/value_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect(const char *before, const char *now, const char *lines)
{
    struct page page = {0};

    assert_true(value_changes_add(&page, bytes_of(before), bytes_of(now)));
    page_add_char(&page, '\0');
    assert_string_equal(page.at, lines);
    page_release(&page);
}

static void test_nothing_differs(void **state)
{
    (void)state;
    expect("listeners: [{address: 'a:1'}]\nroutes: [{name: x, service: y}]\n",
           "routes:\n  - service: y # later\n    name: x\nlisteners:\n  - address: 'a:1'\n", "");
}

static void test_splits(void **state)
{
    (void)state;
    expect("routes: [{name: payments, split: {payments-v1: 95%, payments-v2: 5%}}]\n",
           "routes: [{name: payments, split: {payments-v1: 99%, payments-v2: 1%}}]\n",
           "payments: split payments-v1 95% -> 99%\npayments: split payments-v2 5% -> 1%\n");
}

static void test_options_by_path(void **state)
{
    (void)state;
    expect("timeouts: {head: 60s, connect: 3s}\nworkers: 2\nroutes: [{name: r, service: s}]\n",
           "timeouts: {head: 10s, connect: 3s}\nvia: edge\n"
           "routes: [{name: r, service: t, timeouts: {total: 5s}}]\n",
           "timeouts.head 60s -> 10s\nworkers 2 -> absent\nvia absent -> edge\n"
           "r: service s -> t\nr: timeouts absent -> {total: 5s}\n");
}

static void test_items_by_name(void **state)
{
    (void)state;
    expect("services: {s: {origins: ['a:1', {address: 'b:2', weight: 1}, 'c:3']}}\nroutes: []\n",
           "services: {s: {origins: ['a:1', {address: 'b:2', weight: 3}, 'd:4']}}\nroutes: []\n",
           "s: origins b:2.weight 1 -> 3\ns: origins - c:3\ns: origins + d:4\n");
    expect("listeners: [{address: 'a:1', tls: {certificates: [{cert: x, key: y}]}}]\nroutes: []\n",
           "listeners: [{address: 'a:1', tls: {certificates: [{cert: x, key: z}]}}]\nroutes: []\n",
           "a:1: tls.certificates x.key y -> z\n");
    expect("routes: [{name: r, sticky: [cookie, header]}]\n",
           "routes: [{name: r, sticky: [header, cookie]}]\n",
           "r: sticky [cookie, header] -> [header, cookie]\n");
}

/* One value is a list of one. */
static void test_plain_value_and_list(void **state)
{
    (void)state;
    expect("routes: [{name: r, match: {host: a}}]\n",
           "routes: [{name: r, match: {host: [a, b]}}]\n", "r: match.host + b\n");
}

static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    expect("routes: [{name: r, salt: one, request_headers: {set: {Authorization: Bearer1}}}]\n",
           "routes: [{name: r, salt: two, request_headers: {set: {Authorization: Bearer2}}}]\n",
           "r: salt (not shown) -> (not shown)\n"
           "r: request_headers.set Authorization (not shown) -> (not shown)\n");
}

static void test_included_files(void **state)
{
    (void)state;
    expect(
        "include: x\nroutes: []\n--- # included file: x\nroutes: [{name: r, body_bytes: 1KiB}]\n",
        "include: x\nroutes: []\n--- # included file: x\nroutes: [{name: r, body_bytes: 2KiB}]\n",
        "r: body_bytes 1KiB -> 2KiB\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_differs),      cmocka_unit_test(test_splits),
        cmocka_unit_test(test_options_by_path),      cmocka_unit_test(test_items_by_name),
        cmocka_unit_test(test_plain_value_and_list), cmocka_unit_test(test_secrets_are_not_shown),
        cmocka_unit_test(test_included_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
