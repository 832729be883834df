/* SPDX-License-Identifier: BSD-2-Clause */
/* route/router: the order of preference that router.h promises, each rule alone, then against
 * a plain walk through all routes over random routes and requests. */
#include "route/router.h"

#include "base/memory/arena.h"
#include "base/system/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ANY_LISTENER "127.0.0.1:8080"

/* --- routes in a few words ---------------------------------------------------------------- */

struct table {
    struct settings settings;
    struct arena *arena;
    struct router *router;
    uint32_t room;
};

static void begin(struct table *table, uint32_t room)
{
    memset(table, 0, sizeof(*table));
    table->arena = arena_new();
    table->room = room;
    table->settings.routes = arena_take(table->arena, room * sizeof(struct route_settings));
}

static struct host_pattern pattern_of(const char *text)
{
    if (strcmp(text, "*") == 0) {
        return (struct host_pattern){HOST_ANY, {0}};
    }
    if (text[0] == '*') {
        return (struct host_pattern){HOST_SUFFIX, bytes_of(text + 1)};
    }
    return (struct host_pattern){HOST_EXACT, bytes_of(text)};
}

/* `host` NULL: any. `path` NULL: any; with a trailing "...": what comes before is a prefix. */
static struct route_settings *add(struct table *table, const char *host, const char *path)
{
    struct settings *settings = &table->settings;
    struct route_settings *route = &settings->routes[settings->route_count];

    assert_true(settings->route_count < table->room);
    route->index = settings->route_count++;
    if (host != NULL) {
        route->hosts = arena_take(table->arena, sizeof(*route->hosts));
        route->hosts[0] = pattern_of(arena_copy(table->arena, bytes_of(host)));
        route->host_count = 1;
    }
    if (path != NULL) {
        route->path = bytes_of(arena_copy(table->arena, bytes_of(path)));
        route->path_kind = PATH_EXACT;
        if (route->path.length >= 3 &&
            memcmp(route->path.at + route->path.length - 3, "...", 3) == 0) {
            route->path.length -= 3;
            route->path_kind = PATH_PREFIX;
        }
    }
    return route;
}

static void with_method(struct table *table, struct route_settings *route, const char *method)
{
    struct bytes *more = arena_take(table->arena, (route->method_count + 1) * sizeof(struct bytes));

    if (route->method_count > 0) {
        memcpy(more, route->methods, route->method_count * sizeof(struct bytes));
    }
    more[route->method_count++] = bytes_of(method);
    route->methods = more;
}

static struct pair_match *one_more(struct table *table, struct pair_match *pairs, uint32_t count)
{
    struct pair_match *more = arena_take(table->arena, (count + 1) * sizeof(*more));

    if (count > 0) {
        memcpy(more, pairs, count * sizeof(*more));
    }
    return more;
}

/* `value` NULL: present is enough. */
static void with_header(struct table *table, struct route_settings *route, const char *name,
                        const char *value)
{
    route->headers = one_more(table, route->headers, route->header_count);
    route->headers[route->header_count++] =
        (struct pair_match){bytes_of(name), bytes_of(value), value == NULL};
}

static void with_query(struct table *table, struct route_settings *route, const char *name,
                       const char *value)
{
    route->query = one_more(table, route->query, route->query_count);
    route->query[route->query_count++] =
        (struct pair_match){bytes_of(name), bytes_of(value), value == NULL};
}

static void with_listener(struct table *table, struct route_settings *route, const char *name)
{
    route->listeners = arena_take(table->arena, sizeof(char *));
    route->listeners[route->listener_count++] = name;
}

static void finish(struct table *table)
{
    router_free(&table->router);
    assert_null(table->router);
    arena_free(&table->arena);
}

static void build(struct table *table)
{
    table->router = router_new(&table->settings);
    assert_non_null(table->router);
}

/* --- requests in a few words -------------------------------------------------------------- */

struct question {
    struct http_request request;
    struct http_header rows[HTTP_HEADERS_MAX];
    struct bytes path;
    const char *listener;
};

static void ask(struct question *question, const char *host, const char *path)
{
    memset(question, 0, sizeof(*question));
    question->request.method_text = BYTES("GET");
    question->request.host = bytes_of(host);
    question->path = bytes_of(path);
    question->listener = ANY_LISTENER;
}

static void ask_header(struct question *question, const char *name, const char *value)
{
    struct http_headers *headers = &question->request.headers;

    headers->rows = question->rows;
    headers->rows[headers->count++] = (struct http_header){
        .name = name,
        .name_length = (uint16_t)strlen(name),
        .value = value,
        .value_length = (uint32_t)strlen(value),
    };
}

static int find(const struct table *table, const struct question *question)
{
    const struct route_settings *route =
        router_find(table->router, &question->request, question->path, question->listener, NULL);
    struct router_memory memory;

    router_remember(table->router, &question->request, &memory);
    for (int i = 0; i < 2; i++) { /* the second time from what the first one left */
        assert_ptr_equal(router_find_again(table->router, &question->request, question->path,
                                           question->listener, NULL, &memory),
                         route);
    }
    return route != NULL ? (int)route->index : -1;
}

static int find_plain(const struct table *table, const char *host, const char *path)
{
    struct question question;

    ask(&question, host, path);
    return find(table, &question);
}

/* --- each rule ---------------------------------------------------------------------------- */

static void without_routes_nothing_is_found(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 1);
    build(&table);
    assert_int_equal(find_plain(&table, "example.com", "/"), -1);
    finish(&table);
}

static void an_exact_host_before_a_suffix_before_any(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 5);
    add(&table, NULL, "/same");              /* 0 */
    add(&table, "*.example.com", NULL);      /* 1 */
    add(&table, "*.deep.example.com", NULL); /* 2 */
    add(&table, "a.deep.example.com", NULL); /* 3 */
    add(&table, "*", NULL);                  /* 4 */
    build(&table);
    assert_int_equal(find_plain(&table, "a.deep.example.com", "/same"), 3);
    assert_int_equal(find_plain(&table, "b.deep.example.com", "/same"), 2);
    assert_int_equal(find_plain(&table, "x.a.deep.example.com", "/same"), 2);
    assert_int_equal(find_plain(&table, "deep.example.com", "/same"), 1);
    assert_int_equal(find_plain(&table, "example.com", "/same"), 0);
    assert_int_equal(find_plain(&table, "example.com", "/else"), 4);
    assert_int_equal(find_plain(&table, "notexample.com", "/else"), 4);
    assert_int_equal(find_plain(&table, "", "/else"), 4);
    finish(&table);
}

static void hosts_are_found_in_any_case(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 2);
    add(&table, "api.example.com", NULL);
    add(&table, "*.example.org", NULL);
    build(&table);
    assert_int_equal(find_plain(&table, "API.Example.COM", "/"), 0);
    assert_int_equal(find_plain(&table, "WWW.EXAMPLE.ORG", "/"), 1);
    assert_int_equal(find_plain(&table, "example.org", "/"), -1);
    assert_int_equal(find_plain(&table, ".example.org", "/"), -1);
    finish(&table);
}

static void a_host_too_long_for_any_name_finds_only_any(void **state)
{
    struct table table;
    char host[600];

    (void)state;
    memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    begin(&table, 2);
    add(&table, "*.example.com", NULL);
    build(&table);
    assert_int_equal(find_plain(&table, host, "/"), -1);
    router_free(&table.router);
    add(&table, NULL, NULL);
    build(&table);
    assert_int_equal(find_plain(&table, host, "/"), 1);
    finish(&table);
}

static void an_exact_path_before_the_longest_prefix_before_any(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 6);
    add(&table, NULL, NULL);          /* 0 */
    add(&table, NULL, "/v1/...");     /* 1 */
    add(&table, NULL, "/v1/pay/..."); /* 2 */
    add(&table, NULL, "/v1/pay/now"); /* 3 */
    add(&table, NULL, "/v1...");      /* 4 */
    build(&table);
    assert_int_equal(find_plain(&table, "h", "/v1/pay/now"), 3);
    assert_int_equal(find_plain(&table, "h", "/v1/pay/now/"), 2);
    assert_int_equal(find_plain(&table, "h", "/v1/pay/"), 2);
    assert_int_equal(find_plain(&table, "h", "/v1/pay"), 1);
    assert_int_equal(find_plain(&table, "h", "/v1/"), 1);
    assert_int_equal(find_plain(&table, "h", "/v1"), 4);
    assert_int_equal(find_plain(&table, "h", "/v12"), 4);
    assert_int_equal(find_plain(&table, "h", "/v"), 0);
    assert_int_equal(find_plain(&table, "h", "/"), 0);
    finish(&table);
}

/* Paths are not even hashed where no route is as long, modulo 64. */
static void exact_paths_of_all_lengths(void **state)
{
    char path[201];
    struct table table;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    begin(&table, 4);
    for (size_t length = 1; length <= 200; length += 63) {
        path[length] = '\0';
        add(&table, NULL, path);
        path[length] = 'x';
    }
    build(&table);
    for (size_t length = 1; length <= 200; length++) {
        path[length] = '\0';
        assert_int_equal(find_plain(&table, "h", path), length % 63 == 1 ? (int)(length / 63) : -1);
        path[length] = 'x';
    }
    finish(&table);
}

static void the_prefix_of_all_paths_is_any_path(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 2);
    add(&table, NULL, NULL);
    add(&table, NULL, "/...");
    build(&table);
    assert_int_equal(find_plain(&table, "h", "/x"), 0); /* of equals, the first */
    finish(&table);
    begin(&table, 2);
    add(&table, NULL, "/...");
    add(&table, NULL, NULL);
    build(&table);
    assert_int_equal(find_plain(&table, "h", "/x"), 0);
    finish(&table);
}

static void the_host_weighs_more_than_the_path(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 3);
    add(&table, NULL, "/exact");
    add(&table, "example.com", NULL);
    add(&table, "*.com", "/exact");
    build(&table);
    assert_int_equal(find_plain(&table, "example.com", "/exact"), 1);
    assert_int_equal(find_plain(&table, "other.com", "/exact"), 2);
    assert_int_equal(find_plain(&table, "other.com", "/else"), -1);
    assert_int_equal(find_plain(&table, "other.net", "/exact"), 0);
    finish(&table);
}

static void a_host_without_a_fitting_path_gives_way(void **state)
{
    struct table table;

    (void)state;
    begin(&table, 3);
    add(&table, "a.example.com", "/only");
    add(&table, "*.example.com", "/both...");
    add(&table, NULL, NULL);
    build(&table);
    assert_int_equal(find_plain(&table, "a.example.com", "/only"), 0);
    assert_int_equal(find_plain(&table, "a.example.com", "/both"), 1);
    assert_int_equal(find_plain(&table, "a.example.com", "/none"), 2);
    finish(&table);
}

static void more_conditions_before_fewer_before_the_file(void **state)
{
    struct table table;
    struct route_settings *route;
    struct question question;

    (void)state;
    begin(&table, 5);
    add(&table, NULL, "/x");                              /* 0 */
    with_method(&table, add(&table, NULL, "/x"), "POST"); /* 1 */
    route = add(&table, NULL, "/x");                      /* 2 */
    with_method(&table, route, "POST");
    with_header(&table, route, "x-tenant", "blue");
    with_header(&table, add(&table, NULL, "/x"), "x-tenant", NULL); /* 3 */
    add(&table, NULL, "/x");                                        /* 4: never */
    build(&table);
    ask(&question, "h", "/x");
    assert_int_equal(find(&table, &question), 0);
    question.request.method_text = BYTES("POST");
    assert_int_equal(find(&table, &question), 1);
    ask_header(&question, "X-Tenant", "red");
    assert_int_equal(find(&table, &question), 1); /* one condition each: the first of them */
    question.request.method_text = BYTES("GET");
    assert_int_equal(find(&table, &question), 3);
    ask_header(&question, "X-Tenant", "blue"); /* a second line fits: that is enough */
    question.request.method_text = BYTES("POST");
    assert_int_equal(find(&table, &question), 2);
    finish(&table);
}

static void methods_are_reported_apart_by_case(void **state)
{
    struct table table;
    struct question question;
    struct route_settings *route;

    (void)state;
    begin(&table, 1);
    route = add(&table, NULL, NULL);
    with_method(&table, route, "GET");
    with_method(&table, route, "PURGE");
    build(&table);
    ask(&question, "h", "/");
    assert_int_equal(find(&table, &question), 0);
    question.request.method_text = BYTES("PURGE");
    assert_int_equal(find(&table, &question), 0);
    question.request.method_text = BYTES("get"); /* RFC 9110 section 9.1 */
    assert_int_equal(find(&table, &question), -1);
    finish(&table);
}

static void query_conditions_hold(void **state)
{
    struct table table;
    struct question question;

    (void)state;
    begin(&table, 2);
    with_query(&table, add(&table, NULL, NULL), "version", "2");
    with_query(&table, add(&table, NULL, NULL), "debug", NULL);
    build(&table);
    ask(&question, "h", "/");
    assert_int_equal(find(&table, &question), -1);
    question.request.query = BYTES("a=1&version=2");
    assert_int_equal(find(&table, &question), 0);
    question.request.query = BYTES("version=20&debug");
    assert_int_equal(find(&table, &question), 1);
    question.request.query = BYTES("Version=2");
    assert_int_equal(find(&table, &question), -1);
    finish(&table);
}

static void listeners_limit_a_route(void **state)
{
    struct table table;
    struct question question;

    (void)state;
    begin(&table, 2);
    with_listener(&table, add(&table, NULL, NULL), "127.0.0.1:8081");
    add(&table, NULL, "/late");
    build(&table);
    ask(&question, "h", "/x");
    assert_int_equal(find(&table, &question), -1);
    question.listener = "127.0.0.1:8081";
    assert_int_equal(find(&table, &question), 0);
    question.path = BYTES("/late"); /* the path weighs more than conditions */
    assert_int_equal(find(&table, &question), 1);
    finish(&table);
}

/* --- many --------------------------------------------------------------------------------- */

static void ten_thousand_routes_are_reported_apart(void **state)
{
    enum { MANY = 10000 };
    struct table table;
    struct timespec before;
    struct timespec after;
    char host[64];
    char path[64];

    (void)state;
    begin(&table, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(host, sizeof(host), "%sh%d.example.com", i % 3 == 0 ? "*." : "", i % 500);
        snprintf(path, sizeof(path), "/p%d/%s", i, i % 2 == 0 ? "..." : "");
        add(&table, i % 5 == 0 ? NULL : host, path);
    }
    clock_gettime(CLOCK_MONOTONIC, &before);
    build(&table);
    for (int i = 0; i < MANY; i++) {
        snprintf(host, sizeof(host), "%sh%d.example.com", i % 3 == 0 ? "any." : "", i % 500);
        snprintf(path, sizeof(path), "/p%d/%s", i, i % 2 == 0 ? "more" : "");
        assert_int_equal(find_plain(&table, host, path), i);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5); /* a walk through all takes far longer */
    assert_int_equal(find_plain(&table, "h1.example.com", "/p10001/"), -1);
    finish(&table);
}

/* More than one pass of the prefix search, and prefixes of every length up to 200. */
static void two_hundred_lengths_of_prefix(void **state)
{
    enum { LENGTHS = 200 };
    struct table table;
    char path[LENGTHS + 8];
    char longer[LENGTHS + 16];

    (void)state;
    begin(&table, LENGTHS + 1);
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    for (int length = 2; length <= LENGTHS; length++) {
        char prefix[LENGTHS + 8];

        snprintf(prefix, sizeof(prefix), "%.*s...", length, path);
        add(&table, NULL, prefix); /* index: length - 2 */
    }
    build(&table);
    for (int length = 2; length <= LENGTHS; length++) {
        snprintf(longer, sizeof(longer), "%.*s", length, path);
        assert_int_equal(find_plain(&table, "h", longer), length - 2);
        snprintf(longer, sizeof(longer), "%.*sb", length, path);
        assert_int_equal(find_plain(&table, "h", longer), length - 2);
    }
    assert_int_equal(find_plain(&table, "h", "/"), -1);
    assert_int_equal(find_plain(&table, "h", "/b"), -1);
    finish(&table);
}

/* --- against a plain walk ----------------------------------------------------------------- */

static bool pair_is_there(const struct pair_match *wanted, struct bytes name, struct bytes value)
{
    return bytes_equal_fold(wanted->name, name) &&
           (wanted->present_only || bytes_equal(wanted->value, value));
}

static bool conditions_hold(const struct route_settings *route, const struct question *question)
{
    bool holds = route->method_count == 0;

    for (uint32_t i = 0; i < route->method_count; i++) {
        holds = holds || bytes_equal(route->methods[i], question->request.method_text);
    }
    if (route->listener_count > 0) {
        holds = holds && strcmp(route->listeners[0], question->listener) == 0;
    }
    for (uint32_t i = 0; i < route->header_count; i++) {
        bool there = false;

        for (uint32_t j = 0; j < question->request.headers.count; j++) {
            const struct http_header *row = &question->request.headers.rows[j];

            there = there || pair_is_there(&route->headers[i], http_header_name(row),
                                           http_header_value(row));
        }
        holds = holds && there;
    }
    for (uint32_t i = 0; i < route->query_count; i++) { /* requests here have q=VALUE or nothing */
        struct bytes query = question->request.query;

        holds = holds && query.length > 2 &&
                pair_is_there(&route->query[i], bytes_first(query, 1), bytes_skip(query, 2));
    }
    return holds;
}

/* How well this pattern fits: 0 not at all, then any, suffixes by length, exact. */
static size_t host_rank(const struct host_pattern *pattern, struct bytes host)
{
    struct bytes text = pattern->text;

    switch (pattern->kind) {
    case HOST_ANY:
        return 1;
    case HOST_SUFFIX:
        return host.length > text.length &&
                       bytes_equal_fold(bytes_skip(host, host.length - text.length), text)
                   ? 1 + text.length
                   : 0;
    case HOST_EXACT:
        return bytes_equal_fold(text, host) ? 10000 : 0;
    }
    return 0;
}

static size_t best_host_rank(const struct route_settings *route, struct bytes host)
{
    size_t best = route->host_count == 0;

    for (uint32_t i = 0; i < route->host_count; i++) {
        size_t rank = host_rank(&route->hosts[i], host);

        best = rank > best ? rank : best;
    }
    return best;
}

static size_t path_rank(const struct route_settings *route, struct bytes path)
{
    switch (route->path_kind) {
    case PATH_ANY:
        return 1;
    case PATH_PREFIX:
        return route->path.length == 1 || bytes_start_with(path, route->path)
                   ? route->path.length
                   : 0; /* "/" is any path, "*" too */
    case PATH_EXACT:
        return bytes_equal(path, route->path) ? 10000 : 0;
    }
    return 0;
}

static int find_by_walking(const struct table *table, const struct question *question)
{
    size_t best[3] = {0};
    int found = -1;

    for (uint32_t i = 0; i < table->settings.route_count; i++) {
        const struct route_settings *route = &table->settings.routes[i];
        size_t rank[3] = {
            best_host_rank(route, question->request.host),
            path_rank(route, question->path),
            (route->method_count > 0) + (route->listener_count > 0) + route->header_count +
                route->query_count,
        };
        bool better = false;

        if (rank[0] == 0 || rank[1] == 0 || !conditions_hold(route, question)) {
            continue;
        }
        for (int r = 0; r < 3 && !better; r++) {
            if (rank[r] < best[r]) {
                break;
            }
            better = rank[r] > best[r];
        }
        if (found < 0 || better) {
            found = (int)i;
            memcpy(best, rank, sizeof(best));
        }
    }
    return found;
}

static const char *const host_texts[] = {"a.x.com",   "b.x.com", "x.com",     "*.x.com", "*.com",
                                         "*.a.x.com", "*",       "c.a.x.com", "y.org",   "*.org"};
static const char *const path_texts[] = {"/",       "/a",   "/a...", "/a/...", "/a/b",
                                         "/a/b...", "/...", "/b...", "/a/b/c", "/a/b/..."};
static const char *const asked_hosts[] = {"a.x.com", "A.X.com", "b.x.com", "x.com", "c.a.x.com",
                                          "y.org",   "z.org",   "org",     "",      "com"};
static const char *const asked_paths[] = {"/",      "/a",  "/a/", "/a/b", "/a/b/",
                                          "/a/b/c", "/ab", "/b",  "/bb",  "*"};
static const char *const methods[] = {"GET", "POST", "PUT"};
static const char *const words[] = {"1", "2"};

#define PICK(random, from) (from)[random_below((random), sizeof(from) / sizeof((from)[0]))]

static void add_random_route(struct table *table, struct random *random)
{
    struct route_settings *route =
        add(table, random_below(random, 4) == 0 ? NULL : PICK(random, host_texts),
            random_below(random, 4) == 0 ? NULL : PICK(random, path_texts));

    if (route->host_count > 0 && random_below(random, 4) == 0) {
        struct host_pattern *two = arena_take(table->arena, 2 * sizeof(*two));

        two[0] = route->hosts[0];
        two[1] = pattern_of(PICK(random, host_texts));
        route->hosts = two;
        route->host_count = 2;
    }
    for (uint64_t i = random_below(random, 4); i-- > 1;) {
        with_method(table, route, PICK(random, methods));
    }
    for (uint64_t i = random_below(random, 5); i-- > 2;) {
        with_header(table, route, i == 2 ? "one" : "two",
                    random_below(random, 2) == 0 ? NULL : PICK(random, words));
    }
    if (random_below(random, 4) == 0) {
        with_query(table, route, "q", random_below(random, 2) == 0 ? NULL : PICK(random, words));
    }
    if (random_below(random, 5) == 0) {
        with_listener(table, route, random_below(random, 2) == 0 ? ANY_LISTENER : "other");
    }
}

static void ask_at_random(struct question *question, struct random *random)
{
    ask(question, PICK(random, asked_hosts), PICK(random, asked_paths));
    question->request.method_text = bytes_of(PICK(random, methods));
    if (random_below(random, 2) == 0) {
        ask_header(question, "One", PICK(random, words));
    }
    if (random_below(random, 2) == 0) {
        ask_header(question, "Two", PICK(random, words));
    }
    if (random_below(random, 2) == 0) {
        question->request.query = random_below(random, 2) == 0 ? BYTES("q=1") : BYTES("q=2");
    }
    if (random_below(random, 4) == 0) {
        question->listener = "other";
    }
}

static void it_finds_what_a_plain_walk_finds(void **state)
{
    struct random random = {{11, 22, 33, 44}};
    unsigned found = 0;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct table table;
        uint32_t count = 1 + (uint32_t)random_below(&random, round % 10 == 0 ? 200 : 12);

        begin(&table, count);
        for (uint32_t i = 0; i < count; i++) {
            add_random_route(&table, &random);
        }
        build(&table);
        for (int i = 0; i < 100; i++) {
            struct question question;

            ask_at_random(&question, &random);
            assert_int_equal(find(&table, &question), find_by_walking(&table, &question));
            found += find(&table, &question) >= 0;
        }
        finish(&table);
    }
    assert_true(found > 5000); /* the comparison was about something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_routes_nothing_is_found),
        cmocka_unit_test(an_exact_host_before_a_suffix_before_any),
        cmocka_unit_test(hosts_are_found_in_any_case),
        cmocka_unit_test(a_host_too_long_for_any_name_finds_only_any),
        cmocka_unit_test(an_exact_path_before_the_longest_prefix_before_any),
        cmocka_unit_test(exact_paths_of_all_lengths),
        cmocka_unit_test(the_prefix_of_all_paths_is_any_path),
        cmocka_unit_test(the_host_weighs_more_than_the_path),
        cmocka_unit_test(a_host_without_a_fitting_path_gives_way),
        cmocka_unit_test(more_conditions_before_fewer_before_the_file),
        cmocka_unit_test(methods_are_reported_apart_by_case),
        cmocka_unit_test(query_conditions_hold),
        cmocka_unit_test(listeners_limit_a_route),
        cmocka_unit_test(ten_thousand_routes_are_reported_apart),
        cmocka_unit_test(two_hundred_lengths_of_prefix),
        cmocka_unit_test(it_finds_what_a_plain_walk_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
