/* SPDX-License-Identifier: BSD-2-Clause */
/* Every error that a route can have, with its exact place and words. */
#include "tests/unit/config/loading.h"

#define TOP \
    "listeners: [{address: 127.0.0.1:80}]\n" \
    "services: {pay-v1: {origins: [h:80]}, pay-v2: {origins: [h:81]}}\n"
/* One route, its members from line 4, column 3 on. */
#define ROUTE(members) TOP "routes:\n- " members "\n"
#define MATCH(members) ROUTE("match: {" members "}\n  service: pay-v1")
#define HOST_EXPECTED "a host such as example.com, \"*.example.com\" or \"*\""

static void actions(void **state)
{
    static const struct bad_file files[] = {
        {ROUTE("name: x"), "4:3: this route does nothing; it needs one of service, split, respond "
                           "and redirect"},
        {ROUTE("service: pay-v1\n  respond: {}"),
         "5:3: a route has one of service, split, respond and redirect; this one has 'service' on "
         "line 4 already"},
        {ROUTE("service: pay-v3"), "4:12: there is no service 'pay-v3'; did you mean 'pay-v1'?"},
        {ROUTE("service: unlike"), "4:12: there is no service 'unlike'"},
        {ROUTE("service: [pay-v1]"), "4:12: 'service' expects the name of a service, not a list"},
        {ROUTE("split: {pay-v1: 95%, pay-v2: 4.99%}"),
         "4:3: the weights of a split must add up to 100%, not 99.99%"},
        {ROUTE("split: {pay-v1: 95%, pay-v2: 10%}"),
         "4:3: the weights of a split must add up to 100%, not 105.00%"},
        {ROUTE("split: {pay-v1: 95, pay-v2: 5%}"),
         "4:19: a weight needs a unit: write 95%, not 95"},
        {ROUTE("split: {pay-v1: 99.999%, pay-v2: 0.001%}"),
         "4:19: weights go in steps of 0.01%; '99.999%' is finer\n"
         "t.yaml:4:36: weights go in steps of 0.01%; '0.001%' is finer"},
        {ROUTE("split: {pay-v1: most, pay-v2: 5%}"),
         "4:19: a weight is a percent such as 95% or 0.01%, not 'most'"},
        {ROUTE("split: {pay-v1: 101%}"), "4:19: a weight is at most 100%, not '101%'"},
        {ROUTE("split: {pay-v1: 90%, pay-2: 10%}"),
         "4:24: there is no service 'pay-2'; did you mean 'pay-v2'?"},
        {ROUTE("split: {}"), "4:10: 'split' expects a mapping of services to percents, such as "
                             "{a: 95%, b: 5%}, not a mapping"},
        {ROUTE("split: pay-v1"), "4:10: 'split' expects a mapping of services to percents, such "
                                 "as {a: 95%, b: 5%}, not text"},
        {ROUTE("respond: {status: 100}"), "4:21: 'respond.status' must be from 200 to 599, not "
                                          "100"},
        {ROUTE("respond: {status: 204, body: x}"), "4:32: an answer with status 204 has no body"},
        {ROUTE("respond: {content_type: \"a\\nb\"}"),
         "4:27: 'respond.content_type' must not hold control characters"},
        {ROUTE("respond: {headers: {content-type: x}}"),
         "4:23: 'respond.headers': for Content-Type there is respond.content_type"},
        {ROUTE("respond: {headers: [content-type]}"),
         "4:22: 'respond.headers' expects a mapping of header names to values here, not a list"},
        {ROUTE("respond: {headers: {Content-Length: 3}}"),
         "4:23: 'respond.headers': 'Content-Length' belongs to the connection, which the gateway "
         "alone frames"},
        {ROUTE("redirect: {status: 308}"),
         "4:13: 'to' is missing here; it expects a URI or a path"},
        {ROUTE("redirect: {status: 300, to: /a}"),
         "4:22: 'redirect.status' expects one of 301, 302, 303, 307, 308, not '300'"},
        {ROUTE("redirect: {to: example.com}"),
         "4:18: 'redirect.to' expects a URI with http:// or https://, or a path that starts with "
         "'/', not 'example.com'"},
        {ROUTE("redirect: {to: \"/a b\"}"),
         "4:18: 'redirect.to' must be visible ASCII without spaces; escape the rest"},
        {ROUTE("redirect: {to: \"/a\\r\\nSet-Cookie:x\"}"),
         "4:18: 'redirect.to' must be visible ASCII without spaces; escape the rest"},
        {ROUTE("redirect: {to: \"https://{hst}/\"}"),
         "4:18: 'redirect.to' knows {host}, {path} and {query} only, at '{hst}/'"},
        {ROUTE("redirect: {to: \"/{path}\"}"),
         "4:18: 'redirect.to' would let a request lead to any site; start with http:// or https:// "
         "and a host, or with a path of your own"},
        {ROUTE("redirect: {to: \"https://example.com{query}\"}"),
         "4:18: 'redirect.to' would let a request lead to any site; start with http:// or https:// "
         "and a host, or with a path of your own"},
        {ROUTE("redirect: {to: \"https://{host}:{query}/\"}"),
         "4:18: 'redirect.to' would let a request lead to any site; start with http:// or https:// "
         "and a host, or with a path of your own"},
        {ROUTE("redirect: {to: \"http://{path}\"}"),
         "4:18: 'redirect.to' would let a request lead to any site; start with http:// or https:// "
         "and a host, or with a path of your own"},
        {ROUTE("redirect: {to: //evil.example/}"),
         "4:18: 'redirect.to' would let a request lead to any site; start with http:// or https:// "
         "and a host, or with a path of your own"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void names(void **state)
{
    static const struct bad_file files[] = {
        {ROUTE("name: a b\n  service: pay-v1"),
         "4:9: 'name' expects a name of 1 to 64 letters, digits and -_., not 'a b'"},
        {ROUTE("{name: a, service: pay-v1}\n- {name: a, match: {path: /}, service: pay-v1}"),
         "5:10: the route on line 4 is named 'a' already"},
        {ROUTE("{name: route-2, service: pay-v1}\n- {match: {path: /}, service: pay-v1}"),
         "5:3: this route needs a name: 'route-2', which its position would give it, is taken on "
         "line 4"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void hosts(void **state)
{
    static const struct bad_file files[] = {
        {MATCH("host: a..b"), "4:17: 'match.host' expects " HOST_EXPECTED ", not 'a..b'"},
        {MATCH("host: a.com:80"),
         "4:17: 'match.host' expects " HOST_EXPECTED ", not 'a.com:80'; leave the port out, and "
         "use match.listener to limit the route to one"},
        {MATCH("host: https://a.com"),
         "4:17: 'match.host' expects " HOST_EXPECTED ", not 'https://a.com'; leave the scheme out"},
        {MATCH("host: \"a.*.com\""), "4:17: 'match.host' expects " HOST_EXPECTED
                                     ", not 'a.*.com'; a '*' may stand only for the first labels"},
        {MATCH("host: b\xC3\xBC"
               "cher.example"),
         "4:17: 'match.host' expects " HOST_EXPECTED ", not 'b\xC3\xBC"
         "cher.example'; write it in its xn-- form"},
        {MATCH("host: \"*.\""), "4:17: 'match.host' expects " HOST_EXPECTED
                                ", not '*'; a '*' may stand only for the first labels"},
        {MATCH("host: []"), "4:17: 'match.host' is empty; leave it out, or give it a value"},
        {MATCH("host: "), "4:17: 'match.host' is empty; leave it out, or give it a value"},
        {MATCH("host: [a, {b: c}]"), "4:21: 'match.host' expects " HOST_EXPECTED
                                     ", not a mapping; a text that starts with '{' needs quotes"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void paths(void **state)
{
    static const struct bad_file files[] = {
        {MATCH("path: /a/../b"), "4:17: 'match.path' must be in normal form: write '/b'"},
        {MATCH("path: //a"), "4:17: 'match.path' must be in normal form: write '/a'"},
        {MATCH("path_prefix: /%7e/"), "4:24: 'match.path_prefix' must be in normal form: write "
                                      "'/~/'"},
        {MATCH("path: \"/a b\""), "4:17: 'match.path' must be in normal form: write '/a%20b'"},
        {MATCH("path: a"), "4:17: 'match.path' expects a path that starts with '/', without '?', "
                           "'#' and bad escapes, not 'a'"},
        {MATCH("path: /a?b=c"), "4:17: 'match.path' expects a path that starts with '/', without "
                                "'?', '#' and bad escapes, not '/a?b=c'"},
        {MATCH("path: /%00"), "4:17: 'match.path' expects a path that starts with '/', without "
                              "'?', '#' and bad escapes, not '/%00'"},
        {MATCH("path: /a, path_prefix: /b"),
         "4:21: a route matches 'path' or 'path_prefix', not both ('path' is on line 4)"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void other_matches(void **state)
{
    static const struct bad_file files[] = {
        {MATCH("hosts: a"), "4:11: unknown option 'match.hosts'; did you mean 'host'?"},
        {MATCH("method: get"), "4:19: methods are compared with case: write 'GET', not 'get'"},
        {MATCH("method: [GET, CONNECT]"),
         "4:25: CONNECT is always refused, so no route can match it"},
        {MATCH("method: \"G T\""), "4:19: 'match.method' expects a method such as GET, not 'G T'"},
        {MATCH("headers: {a b: c}"), "4:21: 'match.headers': 'a b' is no header name"},
        {MATCH("headers: {a: \"b\\nc\"}"), "4:24: 'match.headers': 'b?c' cannot occur as a value"},
        {MATCH("headers: {a: false}"),
         "4:24: 'match.headers' cannot ask for absence; for the text itself write \"false\" in "
         "quotes"},
        {MATCH("headers: {a: }"), "4:24: 'match.headers' expects a value, or true for any, not "
                                  "nothing"},
        {MATCH("headers: [a]"), "4:20: 'match.headers' expects a mapping of names to values, such "
                                "as {X-Tenant: blue}, not a list"},
        {MATCH("query: {a&b: c}"),
         "4:19: 'match.query': 'a&b' is no parameter name as it stands in a URI"},
        {MATCH("query: {a: b c}"),
         "4:22: 'match.query': 'b c' cannot occur as a value; write it as it stands in a URI"},
        {MATCH("listener: \"127.0.0.1:81\""),
         "4:21: there is no listener with the address '127.0.0.1:81'; did you mean "
         "'127.0.0.1:80'?"},
        {MATCH("listener: x"), "4:21: there is no listener with the address 'x'"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void header_edits(void **state)
{
    static const struct bad_file files[] = {
        {ROUTE("service: pay-v1\n  request_headers: {remove: [Transfer-Encoding]}"),
         "5:30: 'request_headers': 'Transfer-Encoding' belongs to the connection, which the "
         "gateway alone frames"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {te: x}}"),
         "5:27: 'request_headers': 'te' belongs to the connection, which the gateway alone frames"},
        {ROUTE("service: pay-v1\n  response_headers: {add: {KEEP-ALIVE: x}}"),
         "5:28: 'response_headers': 'KEEP-ALIVE' belongs to the connection, which the gateway "
         "alone frames"},
        {ROUTE("service: pay-v1\n  request_headers: {remove: host}"),
         "5:29: 'request_headers': Host may only be set, and only in request_headers"},
        {ROUTE("service: pay-v1\n  request_headers: {remove: [via]}"),
         "5:30: 'request_headers': the gateway writes 'via' itself, so an edit has no effect; via "
         "names the gateway, and via: off in a service sends its origins none"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {X-Forwarded-Proto: https}}"),
         "5:27: 'request_headers': the gateway writes 'X-Forwarded-Proto' itself, so an edit has "
         "no "
         "effect; trusted_proxies says whose lines are kept"},
        {ROUTE("service: pay-v1\n  request_headers: {add: {x-request-timeout-ms: 1}}"),
         "5:27: 'request_headers': the gateway writes 'x-request-timeout-ms' itself, so an edit "
         "has "
         "no effect; deadline.header and timeouts.total say what origins are told"},
        {ROUTE("service: pay-v1\n  response_headers: {set: {X-Request-Id: a}}"),
         "5:28: 'response_headers': the gateway writes 'X-Request-Id' itself, so an edit has no "
         "effect; request_id says whose is kept"},
        {ROUTE("service: pay-v1\n  retry: {non_idempotent: with_key}\n"
               "  request_headers: {remove: [Idempotency-Key]}"),
         "6:20: 'request_headers' takes the client's Idempotency-Key away, by which "
         "retry.non_idempotent: "
         "with_key tells origins that a request comes again"},
        {ROUTE("service: pay-v1\n  request_headers: {add: {Host: a}}"),
         "5:27: 'request_headers': Host may only be set, and only in request_headers"},
        {ROUTE("service: pay-v1\n  response_headers: {set: {Host: a}}"),
         "5:28: 'response_headers': Host may only be set, and only in request_headers"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {Host: a/b}}"),
         "5:33: 'request_headers': Host expects a host or host:port, not 'a/b'"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {\"a b\": c}}"),
         "5:27: 'request_headers': 'a b' is no header name"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {a: \"b\\r\\nc: d\"}}"),
         "5:30: 'request_headers': the value of 'a' must not hold line breaks or other control "
         "characters"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {a: \"b\\0\"}}"),
         "5:30: 'request_headers': the value of 'a' must not hold line breaks or other control "
         "characters"},
        {ROUTE("service: pay-v1\n  request_headers: {set: {X-A: 1, x-a: 2}}"),
         "5:35: 'request_headers' sets 'x-a' twice, first on line 5"},
        {ROUTE("service: pay-v1\n  request_headers: {set: [a]}"),
         "5:26: 'request_headers' expects a mapping of header names to values here, not a list"},
        {ROUTE("service: pay-v1\n  request_headers: {add: [a]}"),
         "5:27: 'request_headers' expects a mapping of header names to values here, not text"},
        {ROUTE("service: pay-v1\n  request_headers: {add: {a: [b]}}"),
         "5:30: 'request_headers' expects a text for each header name, not a list"},
        {ROUTE("service: pay-v1\n  request_headers: {delete: a}"),
         "5:21: unknown option 'request_headers.delete'; known here: remove, set, add"},
        {ROUTE("respond: {}\n  request_headers: {set: {a: b}}"),
         "5:3: 'request_headers' has no effect on a route that does not forward"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void rewrites_and_times(void **state)
{
    static const struct bad_file files[] = {
        {ROUTE("service: pay-v1\n  rewrite: {path_prefix: /b/}"),
         "5:3: 'rewrite' needs match.path_prefix: what it replaces"},
        {MATCH("path_prefix: /a/}\n  rewrite: {path_prefix: /b"),
         "5:26: '/b' and match.path_prefix '/a/' must both end in '/', or neither, or paths would "
         "be joined wrongly"},
        {MATCH("path_prefix: /a/}\n  rewrite: {path_prefix: b/"),
         "5:26: 'rewrite.path_prefix' expects a path such as /new/, in visible ASCII without '?' "
         "and '#', not 'b/'"},
        {MATCH("path_prefix: /a/}\n  rewrite: {"),
         "5:12: 'path_prefix' is missing here; it expects a path such as /new/"},
        {ROUTE("respond: {}\n  match: {path_prefix: /a/}\n  rewrite: {path_prefix: /b/}"),
         "6:3: 'rewrite' has no effect on a route that does not forward"},
        {ROUTE("service: pay-v1\n  timeouts: {connect: 0s}"),
         "5:23: 'timeouts.connect' must be from 10ms to 1h, not 0s"},
        {ROUTE("service: pay-v1\n  waiting_room: {active: 1, opens_at: [x]}"),
         "5:39: 'waiting_room.opens_at' expects text, not a list"},
        {ROUTE("service: pay-v1\n  body_bytes: 5"),
         "5:15: 'body_bytes' needs a unit: write 5B or 5KiB, not 5"},
    };

    (void)state;
    EXPECT_ALL(files);
}

#define NEVER(place, line) \
    place ": this route can never win: the one on line " line " has the same match and comes " \
          "first"

static void same_matches(void **state)
{
    static const struct bad_file files[] = {
        {ROUTE("service: pay-v1\n- service: pay-v2"), NEVER("5:3", "4")},
        {ROUTE("match: {path: /a}\n  service: pay-v1\n- service: pay-v2\n  match: {path: /a}"),
         NEVER("7:3", "4")},
        {ROUTE("match: {host: \"*\"}\n  service: pay-v1\n- service: pay-v2"), NEVER("6:3", "4")},
        {ROUTE("match: {host: A.com, path_prefix: /}\n  service: pay-v1\n"
               "- match: {path_prefix: /, host: [b.com, a.com.]}\n  service: pay-v2"),
         "6:3: this route can never win for host a.com: the one on line 4 has the same match and "
         "comes first"},
        {ROUTE("match: {method: [GET, HEAD], headers: {A: 1, b: true}}\n  service: pay-v1\n"
               "- match: {headers: {B: true, a: 1}, method: [HEAD, GET]}\n  service: pay-v2"),
         NEVER("6:3", "4")},
        {ROUTE("match: {listener: \"127.0.0.1:80\"}\n  service: pay-v1\n"
               "- match: {listener: [\"127.0.0.1:80\"]}\n  service: pay-v2"),
         NEVER("6:3", "4")},
    };
    struct snapshot *snapshot = load_sound(ROUTE("match: {path: /a}\n  service: pay-v1\n"
                                                 "- match: {path_prefix: /a}\n  service: pay-v1\n"
                                                 "- match: {host: a}\n  service: pay-v1\n"
                                                 "- match: {host: \"*.a\"}\n  service: pay-v1\n"
                                                 "- match: {host: a, method: GET}\n"
                                                 "  service: pay-v1\n"
                                                 "- match: {headers: {a: \"true\"}}\n"
                                                 "  service: pay-v1\n"
                                                 "- match: {headers: {a: true}}\n"
                                                 "  service: pay-v1\n"
                                                 "- match: {query: {a: true}}\n"
                                                 "  service: pay-v1\n"
                                                 "- service: pay-v1"));

    (void)state;
    snapshot_unref(&snapshot);
    EXPECT_ALL(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions),       cmocka_unit_test(names),
        cmocka_unit_test(hosts),         cmocka_unit_test(paths),
        cmocka_unit_test(other_matches), cmocka_unit_test(header_edits),
        cmocka_unit_test(same_matches),  cmocka_unit_test(rewrites_and_times),
    };

    return cmocka_run_group_tests_name("config/route errors", tests, NULL, NULL);
}
