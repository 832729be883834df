/* SPDX-License-Identifier: BSD-2-Clause */
/* route/path_guard: which paths pass, in what form, and why others do not. */
#include "route/path_guard.h"

#include "http/h1/h1_parser.h"
#include "http/uri.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const char rules[] =
    "listeners: [{address: \"127.0.0.1:8080\"}]\n"
    "services: {one: {origins: [\"127.0.0.1:9\"]}}\n"
    "routes:\n"
    "  - {name: admin, match: {path_prefix: /admin}, respond: {status: 403}}\n"
    "  - {name: ops, match: {path_prefix: /ops, method: POST}, respond: {status: 403}}\n"
    "  - {name: pub, match: {path_prefix: /pub}, service: one}\n"
    "  - {name: store, match: {path_prefix: /store}, service: one, path_guard: off}\n"
    "  - {name: api, match: {path_prefix: /api2/}, service: one,\n"
    "     rewrite: {path_prefix: /tenant-a/}}\n"
    "  - {name: cafe, match: {path_prefix: /caf%C3%A9/}, service: one,\n"
    "     rewrite: {path_prefix: /%C3%A9/}}\n"
    "  - {name: home, match: {path: /}, service: one}\n"
    "  - {name: else, match: {host: other}, service: one}\n"
    "  - {name: shut, match: {host: open, path_prefix: /shut}, respond: {status: 403}}\n"
    "  - {name: open, match: {host: open}, service: one}\n";

#define REFUSED "refused"

static struct plan *plan;

static int set_up(void **state)
{
    (void)state;
    plan = gateway_plan("%s", rules);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_unref(&plan);
    return 0;
}

/* `wanted` goes on, on a route of this name; REFUSED; NULL: there is no route. */
static void expect(const char *method, const char *host, const char *target, const char *name,
                   const char *wanted)
{
    const struct h1_limits limits = {32768, 8192, 100, 0};
    static struct http_header rows[HTTP_HEADERS_MAX];
    static struct http_request request = {.headers.rows = rows};
    struct path_question question = {plan_router(plan), &request, "127.0.0.1:8080", NULL, NULL};
    struct h1_problem problem = {0};
    struct path_asked asked;
    struct path_verdict verdict;
    static char text[9000];
    static char scratch[PATH_MOST];
    static char room[PATH_MOST];
    size_t consumed;

    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, target, host);
    assert_int_equal(h1_parse_request(bytes_of(text), &limits, &request, &consumed, &problem),
                     H1_COMPLETE);
    asked.sent = request.path;
    assert_true(uri_normalise_path(asked.sent, scratch, &asked.normal, &asked.marks));
    verdict = path_guard_judge(&question, &asked, room, NULL, NULL);
    if (wanted == NULL) {
        assert_null(verdict.route);
    } else if (strcmp(wanted, REFUSED) == 0) {
        if (verdict.cause == PATH_PASSES) {
            fail_msg("%s passes", target);
        }
    } else if (verdict.route == NULL || verdict.cause != PATH_PASSES) {
        fail_msg("%s: %s", target, path_cause_sentence(verdict.cause));
    } else {
        assert_string_equal(verdict.route->name, name);
        if (!bytes_equal(verdict.forwarded, bytes_of(wanted))) {
            fail_msg("%s goes on as %.*s", target, (int)verdict.forwarded.length,
                     verdict.forwarded.at);
        }
    }
}

static void get(const char *target, const char *name, const char *wanted)
{
    expect("GET", "h", target, name, wanted);
}

static void what_all_read_alike_passes_untouched(void **state)
{
    (void)state;
    get("/pub/a%2fb", "pub", "/pub/a%2fb");
    get("/pub/a;v=1", "pub", "/pub/a;v=1");
    get("/pub//a\\b", "pub", "/pub//a\\b");
    get("/pub/100%25", "pub", "/pub/100%25");
    get("/pub/%c3%a9%3F", "pub", "/pub/%c3%a9%3F");
    get("/caf%C3%A9/x;v=1/%2f", "cafe", "/caf%C3%A9/x;v=1/%2F");
    get("/api2/x%2Fy", "api", "/api2/x%2Fy");
}

static void the_normal_form_goes_on(void **state)
{
    (void)state;
    get("/admin/../pub", "pub", "/pub");
    get("/%70ub//x", "pub", "/pub//x");
    get("//pub/x", "pub", "/pub/x");
    get("/api2/../api2/secret", "api", "/api2/secret");
    get("/store/./a//b", "store", "/store/a/b");
}

static void what_may_be_another_route_is_refused(void **state)
{
    static const char *const paths[] = {
        "/pub/..%2fadmin",  "/pub%2f..%2fadmin", "/pub/..;/admin",        "/pub/..;a=b/admin",
        "/pub/..\\admin",   "/pub/..%5cadmin",   "/pub/%252e%252e/admin", "/pub/..%252fadmin",
        "/pub\\..\\admin",  "/pub/..%3b/admin",  "/pub/x;/../..;/admin",  "/pub/..%255cadmin",
        "/pub/..%2f..%2fx",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        get(paths[i], "pub", REFUSED);
    }
    get("/%2fpub/x", NULL, NULL);                /* no route has it: 404 as ever */
    get("/pub/..%2fnowhere", "pub", REFUSED);    /* the origin may serve what no route exposes */
    get("/pub/..%2f..%2fpub/x", "pub", REFUSED); /* above the root */
    get("/;/admin", NULL, NULL);
}

static void the_rest_of_the_match_is_the_same_for_all(void **state)
{
    (void)state;
    expect("POST", "h", "/pub/..%2fops", "pub", REFUSED);
    expect("GET", "other", "/x%2f..%2fops", "else", "/x%2f..%2fops");  /* ops wants a POST */
    expect("POST", "other", "/x%2f..%2fops", "else", "/x%2f..%2fops"); /* the host comes first */
}

/* The URL standard takes "///x/admin" for the path "/admin" of the host "x". */
static void slashes_before_a_host_do_not_count(void **state)
{
    (void)state;
    expect("GET", "open", "///x/shut", "open", "/x/shut");
    expect("GET", "open", "////x//shut", "open", "/x/shut"); /* as a file name, too */
    expect("GET", "open", "///x/else", "open", "///x/else");
    expect("GET", "open", "/\\/x/shut", "open", REFUSED);
    expect("GET", "open", "/\\\\x/shut", "open", REFUSED);
    expect("GET", "open", "/%2f%5Cx/shut", "open", REFUSED);
    expect("GET", "open", "//;/x/shut", "open", REFUSED);
}

static void a_route_may_do_without(void **state)
{
    (void)state;
    get("/store/..%2fadmin", "store", "/store/..%2fadmin");
    get("/pub/..%2fstore", "pub", REFUSED); /* it is the other one's setting that counts */
}

static void nothing_leaves_the_new_prefix(void **state)
{
    (void)state;
    get("/api2/..%2fapi2/x", "api", REFUSED); /* "/tenant-a/../api2/x" */
    get("/api2/x%2f..%2f..%2fapi2/y", "api", REFUSED);
    get("/api2/x%2f..%2fy", "api", "/api2/x%2F..%2Fy");
    get("/caf%C3%A9/%2F", "cafe", "/caf%C3%A9/%2F");
}

static void the_work_is_bounded(void **state)
{
    static char path[8000];
    static const char piece[] = "a;%2Fb;%5C%253B%3F%25C3//";

    (void)state;
    memcpy(path, "/pub/", 5);
    for (size_t i = 5; i < sizeof(path) - 40; i++) {
        path[i] = piece[(i - 5) % (sizeof(piece) - 1)];
    }
    memcpy(path + sizeof(path) - 40, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 34);
    get(path, "pub", REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_read_alike_passes_untouched),
        cmocka_unit_test(the_normal_form_goes_on),
        cmocka_unit_test(what_may_be_another_route_is_refused),
        cmocka_unit_test(the_rest_of_the_match_is_the_same_for_all),
        cmocka_unit_test(slashes_before_a_host_do_not_count),
        cmocka_unit_test(a_route_may_do_without),
        cmocka_unit_test(nothing_leaves_the_new_prefix),
        cmocka_unit_test(the_work_is_bounded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
