/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/explain/explain: what it says must be what the router does, for any routes and any request. */
#include "exchange/explain/explain.h"

#include "base/system/random.h"
#include "http/uri.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define RULES \
    "listeners: [{address: \"127.0.0.1:8080\"}, {address: \"127.0.0.1:8081\"}]\n" \
    "services:\n" \
    "  old: {origins: [\"127.0.0.1:1\", \"127.0.0.1:2\"]}\n" \
    "  new: {origins: [{address: \"127.0.0.1:3\", weight: 7}]}\n" \
    "routes:\n" \
    "  - {name: any, respond: {status: 404}}\n" \
    "  - {name: suffix, match: {host: \"*.example.com\"}, respond: {}}\n" \
    "  - {name: v1, match: {host: pay.example.com, path_prefix: /v1/}, service: old}\n" \
    "  - {name: charge, match: {host: pay.example.com, path_prefix: /v1/charge},\n" \
    "     split: {old: 95.5%, new: 4.5%}}\n" \
    "  - {name: exact, match: {host: pay.example.com, path: /v1/charge, method: PUT}, respond: " \
    "{}}\n" \
    "  - {name: admin, match: {listener: \"127.0.0.1:8081\"}, redirect: {to: /x}}\n" \
    "  - {name: header, match: {headers: {X-Tenant: blue}}, respond: {}}\n" \
    "  - {name: query, match: {query: {debug: true}}, respond: {}}\n"

static char *explained(struct plan *plan, const char *text, const char *listener)
{
    const struct explain_world world = {.settings = plan_settings(plan),
                                        .router = plan_router(plan)};
    const struct explain_asked asked = {.text = bytes_of(text), .listener = listener};
    struct page page = {0};
    struct explain_refusal refusal = {NULL, NULL};

    if (!explain(&world, &asked, &page, &refusal)) {
        page_release(&page);
        page_format(&page, "refused: %s; %s", refusal.why, refusal.remedy);
    }
    page_add_char(&page, '\0');
    assert_false(page.failed);
    return page.at;
}

static void assert_explained(const char *text, const char *listener, const char *const *expected)
{
    struct plan *plan = gateway_plan("%s", RULES);
    char *answer = explained(plan, text, listener);

    for (; *expected != NULL; expected++) {
        if (strstr(answer, *expected) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", *expected, answer);
        }
    }
    free(answer);
    plan_unref(&plan);
}

#define EXPECT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ROW(route, verdict, because) \
    "{\"route\": \"" route "\", \"verdict\": \"" verdict "\", \"because\": \"" because "\"}"

static void each_route_has_its_reason(void **state)
{
    (void)state;
    assert_explained(
        "GET https://pay.example.com/v1/charge", NULL,
        EXPECT("\"route\": \"charge\"", ROW("charge", "wins", "all of its match holds"),
               ROW("v1", "loses", "the winner has a longer prefix of the path"),
               ROW("suffix", "loses", "the winner names the host itself"),
               ROW("any", "loses", "the winner names the host itself"),
               ROW("exact", "loses", "method GET is not among its methods"),
               ROW("admin", "loses", "listener is 127.0.0.1:8080, not one of its listeners"),
               ROW("header", "loses", "header x-tenant is not blue"),
               ROW("query", "loses", "query parameter debug is not there")));
    assert_explained("GET http://www.example.com/", NULL,
                     EXPECT("\"route\": \"suffix\"",
                            ROW("v1", "loses", "host is www.example.com, not pay.example.com")));
    assert_explained(
        "PUT http://pay.example.com/v1/charge", NULL,
        EXPECT("\"route\": \"exact\"", ROW("charge", "loses", "the winner has the whole path")));
    assert_explained("PUT http://pay.example.com/v2", NULL,
                     EXPECT(ROW("v1", "loses", "path /v2 does not start with /v1/"),
                            ROW("exact", "loses", "path is /v2, not /v1/charge")));
}

static void header_lines_and_the_listener_count(void **state)
{
    (void)state;
    assert_explained(
        "GET http://x/\nX-Tenant: blue\n", NULL,
        EXPECT("\"route\": \"header\"", ROW("any", "loses", "the winner has more conditions")));
    assert_explained("GET /?debug\nHost: x\n", NULL,
                     EXPECT("\"route\": \"query\"", "\"host\": \"x\""));
    assert_explained("GET http://x/", "127.0.0.1:8081",
                     EXPECT("\"route\": \"admin\"", "\"redirect\": \"/x\""));
}

static void what_a_forward_would_do_is_reported(void **state)
{
    (void)state;
    assert_explained("POST http://pay.example.com/v1/charge/7", NULL,
                     EXPECT("\"split\": {\"old\": \"95.5%\", \"new\": \"4.5%\"}",
                            "\"connect\": \"3s\"", "\"send_idle\": \"60s\"",
                            "\"first_byte\": \"60s\"", "\"not-sent\": \"yes\"",
                            "\"maybe\": \"no: policy\"",
                            "\"service\": \"new\", \"origin\": \"127.0.0.1:3\", \"weight\": 7"));
    assert_explained("GET http://pay.example.com/v1/", NULL,
                     EXPECT("\"service\": \"old\"", "\"maybe\": \"yes\""));
    assert_explained(
        "POST http://pay.example.com/v1/charge/7\nContent-Type: application/grpc+proto\n", NULL,
        EXPECT("\"stream_idle\": \"600s\", \"total\""));
}

static void what_the_gateway_would_refuse_is_refused(void **state)
{
    (void)state;
    assert_explained("GET", NULL, EXPECT("refused: the question is METHOD URL, two words"));
    assert_explained("GET http://x/ more", NULL, EXPECT("refused: the question is METHOD URL"));
    assert_explained("GET ftp://x/", NULL, EXPECT("refused: the URL begins with none of http://"));
    assert_explained("GET http://x/\nCookie uid=7\n", NULL,
                     EXPECT("refused: a header line is NAME: VALUE", "-H 'Cookie: uid=7'"));
    assert_explained("GET http://x/", "127.0.0.1:9999",
                     EXPECT("refused: there is no listener of this address"));
    assert_explained("GET http://x/../..", NULL, EXPECT("refused: the path has a bad escape"));
    assert_explained("G(T http://x/", NULL, EXPECT("refused: "));
    assert_explained("GET http://x/\nbad header\n", NULL, EXPECT("refused: "));
    assert_explained("", NULL, EXPECT("refused: "));
}

/* --- against the router, at random -------------------------------------------------------- */

#define RANDOM_ROUTES 24

static void add_random_route(struct page *page, struct random *random, int number)
{
    static const char *const hosts[] = {"",
                                        "host: a.x, ",
                                        "host: \"*.x\", ",
                                        "host: [b.a.x, \"*\"], ",
                                        "host: \"*.a.x\", ",
                                        "host: [\"*.x\", a.x], "};
    static const char *const paths[] = {"",
                                        "path: /p, ",
                                        "path_prefix: /, ",
                                        "path_prefix: /p, ",
                                        "path_prefix: /p/, ",
                                        "path: /p/q, "};
    static const char *const rest[] = {"", "method: GET, ", "headers: {Q: true}, ",
                                       "headers: {H: \"1\"}, ",
                                       "method: [POST], headers: {H: true}, "};

    page_format(page, "  - {name: r%d, match: {%s%s%s query: {z%d: \"%d\"}}, respond: {}}\n",
                number, hosts[random_below(random, 6)], paths[random_below(random, 6)],
                rest[random_below(random, 5)], number % 3, number / 3);
}

static struct plan *random_plan(struct random *random)
{
    struct page page = {0};
    struct plan *plan;

    page_add_text(&page, "listeners: [{address: \"127.0.0.1:8080\"}]\nroutes:\n");
    for (int i = 0; i < RANDOM_ROUTES; i++) {
        add_random_route(&page, random, i);
    }
    page_add_char(&page, '\0');
    plan = gateway_plan("%s", page.at);
    page_release(&page);
    return plan;
}

/* Routes of one match are refused by the configuration, so each has a parameter of its own; here
 * several of those are met at once. */
static void random_request(char *text, size_t size, struct random *random)
{
    static const char *const hosts[] = {"a.x", "b.a.x", "c.x", "y"};
    static const char *const paths[] = {"/", "/p", "/p/", "/p/q", "/pq"};
    int length = snprintf(text, size, "%s http://%s%s?z0=%u&z1=%u&z2=%u%s%s",
                          random_below(random, 2) ? "GET" : "POST", hosts[random_below(random, 4)],
                          paths[random_below(random, 5)], (unsigned)random_below(random, 8),
                          (unsigned)random_below(random, 8), (unsigned)random_below(random, 8),
                          random_below(random, 2) ? "&q=1" : "",
                          random_below(random, 2) ? "\nH: 1\n" : "\n");

    assert_true(length > 0 && (size_t)length < size);
}

static int number_behind(const char *text, const char *before)
{
    const char *at = strstr(text, before);

    return at != NULL ? atoi(at + strlen(before)) : -1;
}

static void assert_rows_agree(const char *answer)
{
    int winner = number_behind(answer, "\"route\": \"r");
    int rows = 0;
    int wins = 0;

    for (const char *row = strstr(answer, "\"routes\": ["); row != NULL && (row = strchr(row, '{'));
         row = strchr(row, '\n')) {
        int number = number_behind(row, "{\"route\": \"r");
        bool is_winner = strncmp(strstr(row, "\"verdict\": \"") + 12, "wins", 4) == 0;
        const char *because = strstr(row, "\"because\": \"") + 12;

        rows++;
        wins += is_winner;
        assert_int_equal(is_winner,
                         strstr(answer, "\"route\": \"none") == NULL && number == winner);
        assert_int_not_equal(because[0], '"');
        if (strncmp(because, "the winner stands before", 24) == 0) {
            assert_true(winner < number);
        }
    }
    assert_int_equal(rows, RANDOM_ROUTES);
    assert_int_equal(wins, strstr(answer, "\"route\": \"none") == NULL);
}

static void it_says_what_the_router_does(void **state)
{
    struct random random;
    int with_winner = 0;

    (void)state;
    random_init(&random);
    for (int i = 0; i < 40; i++) {
        struct plan *plan = random_plan(&random);

        for (int j = 0; j < 50; j++) {
            char text[256];
            char *answer;

            random_request(text, sizeof(text), &random);
            answer = explained(plan, text, NULL);
            assert_rows_agree(answer);
            with_winner += strstr(answer, "\"wins\"") != NULL;
            free(answer);
        }
        plan_unref(&plan);
    }
    assert_true(with_winner > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_has_its_reason),
        cmocka_unit_test(header_lines_and_the_listener_count),
        cmocka_unit_test(what_a_forward_would_do_is_reported),
        cmocka_unit_test(what_the_gateway_would_refuse_is_refused),
        cmocka_unit_test(it_says_what_the_router_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
