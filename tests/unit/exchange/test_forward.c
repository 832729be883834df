/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/forward: what of a message goes on and what is added. Requests are parsed from text,
 * so that only what a client could send is tried. */
#include "exchange/exchange_private.h"

#include "http/h1/h1_parser.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const char rules[] =
    "listeners: [{address: \"127.0.0.1:8080\"}]\n"
    "services: {one: {origins: [\"127.0.0.1:9\"]}, two: {origins: [\"127.0.0.1:10\"]}}\n"
    "trusted_proxies: [10.0.0.0/8, \"fd00::/8\"]\n"
    "routes:\n"
    "  - {name: plain, service: one}\n"
    "  - name: edited\n"
    "    match: {path: /edited}\n"
    "    service: one\n"
    "    request_headers: {remove: [X-Gone, Cookie], set: {X-Set: mine}, add: {X-Added: more}}\n"
    "    response_headers: {remove: [Server], set: {X-Frame: deny}, add: {Set-Cookie: a=b}}\n"
    "  - name: rewritten\n"
    "    match: {path_prefix: /api/v1/}\n"
    "    service: one\n"
    "    rewrite: {path_prefix: /v1/}\n"
    "  - name: renamed\n"
    "    match: {path: /renamed}\n"
    "    service: one\n"
    "    request_headers: {set: {Host: inner.example.com}}\n"
    "  - name: keyed\n"
    "    match: {path: /keyed, headers: {X-Tenant: blue}}\n"
    "    split: {one: 50%, two: 50%}\n"
    "    sticky: [{header: X-User}]\n"
    "  - {name: stripped, match: {path_prefix: /strip/}, service: one, rewrite: {path_prefix: "
    "/}}\n";

enum { PLAIN, EDITED, REWRITTEN, RENAMED, KEYED, STRIPPED };

struct fixture {
    struct gateway gateway;
    struct client_facts facts;
    struct exchange exchange;
    struct http_response response;
    struct http_header request_rows[HTTP_HEADERS_MAX];
    struct http_header response_rows[HTTP_HEADERS_MAX];
    struct forward_page page;
    struct request_head head;
    struct answer_head answer;
    bool fits;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static void come_from(struct fixture *fixture, const char *ip)
{
    fixture->facts.scheme = BYTES("http");
    fixture->facts.listener = "127.0.0.1:8080";
    memset(&fixture->facts.ip, 0, sizeof(fixture->facts.ip));
    if (ip != NULL) {
        assert_true(ip_parse(bytes_of(ip), &fixture->facts.ip));
    }
}

/* As exchange_begin does it, without choosing an origin. */
static void forward(struct fixture *fixture, const char *from, int route, const char *text)
{
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct exchange *exchange = &fixture->exchange;
    struct h1_problem problem = {0};
    size_t consumed;

    memset(exchange, 0, sizeof(*exchange));
    come_from(fixture, from);
    exchange->context = fixture->gateway.exchanges;
    exchange->generation = fixture->gateway.exchanges->generation;
    exchange->client.facts = &fixture->facts;
    exchange->client.ip = fixture->facts.ip;
    exchange->request_id.given = BYTES("the-id");
    exchange->routing.route = &exchange_context_settings(fixture->gateway.exchanges)->routes[route];
    exchange->request.headers.rows = fixture->request_rows;
    if (h1_parse_request(bytes_of(text), &limits, &exchange->request, &consumed, &problem) !=
        H1_COMPLETE) {
        fprintf(stderr, "%s\n", problem.what);
        fail();
    }
    exchange->request_body.whole = exchange->request.framing == HTTP_NO_BODY;
    admit_identify_client(exchange);
    fixture->fits = forward_request(exchange, &fixture->page, &fixture->head);
}

static void answer(struct fixture *fixture, int route, const char *text)
{
    const struct h1_limits limits = {32768, 8192, 100, 0};
    struct h1_problem problem;
    size_t consumed;

    forward(fixture, "192.0.2.1", route, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    fixture->response.headers.rows = fixture->response_rows;
    assert_int_equal(h1_parse_response(bytes_of(text), &limits, HTTP_GET, &fixture->response,
                                       &consumed, &problem),
                     H1_COMPLETE);
    fixture->fits =
        forward_answer(&fixture->exchange, &fixture->response, &fixture->page, &fixture->answer);
}

static unsigned count(const struct fixture *fixture, const char *name)
{
    unsigned found = 0;

    for (uint32_t i = 0; i < fixture->page.fields.count; i++) {
        found += bytes_equal_fold(fixture->page.fields.rows[i].name, bytes_of(name));
    }
    return found;
}

/* The only field of that name. */
static void expect(const struct fixture *fixture, const char *name, const char *value)
{
    assert_int_equal(count(fixture, name), 1);
    for (uint32_t i = 0; i < fixture->page.fields.count; i++) {
        const struct http_field *field = &fixture->page.fields.rows[i];

        if (bytes_equal_fold(field->name, bytes_of(name))) {
            assert_int_equal(field->value.length, strlen(value));
            assert_memory_equal(field->value.at, value, strlen(value));
        }
    }
}

static void expect_text(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.length, strlen(text));
    assert_memory_equal(bytes.at, text, bytes.length);
}

/* --- hop by hop (RFC 9110 section 7.6.1) --------------------------------------------------- */

static void hop_by_hop_fields_stay_here(void **state)
{
    static const char *const hops[] = {
        "Connection",     "Keep-Alive",         "Proxy-Connection", "TE",
        "Upgrade",        "Transfer-Encoding",  "Content-Length",   "Host",
        "HTTP2-Settings", "Proxy-Authorization"};
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
            "Proxy-Connection: keep-alive\r\nTE: trailers\r\nHTTP2-Settings: AAA\r\n"
            "Proxy-Authorization: Basic eDp5\r\nAccept: */*\r\nX-Other: stays\r\n\r\n");
    assert_true(fixture->fits);
    for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
        assert_int_equal(count(fixture, hops[i]), 0);
    }
    expect(fixture, "Accept", "*/*");
    expect(fixture, "X-Other", "stays");
    assert_false(fixture->head.upgrades);
    expect_text(fixture->head.authority, "h");
}

static void fields_that_connection_names_stay_here(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, x-one\r\nX-One: 1\r\nX-Two: 2\r\n"
            "Connection: X-THREE , ,x-four\r\nX-Three: 3\r\nx-four: 4\r\nX-One: again\r\n\r\n");
    assert_int_equal(count(fixture, "X-One"), 0);
    expect(fixture, "X-Two", "2");
    assert_int_equal(count(fixture, "X-Three"), 0);
    assert_int_equal(count(fixture, "X-Four"), 0);
}

/* A client must not take away with Connection what the gateway itself says. */
static void connection_does_not_take_away_what_is_ours(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\n"
            "Connection: close, X-Forwarded-For, Forwarded, Via, X-Request-Id, Host\r\n\r\n");
    expect(fixture, "X-Forwarded-For", "192.0.2.1");
    assert_int_equal(count(fixture, "Forwarded"), 1);
    assert_int_equal(count(fixture, "Via"), 1);
    expect(fixture, "X-Request-Id", "the-id");
    expect_text(fixture->head.authority, "h");
}

/* RFC 9110 section 7.6.1: what is meant for all recipients must not be named. A client that could
 * take it away would have the gateway go by a field that the origin never sees. */
static void connection_does_not_take_away_what_is_end_to_end(void **state)
{
    struct fixture *fixture = *state;

    forward(
        fixture, "192.0.2.1", KEYED,
        "GET / HTTP/1.1\r\nHost: h\r\n"
        "Connection: Idempotency-Key, Cookie, Authorization, X-Tenant, x-user, Content-Encoding, "
        "Range, X-Hop\r\n"
        "Idempotency-Key: k\r\nCookie: a=b\r\nAuthorization: Basic x\r\nX-Tenant: blue\r\n"
        "X-User: u\r\nContent-Encoding: gzip\r\nRange: bytes=0-1\r\nX-Hop: 1\r\n\r\n");
    expect(fixture, "Idempotency-Key", "k");
    expect(fixture, "Cookie", "a=b");
    expect(fixture, "Authorization", "Basic x");
    expect(fixture, "X-Tenant", "blue");
    expect(fixture, "X-User", "u");
    expect(fixture, "Content-Encoding", "gzip");
    expect(fixture, "Range", "bytes=0-1");
    assert_int_equal(count(fixture, "X-Hop"), 0);
}

static void an_upgrade_goes_on(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: abc\r\n\r\n");
    assert_true(fixture->head.upgrades);
    expect(fixture, "Upgrade", "websocket");
    expect(fixture, "Sec-WebSocket-Key", "abc");
    assert_int_equal(count(fixture, "Connection"), 0);
}

static void end_to_end_fields_keep_order_and_number(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A:\r\n\r\n");
    expect_text(fixture->page.fields.rows[0].name, "X-A");
    expect_text(fixture->page.fields.rows[1].name, "X-B");
    expect_text(fixture->page.fields.rows[2].value, "3");
    expect_text(fixture->page.fields.rows[3].value, "");
}

/* --- who the client is --------------------------------------------------------------------- */

static void what_a_stranger_says_of_himself_is_dropped(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "GET / HTTP/1.1\r\nHost: h:8080\r\nX-Forwarded-For: 127.0.0.1\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: admin\r\nForwarded: for=127.0.0.1\r\n"
            "Client-Cert: :AA==:\r\n\r\n");
    expect(fixture, "X-Forwarded-For", "192.0.2.1");
    expect(fixture, "X-Forwarded-Proto", "http");
    expect(fixture, "X-Forwarded-Host", "h:8080");
    expect(fixture, "Forwarded", "for=192.0.2.1;host=\"h:8080\";proto=http");
    assert_int_equal(count(fixture, "Client-Cert"), 0);
    assert_memory_equal(&fixture->exchange.client.ip, &fixture->facts.ip, sizeof(struct ip));
}

/* CGI and its kin make one name of all of these. */
static void no_spelling_of_it_passes(void **state)
{
    static const char *const names[] = {"X_Forwarded_For",
                                        "x.forwarded.for",
                                        "X_Request_Id",
                                        "X-Forwarded-Port",
                                        "X_Forwarded-Prefix",
                                        "X-Forwarded-User",
                                        "X-Forwarded-Groups",
                                        "X-Real-IP",
                                        "X_Real_IP",
                                        "Client_Cert",
                                        "X-Request-Timeout-Ms",
                                        "x_request_timeout_ms",
                                        "X-Forwarded-Preferred-Username",
                                        "X-Forwarded-Something-Longer-Than-All-Others"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s: forged\r\n\r\n", names[i]);
        forward(fixture, "192.0.2.1", PLAIN, text);
        for (uint32_t row = 0; row < fixture->page.fields.count; row++) {
            assert_false(bytes_equal(fixture->page.fields.rows[row].value, BYTES("forged")));
        }
    }
    forward(fixture, "10.1.2.3", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 192.0.2.9\r\n"
            "X_Forwarded_Port: 1\r\nX-Request-Timeout-Ms: never\r\n\r\n");
    expect(fixture, "X-Forwarded-Port", "443");
    expect(fixture, "X-Real-IP", "192.0.2.9");
    assert_int_equal(count(fixture, "X_Forwarded_Port"), 0);
    assert_int_equal(count(fixture, "X-Request-Timeout-Ms"), 0);
}

static void what_a_trusted_proxy_says_is_passed_on(void **state)
{
    struct fixture *fixture = *state;
    char text[ADDRESS_TEXT_MAX];

    forward(fixture, "10.1.2.3", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n"
            "X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Host: shop.example.com\r\nForwarded: for=203.0.113.9\r\n\r\n");
    expect(fixture, "X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.9.9.9, 10.1.2.3");
    expect(fixture, "X-Forwarded-Proto", "https");
    expect(fixture, "X-Forwarded-Host", "shop.example.com");
    expect(fixture, "Forwarded", "for=203.0.113.9, for=10.1.2.3;host=\"h\";proto=http");
    /* The last one that is none of ours is the client; what stands before it anybody may say. */
    text[ip_format(&fixture->exchange.client.ip, text)] = '\0';
    assert_string_equal(text, "203.0.113.9");
}

static void a_broken_list_is_believed_up_to_the_break(void **state)
{
    struct fixture *fixture = *state;
    char text[ADDRESS_TEXT_MAX];

    forward(fixture, "10.1.2.3", PLAIN,
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4, nonsense, 10.0.0.7\r\n\r\n");
    text[ip_format(&fixture->exchange.client.ip, text)] = '\0';
    assert_string_equal(text, "10.0.0.7");
}

/* RFC 7239 section 6.1: an IPv6 address in brackets, and quoted since brackets need it. */
static void an_ipv6_client_is_quoted(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "2001:db8::7", PLAIN, "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
    expect(fixture, "X-Forwarded-For", "2001:db8::7");
    expect(fixture, "Forwarded", "for=\"[2001:db8::7]\";host=\"[2001:db8::1]:80\";proto=http");
}

static void a_client_without_address_is_unknown(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, NULL, PLAIN, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(fixture, "X-Forwarded-For", "unknown");
    expect(fixture, "Forwarded", "for=unknown;host=\"h\";proto=http");
}

/* RFC 9110 section 7.6.3: each hop adds the version it received. */
static void via_reports_the_version_received(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(fixture, "Via", "1.1 turnpike");
    forward(fixture, "192.0.2.1", PLAIN, "GET / HTTP/1.0\r\n\r\n");
    expect(fixture, "Via", "1.0 turnpike");
    assert_int_equal(count(fixture, "X-Forwarded-Host"), 0);
    forward(fixture, "192.0.2.1", PLAIN, "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 other\r\n\r\n");
    assert_int_equal(count(fixture, "Via"), 2);
    expect_text(fixture->page.fields.rows[0].value, "1.1 other"); /* before ours */
}

/* --- bodies -------------------------------------------------------------------------------- */

static void framing_is_said_anew(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nTrailer: X-End\r\n\r\n");
    assert_int_equal(fixture->head.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(fixture->head.body_length, 7);
    assert_int_equal(count(fixture, "Trailer"), 0);
    forward(fixture, "192.0.2.1", PLAIN,
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n");
    assert_int_equal(fixture->head.framing, HTTP_CHUNKED);
    expect(fixture, "Trailer", "X-End");
}

static void a_gathered_body_has_a_length(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    fixture->exchange.request_body.whole = true;
    fixture->exchange.request_body.received = 42;
    assert_true(forward_request(&fixture->exchange, &fixture->page, &fixture->head));
    assert_int_equal(fixture->head.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(fixture->head.body_length, 42);
}

/* RFC 9110 section 10.1.1: the expectation goes on, unless the body is here already. */
static void the_expectation_goes_on(void **state)
{
    struct fixture *fixture = *state;
    const char *text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n"
                       "Expect: 100-continue\r\n\r\n";

    forward(fixture, "192.0.2.1", PLAIN, text);
    expect(fixture, "Expect", "100-continue");
    fixture->exchange.request_body.whole = true;
    assert_true(forward_request(&fixture->exchange, &fixture->page, &fixture->head));
    assert_int_equal(count(fixture, "Expect"), 0);
}

/* RFC 9110 section 7.6.2. */
static void max_forwards_counts_down_for_options_only(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", PLAIN,
            "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 10\r\n\r\n");
    expect(fixture, "Max-Forwards", "9");
    forward(fixture, "192.0.2.1", PLAIN, "GET / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 10\r\n\r\n");
    expect(fixture, "Max-Forwards", "10");
}

/* --- edits and rewriting ------------------------------------------------------------------- */

static void edits_remove_set_and_add(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", EDITED,
            "GET /edited HTTP/1.1\r\nHost: h\r\nX-Gone: 1\r\ncookie: a=b\r\nX-Set: theirs\r\n"
            "x-set: theirs too\r\nX-Added: first\r\n\r\n");
    assert_int_equal(count(fixture, "X-Gone"), 0);
    assert_int_equal(count(fixture, "Cookie"), 0);
    expect(fixture, "X-Set", "mine");
    assert_int_equal(count(fixture, "X-Added"), 2);
}

/* An origin that reads names as CGI does would see the client's line beside or in place of ours. */
static void edits_take_other_spellings_away_too(void **state)
{
    struct fixture *fixture = *state;

    forward(
        fixture, "192.0.2.1", EDITED,
        "GET /edited HTTP/1.1\r\nHost: h\r\nX_Gone: 1\r\nx_set: theirs\r\nX_Other: stays\r\n\r\n");
    assert_int_equal(count(fixture, "X_Gone"), 0);
    assert_int_equal(count(fixture, "x_set"), 0);
    expect(fixture, "X-Set", "mine");
    expect(fixture, "X_Other", "stays");
}

static void setting_host_changes_the_authority(void **state)
{
    struct fixture *fixture = *state;

    forward(fixture, "192.0.2.1", RENAMED, "GET /renamed HTTP/1.1\r\nHost: outer\r\n\r\n");
    expect_text(fixture->head.authority, "inner.example.com");
    assert_int_equal(count(fixture, "Host"), 0);
    expect(fixture, "X-Forwarded-Host", "outer");
}

static void expect_target(struct fixture *fixture, int route, const char *target,
                          const char *expected)
{
    struct exchange *exchange = &fixture->exchange;
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    forward(fixture, "192.0.2.1", route, text);
    assert_true(admit_route(exchange));
    assert_int_equal(exchange->routing.route->index, route);
    assert_true(forward_request(exchange, &fixture->page, &fixture->head));
    expect_text(fixture->head.target, expected);
    region_release(&exchange->memory, fixture->gateway.exchanges->worker_context->buffers);
}

static void targets_go_on_as_they_came(void **state)
{
    struct fixture *fixture = *state;

    expect_target(fixture, PLAIN, "/a/c//d%2f%c3%a9;v=1?x=%20&y", "/a/c//d%2f%c3%a9;v=1?x=%20&y");
    expect_target(fixture, PLAIN, "/?", "/?");
    expect_target(fixture, PLAIN, "http://h/x?y", "/x?y");
    expect_target(fixture, PLAIN, "http://h", "/");
    expect_target(fixture, PLAIN, "http://h?y", "/?y");
}

static void dots_and_needless_escapes_do_not(void **state)
{
    struct fixture *fixture = *state;

    expect_target(fixture, PLAIN, "/a/%7Eb//%c3%a9?%7E", "/a/~b//%C3%A9?%7E");
    expect_target(fixture, PLAIN, "/edited/../pub", "/pub");
    expect_target(fixture, PLAIN, "/a//../b/./c?x/../y", "/b/c?x/../y");
    expect_target(fixture, PLAIN, "/a/%2e%2E/b?", "/b?");
    expect_target(fixture, PLAIN, "//x/edited", "/x/edited"); /* "/edited" behind a host */
    expect_target(fixture, EDITED, "//edited", "/edited");    /* no such route with both slashes */
}

static void a_prefix_gives_way_to_another(void **state)
{
    struct fixture *fixture = *state;

    expect_target(fixture, REWRITTEN, "/api/v1/pay?x=1", "/v1/pay?x=1");
    expect_target(fixture, REWRITTEN, "/api/v1/", "/v1/");
    expect_target(fixture, REWRITTEN, "/api/v1/a%2Fb?", "/v1/a%2Fb?");
    /* Escapes hid the prefix: its normal form goes on. */
    expect_target(fixture, REWRITTEN, "/%61pi/v1/pay", "/v1/pay");
    expect_target(fixture, REWRITTEN, "/x/../api//v1/pay?q", "/v1/pay?q");
    expect_target(fixture, REWRITTEN, "http://h/api/v1/pay", "/v1/pay");
    expect_target(fixture, REWRITTEN, "/api/v1/../v1//secret", "/v1/secret");
    expect_target(fixture, STRIPPED, "/strip//evil/%c3%a9", "/evil/%C3%A9");
    expect_target(fixture, STRIPPED, "/strip/%c3%a9", "/%C3%A9");
}

static void a_head_that_does_not_fit_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct exchange *exchange = &fixture->exchange;
    static char huge[FORWARD_SCRATCH_BYTES];

    memset(huge, 'h', sizeof(huge));
    forward(fixture, "10.0.0.1", PLAIN, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: x\r\n\r\n");
    exchange->request.headers.rows[1].value = huge;
    exchange->request.headers.rows[1].value_length = sizeof(huge);
    assert_false(forward_request(exchange, &fixture->page, &fixture->head));
}

/* --- answers ------------------------------------------------------------------------------- */

static void answers_lose_what_is_hop_by_hop(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, PLAIN,
           "HTTP/1.1 200 Fine\r\nConnection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
           "Content-Length: 3\r\nProxy-Authenticate: Basic\r\nServer: s\r\nSet-Cookie: a\r\n"
           "Set-Cookie: b\r\nVia: 1.0 inner\r\n\r\n");
    assert_true(fixture->fits);
    assert_int_equal(fixture->answer.status, 200);
    expect_text(fixture->answer.reason, "Fine");
    assert_int_equal(fixture->answer.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(fixture->answer.body_length, 3);
    assert_int_equal(count(fixture, "Connection") + count(fixture, "X-Hop") +
                         count(fixture, "Keep-Alive") + count(fixture, "Content-Length") +
                         count(fixture, "Proxy-Authenticate"),
                     0);
    expect(fixture, "Server", "s");
    assert_int_equal(count(fixture, "Set-Cookie"), 2);
    assert_int_equal(count(fixture, "Via"), 2);
    expect(fixture, "X-Request-Id", "the-id");
}

/* RFC 9110 section 6.6.1. */
static void a_date_is_added_where_there_is_none(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, PLAIN, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(count(fixture, "Date"), 1);
    answer(fixture, PLAIN,
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
    expect(fixture, "Date", "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void answers_are_edited(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, EDITED,
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nserver: s\r\nX-Frame: any\r\n"
           "Set-Cookie: theirs\r\n\r\n");
    assert_int_equal(count(fixture, "Server"), 0);
    expect(fixture, "X-Frame", "deny");
    assert_int_equal(count(fixture, "Set-Cookie"), 2);
}

/* RFC 9110 section 8.6: HEAD and 304 may tell the length of what they leave out. */
static void the_length_of_an_absent_body_is_reported(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, PLAIN, "HTTP/1.1 304 Not Modified\r\nContent-Length: 512\r\n\r\n");
    assert_int_equal(fixture->answer.framing, HTTP_NO_BODY);
    assert_true(fixture->answer.reports_length);
    assert_int_equal(fixture->answer.body_length, 512);
    answer(fixture, PLAIN, "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_false(fixture->answer.reports_length);
    answer(fixture, PLAIN, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_false(fixture->answer.reports_length);
    assert_int_equal(fixture->answer.framing, HTTP_NO_BODY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hop_by_hop_fields_stay_here),
        TEST(fields_that_connection_names_stay_here),
        TEST(connection_does_not_take_away_what_is_ours),
        TEST(connection_does_not_take_away_what_is_end_to_end),
        TEST(an_upgrade_goes_on),
        TEST(end_to_end_fields_keep_order_and_number),
        TEST(what_a_stranger_says_of_himself_is_dropped),
        TEST(no_spelling_of_it_passes),
        TEST(what_a_trusted_proxy_says_is_passed_on),
        TEST(a_broken_list_is_believed_up_to_the_break),
        TEST(an_ipv6_client_is_quoted),
        TEST(a_client_without_address_is_unknown),
        TEST(via_reports_the_version_received),
        TEST(framing_is_said_anew),
        TEST(a_gathered_body_has_a_length),
        TEST(the_expectation_goes_on),
        TEST(max_forwards_counts_down_for_options_only),
        TEST(edits_remove_set_and_add),
        TEST(edits_take_other_spellings_away_too),
        TEST(setting_host_changes_the_authority),
        TEST(targets_go_on_as_they_came),
        TEST(dots_and_needless_escapes_do_not),
        TEST(a_prefix_gives_way_to_another),
        TEST(a_head_that_does_not_fit_is_reported),
        TEST(answers_lose_what_is_hop_by_hop),
        TEST(a_date_is_added_where_there_is_none),
        TEST(answers_are_edited),
        TEST(the_length_of_an_absent_body_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
