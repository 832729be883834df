/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h1/h1_parser, request heads: what is accepted and what it means, what is refused and with
 * which status. Each refused head is also cut at every place: no part of it may pass. */
#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct h1_limits roomy = {.head_bytes = 65536, .target_bytes = 8192, .headers = 100};

static struct http_header rows[HTTP_HEADERS_MAX];
static struct http_request request = {.headers.rows = rows};
static struct h1_problem problem;
static size_t consumed;
static char *kept;

/* Parses an exact copy, which the request then points into. */
static enum h1_verdict parse_within(struct bytes text, const struct h1_limits *limits)
{
    free(kept);
    kept = malloc(text.length + 1);
    char *exact = kept + 1; /* not aligned either */
    memcpy(exact, text.at, text.length);
    return h1_parse_request((struct bytes){exact, text.length}, limits, &request, &consumed,
                            &problem);
}

static enum h1_verdict parse(const char *text)
{
    return parse_within(bytes_of(text), &roomy);
}

/* As its reader does it, byte by byte; how often it was parsed. */
static unsigned parses_of_drip(struct bytes whole, const struct h1_limits *limits,
                               enum h1_verdict *verdict)
{
    unsigned parses = 0;
    size_t checked = 0;

    *verdict = H1_INCOMPLETE;
    for (size_t length = 1; *verdict == H1_INCOMPLETE && length <= whole.length; length++) {
        if (h1_is_worth_parsing(bytes_first(whole, length), checked, limits)) {
            *verdict = parse_within(bytes_first(whole, length), limits);
            checked = length;
            parses++;
        }
    }
    return parses;
}

static void accept_head(const char *text)
{
    enum h1_verdict dripped;

    struct bytes whole = bytes_of(text);

    for (size_t length = 0; length < whole.length; length++) {
        assert_int_equal(parse_within(bytes_first(whole, length), &roomy), H1_INCOMPLETE);
    }
    parses_of_drip(whole, &roomy, &dripped);
    assert_int_equal(dripped, H1_COMPLETE);
    if (parse(text) != H1_COMPLETE) {
        fail_msg("refused (%s): %s", problem.what, text);
    }
    assert_int_equal(consumed, whole.length);
}

static void refuse_bytes(struct bytes whole, int status)
{
    enum h1_verdict verdict = parse_within(whole, &roomy);

    if (verdict != H1_REJECTED || problem.status != status) {
        fail_msg("verdict %d, status %d instead of %d (%s): %.*s", verdict,
                 verdict == H1_REJECTED ? problem.status : 0, status,
                 verdict == H1_REJECTED ? problem.what : "", (int)whole.length, whole.at);
    }
    assert_true(strlen(problem.what) > 0);
    assert_true(strncmp(problem.section, "RFC ", 4) == 0);
    for (size_t length = 0; length < whole.length; length++) {
        assert_int_not_equal(parse_within(bytes_first(whole, length), &roomy), H1_COMPLETE);
    }
}

static void refuse(const char *text, int status)
{
    refuse_bytes(bytes_of(text), status);
}

/* Refused at its last byte already, without waiting for more. */
static void refuse_at_once(const char *text, int status)
{
    struct bytes whole = bytes_of(text);

    refuse(text, status);
    assert_int_equal(parse_within(bytes_first(whole, whole.length - 1), &roomy), H1_INCOMPLETE);
}

static void refuse_headers(const char *lines, int status)
{
    char text[1024];

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", lines);
    refuse(text, status);
}

static void accept_headers(const char *lines)
{
    char text[1024];

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", lines);
    accept_head(text);
}

#define assert_bytes(actual, expected) \
    do { \
        struct bytes actual_ = (actual); \
        assert_int_equal(actual_.length, strlen(expected)); \
        assert_memory_equal(actual_.at, (expected), strlen(expected)); \
    } while (0)

/* --- a plain request ---------------------------------------------------------------------- */

static void a_get_is_taken_apart(void **state)
{
    (void)state;
    accept_head("GET /v1/pay?id=1&x=%20 HTTP/1.1\r\nHost: Pay.Example.com:8080\r\n"
                "Accept:*/*\r\nX-Own: \t one two \t \r\n\r\n");
    assert_int_equal(request.method, HTTP_GET);
    assert_bytes(request.method_text, "GET");
    assert_int_equal(request.version, HTTP_1_1);
    assert_bytes(request.target, "/v1/pay?id=1&x=%20");
    assert_bytes(request.path, "/v1/pay");
    assert_bytes(request.query, "id=1&x=%20");
    assert_true(request.has_query);
    assert_bytes(request.authority, "Pay.Example.com:8080");
    assert_bytes(request.host, "Pay.Example.com");
    assert_int_equal(request.framing, HTTP_NO_BODY);
    assert_true(request.keep_alive);
    assert_false(request.expects_continue);
    assert_false(request.wants_upgrade);
    assert_int_equal(request.headers.count, 3);
    assert_bytes(http_header_name(&request.headers.rows[2]), "X-Own");
    assert_bytes(http_header_value(&request.headers.rows[2]), "one two");
    assert_int_equal(request.headers.rows[2].id, HTTP_HEADER_OTHER);
    assert_int_equal(request.headers.rows[1].id, HTTP_HEADER_ACCEPT);
    assert_true(request.headers.present ==
                ((uint64_t)1 << HTTP_HEADER_HOST | (uint64_t)1 << HTTP_HEADER_ACCEPT));
}

static void what_follows_the_head_is_left(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    char pipelined[256];

    (void)state;
    snprintf(pipelined, sizeof(pipelined), "%s%s", head, "\x16\x03 anything\n");
    assert_int_equal(parse(pipelined), H1_COMPLETE);
    assert_int_equal(consumed, strlen(head));
}

static void an_empty_query_differs_from_none(void **state)
{
    (void)state;
    accept_head("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(request.has_query);
    assert_int_equal(request.query.length, 0);
    assert_bytes(request.path, "/a");
    accept_head("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(request.has_query);
}

/* --- RFC 9112 section 2.2: lines ---------------------------------------------------------- */

static void rfc9112_2_2_one_empty_line_may_come_first(void **state)
{
    (void)state;
    accept_head("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(consumed, strlen("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    refuse("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse_at_once("\n", 400);
    refuse_at_once("\rG", 400);
    refuse_at_once("\r\n\r", 400);
}

static void rfc9112_2_2_bare_lf_is_refused_as_soon_as_seen(void **state)
{
    (void)state;
    refuse_at_once("GET / HTTP/1.1\n", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\n", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost\n", 400);
    refuse_at_once("GET\n", 400);
    refuse_at_once("GET /\n", 400);
    refuse("GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: z\r\n\r\n", 400);
}

static void rfc9112_2_2_bare_cr_is_refused_as_soon_as_seen(void **state)
{
    (void)state;
    refuse_at_once("GET / HTTP/1.1\rX", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\rb", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\r\n\rX", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\r\r", 400);
}

static void rfc9112_2_2_controls_are_refused_as_soon_as_seen(void **state)
{
    (void)state;
    for (int byte = 0; byte < 0x20; byte++) {
        char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaaaaaaaaa?";

        if (byte != '\t' && byte != '\r') {
            head[sizeof(head) - 2] = (char)byte;
            refuse_bytes((struct bytes){head, sizeof(head) - 1}, 400);
        }
    }
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost: a\r\nX\x01", 400);
    accept_headers("X: a\tb");
}

static void rfc9110_5_5_obs_text_in_values_passes(void **state)
{
    (void)state;
    accept_headers("X: caf\xc3\xa9 \x80\xff");
}

/* --- RFC 9112 section 3: the request line ------------------------------------------------- */

static void what_cannot_begin_a_method_is_refused_at_once(void **state)
{
    (void)state;
    refuse_at_once("\x16", 400); /* a TLS ClientHello */
    refuse_at_once("\x80", 400);
    refuse_at_once(" ", 400);
    refuse_at_once("{", 400);
    refuse_at_once("G\x03", 400);
    refuse_at_once("GET\t", 400);
    refuse_at_once("GE(", 400);
    refuse_bytes((struct bytes){"\0", 1}, 400);
}

static void rfc9112_3_exactly_one_space_between_the_parts(void **state)
{
    (void)state;
    refuse_at_once("GET  ", 400);
    refuse_at_once("GET /  ", 400);
    refuse_at_once("GET / HTTP/1.1 ", 400);
    refuse_at_once("GET /\t", 400);
    refuse("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse_at_once("GET / HTTP/1.1\t", 400);
}

static void rfc9110_9_1_methods_are_tokens_in_upper_and_lower_case(void **state)
{
    (void)state;
    accept_head("PURGE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(request.method, HTTP_METHOD_OTHER);
    assert_bytes(request.method_text, "PURGE");
    accept_head("get / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(request.method, HTTP_METHOD_OTHER);
    accept_head("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void rfc9112_3_a_long_method_is_501(void **state)
{
    (void)state;
    accept_head("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse_at_once("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 501);
}

static void rfc9112_2_3_versions(void **state)
{
    (void)state;
    accept_head("GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(request.version, HTTP_1_0);
    accept_head("GET / HTTP/1.2\r\nHost: a\r\n\r\n"); /* RFC 9110 section 2.5 */
    assert_int_equal(request.version, HTTP_1_1);
    refuse("GET / HTTP/1.9\r\n\r\n", 400); /* as in 1.1: no Host */
    refuse("GET / HTTP/2.0\r\n\r\n", 505);
    refuse("GET / HTTP/0.9\r\n\r\n", 505);
    refuse("GET / HTTP/9.9\r\n\r\n", 505);
    refuse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    refuse("GET / HTTP/1.10\r\n\r\n", 400);
    refuse_at_once("GET / h", 400);
    refuse_at_once("GET / HTTP/1,", 400);
    refuse_at_once("GET / HTTP/11", 400);
    refuse_at_once("GET / HTTP/a", 400);
    refuse_at_once("GET / HTTPS", 400);
    refuse_at_once("GET / HTTP/\r", 400);
    refuse("GET /\r\n", 400);
    refuse("GET /\r\nHost: a\r\n\r\n", 400);
    refuse("GET\r\n\r\n", 400);
}

static void rfc9112_3_2_targets_are_visible_ascii_without_fragment(void **state)
{
    (void)state;
    accept_head("GET /a?q=\"<>\\^`{|}' HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse_at_once("GET /a#", 400);
    refuse_at_once("GET /caf\xc3", 400);
    refuse_at_once("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x7f", 400);
    refuse_at_once("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x01", 400);
    refuse_at_once("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xff", 400);
    refuse_at_once("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#", 400);
}

/* --- RFC 9112 section 3.2: forms of the target -------------------------------------------- */

static void rfc9112_3_2_1_origin_form_begins_with_a_slash(void **state)
{
    (void)state;
    refuse("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET example.com:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    accept_head("GET // HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(request.path, "//");
}

static void rfc9112_3_2_2_absolute_form_is_reduced(void **state)
{
    (void)state;
    accept_head("GET http://Real.example:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_bytes(request.target, "/a?b");
    assert_bytes(request.path, "/a");
    assert_bytes(request.query, "b");
    assert_bytes(request.authority, "Real.example:81");
    assert_bytes(request.host, "Real.example");
    accept_head("GET HTTPS://[::1] HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_bytes(request.target, "/");
    assert_bytes(request.host, "[::1]");
    accept_head("GET http://a HTTP/1.0\r\n\r\n");
    assert_bytes(request.host, "a");
    accept_head("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"); /* the forwarder adds "/" */
    assert_bytes(request.target, "?b");
    assert_bytes(request.path, "");
    assert_bytes(request.query, "b");
    assert_bytes(request.host, "a");
    accept_head("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(request.target, "*");
    accept_head("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(request.target, "/");
}

static void rfc9112_3_2_2_malformed_absolute_forms(void **state)
{
    (void)state;
    refuse("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("GET http://a/ HTTP/1.1\r\n\r\n", 400);
    refuse("GET http://a/ HTTP/1.1\r\nHost: b@c\r\n\r\n", 400);
}

static void rfc9112_3_2_3_authority_form_is_for_connect(void **state)
{
    (void)state;
    accept_head("CONNECT Example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(request.method, HTTP_CONNECT);
    assert_bytes(request.authority, "Example.com:443");
    assert_bytes(request.host, "Example.com");
    accept_head("CONNECT example.com.:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_bytes(request.host, "example.com");
    refuse("CONNECT example.com HTTP/1.1\r\nHost: x\r\n\r\n", 400);
    refuse("CONNECT example.com: HTTP/1.1\r\nHost: x\r\n\r\n", 400);
    refuse("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 400);
    refuse("CONNECT http://a:1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400);
}

static void rfc9112_3_2_4_asterisk_form_is_for_options(void **state)
{
    (void)state;
    accept_head("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_bytes(request.target, "*");
    assert_bytes(request.path, "*");
    refuse("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refuse("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

/* --- RFC 9112 section 3.2: Host ----------------------------------------------------------- */

static void rfc9112_3_2_exactly_one_host(void **state)
{
    (void)state;
    refuse("GET / HTTP/1.1\r\n\r\n", 400);
    refuse("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    refuse("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400);
    refuse("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    accept_head("GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(request.authority.length, 0);
    assert_int_equal(request.host.length, 0);
}

static void rfc9112_3_2_host_is_an_authority_or_empty(void **state)
{
    static const char *const wrong[] = {
        "a b",      "a/b",  "user@a",  "a,b",      "a:b",       ":80", "[::1", "[]", "a:80:80",
        "http://a", "a\\b", "a:65536", "\xc3\xa9", "[1.2.3.4]", "a?b", "a#b",  "."};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128];

        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", wrong[i]);
        refuse(text, 400);
    }
    accept_head("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    assert_int_equal(request.authority.length, 0);
    accept_head("GET / HTTP/1.1\r\nHost: example.com.:80\r\n\r\n");
    assert_bytes(request.host, "example.com");
    assert_bytes(request.authority, "example.com.:80");
    accept_head("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n");
    assert_bytes(request.host, "[2001:db8::1]");
}

/* --- RFC 9112 section 5: fields ----------------------------------------------------------- */

static void rfc9112_5_1_no_space_around_names(void **state)
{
    (void)state;
    refuse_at_once("GET / HTTP/1.1\r\nHost ", 400);
    refuse_at_once("GET / HTTP/1.1\r\nHost\t", 400);
    refuse_headers("Content-Length : 5", 400);
    refuse_at_once("GET / HTTP/1.1\r\n ", 400);
    refuse_at_once("GET / HTTP/1.1\r\n\t", 400);
}

static void rfc9112_5_2_obs_fold_is_refused(void **state)
{
    (void)state;
    refuse_headers("X: a\r\n b", 400);
    refuse_headers("X: a\r\n\tb", 400);
    refuse_headers("X: a\r\n ", 400);
}

static void rfc9110_5_1_names_are_tokens(void **state)
{
    (void)state;
    refuse_headers(": empty", 400);
    refuse_headers("X(Y: a", 400);
    refuse_headers("X\xc3\xa9: a", 400);
    refuse_headers("\"X\": a", 400);
    refuse_headers("X", 400);
    refuse_headers("X Y: a", 400);
    refuse_headers("X/Y: a", 400);
    refuse_headers("X@Y: a", 400);
    accept_headers("!#$%&'*+-.^_`|~09azAZ: a");
    accept_headers("X:");
    assert_int_equal(request.headers.rows[1].value_length, 0);
    accept_headers("X: \t ");
    assert_int_equal(request.headers.rows[1].value_length, 0);
    accept_headers("X: a:b");
    assert_bytes(http_header_value(&request.headers.rows[1]), "a:b");
}

/* --- RFC 9112 section 6: framing ---------------------------------------------------------- */

static void rfc9112_6_3_content_length(void **state)
{
    static const char *const wrong[] = {"",
                                        "+5",
                                        "-5",
                                        "5 5",
                                        "5,5",
                                        "5, 5",
                                        "0x5",
                                        "5.0",
                                        "5a",
                                        "a",
                                        "\"5\"",
                                        "5\t5",
                                        "_5",
                                        "9223372036854775808",
                                        "18446744073709551616",
                                        "99999999999999999999999"};

    (void)state;
    accept_headers("Content-Length: 5");
    assert_int_equal(request.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(request.body_length, 5);
    accept_headers("content-length:0");
    assert_int_equal(request.framing, HTTP_LENGTH_KNOWN);
    assert_int_equal(request.body_length, 0);
    accept_headers("Content-Length: 9223372036854775807");
    assert_true(request.body_length == INT64_MAX);
    accept_headers("Content-Length: 007");
    assert_int_equal(request.body_length, 7);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[128];

        snprintf(line, sizeof(line), "Content-Length: %s", wrong[i]);
        refuse_headers(line, 400);
    }
}

static void rfc9112_6_3_repeated_content_length_is_refused_even_if_equal(void **state)
{
    (void)state;
    refuse_headers("Content-Length: 5\r\nContent-Length: 6", 400);
    refuse_headers("Content-Length: 5\r\nContent-Length: 5", 400);
    refuse_headers("Content-Length: 5\r\nX: y\r\ncontent-length: 5", 400);
}

static void rfc9112_6_1_both_lengths_are_refused(void **state)
{
    (void)state;
    refuse_headers("Content-Length: 5\r\nTransfer-Encoding: chunked", 400);
    refuse_headers("Transfer-Encoding: chunked\r\nContent-Length: 0", 400);
    refuse_headers("Transfer-Encoding: gzip, chunked\r\nContent-Length: 0", 400);
    refuse_headers("Transfer-Encoding:\r\nContent-Length: 5", 400);
}

static void rfc9112_6_1_transfer_encoding_is_chunked_once(void **state)
{
    static const char *const wrong[] = {"",
                                        "identity",
                                        "gzip",
                                        "chunked, gzip",
                                        "chunked, chunked",
                                        "xchunked",
                                        "chunkedx",
                                        "chunked;q=1",
                                        "\"chunked\"",
                                        "chunked,",
                                        ",chunked",
                                        "chunked chunked",
                                        "gz(ip, chunked",
                                        "gzip chunked",
                                        "x, chunked, identity",
                                        "ch\xc3\xbcnked"};

    (void)state;
    accept_headers("Transfer-Encoding: chunked");
    assert_int_equal(request.framing, HTTP_CHUNKED);
    accept_headers("transfer-encoding:  CHUNKED  ");
    assert_int_equal(request.framing, HTTP_CHUNKED);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[128];

        snprintf(line, sizeof(line), "Transfer-Encoding: %s", wrong[i]);
        refuse_headers(line, 400);
    }
    refuse_headers("Transfer-Encoding: gzip, chunked", 501);
    refuse_headers("Transfer-Encoding: a,b ,\tChunked", 501);
    refuse_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400);
    refuse_headers("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 400);
    refuse_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400);
}

static void rfc9112_6_1_no_transfer_encoding_in_http_1_0(void **state)
{
    (void)state;
    refuse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

static void rfc9110_9_3_6_connect_has_no_body(void **state)
{
    (void)state;
    refuse("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400);
    refuse("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    accept_head("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
}

/* --- what the headers ask of the connection ----------------------------------------------- */

static void rfc9112_9_3_persistence(void **state)
{
    (void)state;
    accept_headers("Connection: close");
    assert_false(request.keep_alive);
    accept_headers("Connection: x , CLOSE,");
    assert_false(request.keep_alive);
    accept_headers("Connection: x\r\nConnection: close");
    assert_false(request.keep_alive);
    accept_headers("Connection: keep-alive");
    assert_true(request.keep_alive);
    accept_headers("Connection: closed");
    assert_true(request.keep_alive);
    accept_head("GET / HTTP/1.0\r\n\r\n");
    assert_false(request.keep_alive);
    accept_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(request.keep_alive);
    accept_head("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n");
    assert_false(request.keep_alive);
}

static void rfc9110_7_6_1_connection_is_a_list_of_tokens(void **state)
{
    (void)state;
    refuse_headers("Connection: a b", 400);
    refuse_headers("Connection: \"close\"", 400);
    refuse_headers("Connection: close;x", 400);
    refuse_headers("Connection: a\r\nConnection: (b)", 400);
    accept_headers("Connection: , a,, b ,");
    accept_headers("Connection:");
}

static void rfc9110_10_1_1_expect(void **state)
{
    (void)state;
    accept_headers("Expect: 100-Continue\r\nContent-Length: 5");
    assert_true(request.expects_continue);
    accept_headers("Expect: 100-continue\r\nTransfer-Encoding: chunked");
    assert_true(request.expects_continue);
    accept_headers("Expect: 100-continue"); /* no body to wait for */
    assert_false(request.expects_continue);
    accept_head("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_false(request.expects_continue);
    refuse_headers("Expect: 200-ok", 417);
    refuse_headers("Expect:", 417);
    refuse_headers("Expect: 100-continue\r\nExpect: x", 417);
}

static void rfc9110_7_8_upgrade(void **state)
{
    (void)state;
    accept_headers("Connection: keep-alive, Upgrade\r\nUpgrade: websocket");
    assert_true(request.wants_upgrade);
    accept_headers("Upgrade: foo/1.0, bar\r\nConnection: upgrade");
    assert_true(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0");
    assert_true(request.wants_upgrade);
    accept_headers("Upgrade: websocket"); /* not named by Connection */
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked");
    assert_false(request.wants_upgrade);
    accept_head("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_false(request.wants_upgrade);
    accept_head("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade:");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: a b");
    assert_false(request.wants_upgrade);
}

static void upgrade_to_another_http_is_not_taken(void **state)
{
    (void)state;
    accept_headers("Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: websocket, H2C");
    assert_false(request.wants_upgrade);
    accept_headers("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: HTTP/2.0");
    assert_false(request.wants_upgrade);
}

/* --- limits ------------------------------------------------------------------------------- */

static void rfc9112_3_a_long_target_is_414_before_it_ends(void **state)
{
    const struct h1_limits tight = {.head_bytes = 4096, .target_bytes = 10, .headers = 10};
    const struct h1_limits tiny = {.head_bytes = 20, .target_bytes = 1000, .headers = 10};

    (void)state;
    assert_int_equal(parse_within(BYTES("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n"), &tight),
                     H1_COMPLETE);
    assert_int_equal(parse_within(BYTES("GET /123456789"), &tight), H1_INCOMPLETE);
    assert_int_equal(parse_within(BYTES("GET /1234567890"), &tight), H1_REJECTED);
    assert_int_equal(problem.status, 414);
    assert_int_equal(parse_within(BYTES("GET /aaaaaaaaaaaaaa"), &tiny), H1_INCOMPLETE);
    assert_int_equal(parse_within(BYTES("GET /aaaaaaaaaaaaaaa"), &tiny), H1_REJECTED);
    assert_int_equal(problem.status, 414);
}

static void rfc6585_5_a_long_head_is_431_before_it_ends(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct h1_limits limits = {.head_bytes = sizeof(head) - 1, .target_bytes = 10, .headers = 10};

    (void)state;
    assert_int_equal(parse_within(BYTES(head), &limits), H1_COMPLETE);
    for (limits.head_bytes = 8; limits.head_bytes < sizeof(head) - 1; limits.head_bytes++) {
        assert_int_equal(parse_within(bytes_first(BYTES(head), limits.head_bytes), &limits),
                         H1_REJECTED);
        assert_int_equal(problem.status, 431);
        assert_int_equal(parse_within(bytes_first(BYTES(head), limits.head_bytes - 1), &limits),
                         H1_INCOMPLETE);
    }
}

static void rfc6585_5_too_many_lines_are_431_before_they_end(void **state)
{
    const struct h1_limits three = {.head_bytes = 4096, .target_bytes = 10, .headers = 3};
    const struct h1_limits beyond = {.head_bytes = 65536, .target_bytes = 10, .headers = 1000};
    char text[4096] = "GET / HTTP/1.1\r\nHost: a\r\n";

    (void)state;
    assert_int_equal(parse_within(BYTES("GET / HTTP/1.1\r\nHost: a\r\nB:\r\nC:\r\n\r\n"), &three),
                     H1_COMPLETE);
    assert_int_equal(parse_within(BYTES("GET / HTTP/1.1\r\nHost: a\r\nB:\r\nC:\r\nD"), &three),
                     H1_REJECTED);
    assert_int_equal(problem.status, 431);
    for (int i = 1; i < HTTP_HEADERS_MAX; i++) {
        strcat(text, "X: y\r\n");
    }
    assert_int_equal(parse_within(bytes_of(text), &beyond), H1_INCOMPLETE);
    strcat(text, "X: y\r\n\r\n"); /* one more than the table holds */
    assert_int_equal(parse_within(bytes_of(text), &beyond), H1_REJECTED);
    assert_int_equal(problem.status, 431);
}

static void a_name_too_long_for_its_field_is_431(void **state)
{
    const struct h1_limits limits = {.head_bytes = 200000, .target_bytes = 10, .headers = 10};
    static char text[70000];
    int length = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");

    (void)state;
    memset(text + length, 'a', sizeof(text) - (size_t)length);
    assert_int_equal(parse_within((struct bytes){text, sizeof(text)}, &limits), H1_REJECTED);
    assert_int_equal(problem.status, 431);
}

static int release(void **state)
{
    (void)state;
    free(kept);
    kept = NULL;
    return 0;
}

/* Looking at each byte anew would cost the square of its length. */
static void a_head_that_drips_is_rarely_parsed(void **state)
{
    static char text[60000] = "GET / HTTP/1.1\r\nHost: a\r\n";
    size_t length = strlen(text);
    enum h1_verdict verdict;

    (void)state;
    for (int i = 0; i < 90; i++) {
        length += (size_t)sprintf(text + length, "X-%d: %0300d\r\n", i, i);
    }
    strcpy(text + length, "\r\n");
    assert_true(parses_of_drip(bytes_of(text), &roomy, &verdict) <= 20);
    assert_int_equal(verdict, H1_COMPLETE);
}

static void a_drip_that_is_wrong_is_reported_before_it_ends(void **state)
{
    const struct h1_limits limits = {.head_bytes = 1000, .target_bytes = 800, .headers = 100};
    static char text[4000] = "GET / HTTP/1.1\r\nHost: a\r\nbad name: x\r\n";
    size_t length = strlen(text);
    enum h1_verdict verdict;

    (void)state;
    memset(text + length, 'x', 2 * length);
    parses_of_drip(bytes_of(text), &limits, &verdict);
    assert_int_equal(verdict, H1_REJECTED);
    assert_int_equal(problem.status, 400);

    strcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    length = strlen(text);
    memset(text + length, 'x', 999 - length); /* not twice what was looked at last */
    text[999] = '\0';
    parses_of_drip(bytes_of(text), &limits, &verdict);
    assert_int_equal(verdict, H1_INCOMPLETE);
    strcat(text, "x");
    parses_of_drip(bytes_of(text), &limits, &verdict);
    assert_int_equal(verdict, H1_REJECTED);
    assert_int_equal(problem.status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_is_taken_apart),
        cmocka_unit_test(what_follows_the_head_is_left),
        cmocka_unit_test(an_empty_query_differs_from_none),
        cmocka_unit_test(rfc9112_2_2_one_empty_line_may_come_first),
        cmocka_unit_test(rfc9112_2_2_bare_lf_is_refused_as_soon_as_seen),
        cmocka_unit_test(rfc9112_2_2_bare_cr_is_refused_as_soon_as_seen),
        cmocka_unit_test(rfc9112_2_2_controls_are_refused_as_soon_as_seen),
        cmocka_unit_test(rfc9110_5_5_obs_text_in_values_passes),
        cmocka_unit_test(what_cannot_begin_a_method_is_refused_at_once),
        cmocka_unit_test(rfc9112_3_exactly_one_space_between_the_parts),
        cmocka_unit_test(rfc9110_9_1_methods_are_tokens_in_upper_and_lower_case),
        cmocka_unit_test(rfc9112_3_a_long_method_is_501),
        cmocka_unit_test(rfc9112_2_3_versions),
        cmocka_unit_test(rfc9112_3_2_targets_are_visible_ascii_without_fragment),
        cmocka_unit_test(rfc9112_3_2_1_origin_form_begins_with_a_slash),
        cmocka_unit_test(rfc9112_3_2_2_absolute_form_is_reduced),
        cmocka_unit_test(rfc9112_3_2_2_malformed_absolute_forms),
        cmocka_unit_test(rfc9112_3_2_3_authority_form_is_for_connect),
        cmocka_unit_test(rfc9112_3_2_4_asterisk_form_is_for_options),
        cmocka_unit_test(rfc9112_3_2_exactly_one_host),
        cmocka_unit_test(rfc9112_3_2_host_is_an_authority_or_empty),
        cmocka_unit_test(rfc9112_5_1_no_space_around_names),
        cmocka_unit_test(rfc9112_5_2_obs_fold_is_refused),
        cmocka_unit_test(rfc9110_5_1_names_are_tokens),
        cmocka_unit_test(rfc9112_6_3_content_length),
        cmocka_unit_test(rfc9112_6_3_repeated_content_length_is_refused_even_if_equal),
        cmocka_unit_test(rfc9112_6_1_both_lengths_are_refused),
        cmocka_unit_test(rfc9112_6_1_transfer_encoding_is_chunked_once),
        cmocka_unit_test(rfc9112_6_1_no_transfer_encoding_in_http_1_0),
        cmocka_unit_test(rfc9110_9_3_6_connect_has_no_body),
        cmocka_unit_test(rfc9112_9_3_persistence),
        cmocka_unit_test(rfc9110_7_6_1_connection_is_a_list_of_tokens),
        cmocka_unit_test(rfc9110_10_1_1_expect),
        cmocka_unit_test(rfc9110_7_8_upgrade),
        cmocka_unit_test(upgrade_to_another_http_is_not_taken),
        cmocka_unit_test(rfc9112_3_a_long_target_is_414_before_it_ends),
        cmocka_unit_test(a_head_that_drips_is_rarely_parsed),
        cmocka_unit_test(a_drip_that_is_wrong_is_reported_before_it_ends),
        cmocka_unit_test(rfc6585_5_a_long_head_is_431_before_it_ends),
        cmocka_unit_test(rfc6585_5_too_many_lines_are_431_before_they_end),
        cmocka_unit_test(a_name_too_long_for_its_field_is_431),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
