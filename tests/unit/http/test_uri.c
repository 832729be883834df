/* SPDX-License-Identifier: BSD-2-Clause */
/* http/uri: normal paths, query values, authorities. */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define assert_bytes(actual, expected) \
    do { \
        struct bytes actual_ = (actual); \
        assert_int_equal(actual_.length, strlen(expected)); \
        assert_memory_equal(actual_.at, (expected), strlen(expected)); \
    } while (0)

/* Exactly as much scratch memory as promised to be enough. */
static bool normalise(const char *path, struct bytes *normal, char **scratch)
{
    unsigned marks;

    *scratch = malloc(strlen(path));
    return uri_normalise_path(bytes_of(path), *scratch, normal, &marks);
}

static void expect_normal(const char *path, const char *expected)
{
    struct bytes normal;
    char *scratch;

    if (!normalise(path, &normal, &scratch)) {
        fail_msg("refused: %s", path);
    }
    if (normal.length != strlen(expected) || memcmp(normal.at, expected, normal.length) != 0) {
        fail_msg("%s became %.*s", path, (int)normal.length, normal.at);
    }
    if (strcmp(path, expected) == 0) {
        assert_ptr_equal(normal.at, path);
    }
    free(scratch);
}

static void expect_no_normal(const char *path)
{
    struct bytes normal;
    char *scratch;

    if (normalise(path, &normal, &scratch)) {
        fail_msg("accepted: %s", path);
    }
    free(scratch);
}

static void normal_paths_are_left_where_they_are(void **state)
{
    (void)state;
    expect_normal("/", "/");
    expect_normal("/a/b.c/d/", "/a/b.c/d/");
    expect_normal("/.well-known/x", "/.well-known/x");
    expect_normal("/a/...", "/a/...");
    expect_normal("/a/..b", "/a/..b");
    expect_normal("/%20%2F", "/%20%2F");
    expect_normal("*", "*");
    expect_normal("", "");
}

static void rfc3986_6_2_2_2_unreserved_escapes_are_decoded(void **state)
{
    (void)state;
    expect_normal("/%61%7E%2d%5F%30", "/a~-_0");
    expect_normal("/%7e", "/~");
    expect_normal("/%2561", "/%2561"); /* once only */
}

static void rfc3986_6_2_2_1_other_escapes_are_upper_case(void **state)
{
    (void)state;
    expect_normal("/%2f%c3%a4", "/%2F%C3%A4");
    expect_normal("/a%2f..%2fb", "/a%2F..%2Fb"); /* an escaped slash parts no segments */
}

static void rfc3986_5_2_4_dot_segments_are_removed(void **state)
{
    (void)state;
    expect_normal("/a/./b", "/a/b");
    expect_normal("/a/../b", "/b");
    expect_normal("/a/.", "/a/");
    expect_normal("/a/..", "/");
    expect_normal("/a/b/..", "/a/");
    expect_normal("/a/b/../..", "/");
    expect_normal("/.", "/");
    expect_normal("/./", "/");
    expect_normal("/a/%2e%2E/b", "/b");
    expect_normal("/a/.%2e/b", "/b");
    expect_normal("/a/%2e/b", "/a/b");
}

static void runs_of_slashes_become_one(void **state)
{
    (void)state;
    expect_normal("//", "/");
    expect_normal("//a///b//", "/a/b/");
    expect_normal("/a//../b", "/b");
}

/* What is odd is found wherever it stands, also where one look ends and the next begins. */
static void long_paths_are_seen_through(void **state)
{
    static const struct {
        const char *odd;
        const char *normal;
    } kinds[] = {{"//", "/"}, {"/./", "/"}, {"%41", "A"}, {"/.x", "/.x"}, {"%2F", "%2F"}};
    char path[64];
    char expected[64];

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (int before = 1; before < 40; before++) {
            snprintf(path, sizeof(path), "/%.*s%s%s", before,
                     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", kinds[i].odd, "xyz");
            snprintf(expected, sizeof(expected), "/%.*s%s%s", before,
                     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", kinds[i].normal,
                     "xyz");
            expect_normal(path, expected);
        }
    }
}

static void what_no_route_may_match_is_refused(void **state)
{
    (void)state;
    expect_no_normal("/..");
    expect_no_normal("/../a");
    expect_no_normal("/a/../..");
    expect_no_normal("/a/../../b");
    expect_no_normal("//../a");
    expect_no_normal("/%2e%2e/a");
    expect_no_normal("/%");
    expect_no_normal("/%2");
    expect_no_normal("/%2g");
    expect_no_normal("/%g2");
    expect_no_normal("/%%20");
    expect_no_normal("/a%00b");
    expect_no_normal("a%20b");
}

static void expect_query_value(const char *query, const char *name, const char *expected)
{
    struct bytes value;

    assert_true(uri_query_value(bytes_of(query), bytes_of(name), &value));
    assert_bytes(value, expected);
}

static void the_first_query_value_is_found(void **state)
{
    struct bytes value;

    (void)state;
    expect_query_value("a=1&b=2&a=3", "a", "1");
    expect_query_value("a=1&b=2", "b", "2");
    expect_query_value("&&b=", "b", "");
    expect_query_value("flag&b=1", "flag", "");
    expect_query_value("a=b=c", "a", "b=c");
    expect_query_value("ab=1&a=2", "a", "2");
    expect_query_value("a=%20+", "a", "%20+");
    assert_false(uri_query_value(BYTES("a=1"), BYTES("b"), &value));
    assert_false(uri_query_value(BYTES("A=1"), BYTES("a"), &value));
    assert_false(uri_query_value(BYTES("ab=1"), BYTES("a"), &value));
    assert_false(uri_query_value(BYTES(""), BYTES("a"), &value));
    assert_false(uri_query_value(BYTES("&"), BYTES(""), &value));
}

static void expect_decoded(const char *query, const char *name, const char *expected)
{
    char room[64];
    struct bytes value;

    assert_true(uri_query_decoded(bytes_of(query), bytes_of(name), room, &value));
    assert_bytes(value, expected);
}

static void a_query_value_is_found_in_any_spelling(void **state)
{
    char room[64];
    struct bytes value;

    (void)state;
    expect_decoded("k=1", "k", "1");
    expect_decoded("k=%31", "k", "1");
    expect_decoded("%6b=1", "k", "1");
    expect_decoded("%6B=%2531", "k", "%31");
    expect_decoded("a=0&%6b=%3D%26&k=2", "k", "=&");
    expect_decoded("a%20b=1", "a%20b", "1");
    expect_decoded("a b=1", "a%20b", "1");
    expect_decoded("k=a+b", "k", "a+b");
    expect_decoded("k=%zz%4", "k", "%zz%4");
    expect_decoded("k=%", "k", "%");
    expect_decoded("k", "k", "");
    expect_decoded("k=a=b", "k", "a=b");
    assert_false(uri_query_decoded(BYTES("kk=1&K=1"), BYTES("k"), room, &value));
    assert_false(uri_query_decoded(BYTES("k%3D=1"), BYTES("k"), room, &value));
    assert_false(uri_query_decoded(BYTES("k%00=1"), BYTES("k"), room, &value));
    assert_false(uri_query_decoded(BYTES("&"), BYTES(""), room, &value));
}

static void expect_authority(const char *authority, const char *host, const char *port)
{
    struct bytes found_host;
    struct bytes found_port;

    if (!uri_split_authority(bytes_of(authority), &found_host, &found_port)) {
        fail_msg("refused: %s", authority);
    }
    assert_bytes(found_host, host);
    assert_bytes(found_port, port);
}

static void rfc3986_3_2_authorities_are_split(void **state)
{
    (void)state;
    expect_authority("a", "a", "");
    expect_authority("a:80", "a", "80");
    expect_authority("a:", "a", "");
    expect_authority("A-b_c.~9:65535", "A-b_c.~9", "65535");
    expect_authority("10.0.0.1:1", "10.0.0.1", "1");
    expect_authority("[::1]", "[::1]", "");
    expect_authority("[2001:db8::1]:443", "[2001:db8::1]", "443");
    expect_authority("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", "");
    expect_authority("example.com.", "example.com.", "");
}

static void rfc3986_3_2_malformed_authorities_are_refused(void **state)
{
    static const char *const wrong[] = {"",         ":",         ":80",
                                        "a:b",      "a:65536",   "a:000080",
                                        "a:-1",     "a:80:80",   "u@a",
                                        "u:p@a",    "a/b",       "a b",
                                        "a,b",      "a?",        "a#",
                                        "a%2",      "a%zz",      "a%20b",
                                        "a%2eb",    "[",         "[]",
                                        "[::1",     "[::1]a",    "[::1]:x",
                                        "::1",      "[1.2.3.4]", "[fe80::1%eth0]",
                                        "[v1.a]",   "a]",        "[[::1]]",
                                        "a\\b",     "\"a\"",     "a\x01",
                                        "\xc3\xa9", ".",         ".:80"};
    struct bytes host;
    struct bytes port;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (uri_split_authority(bytes_of(wrong[i]), &host, &port)) {
            fail_msg("accepted: %s", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_paths_are_left_where_they_are),
        cmocka_unit_test(rfc3986_6_2_2_2_unreserved_escapes_are_decoded),
        cmocka_unit_test(rfc3986_6_2_2_1_other_escapes_are_upper_case),
        cmocka_unit_test(rfc3986_5_2_4_dot_segments_are_removed),
        cmocka_unit_test(runs_of_slashes_become_one),
        cmocka_unit_test(long_paths_are_seen_through),
        cmocka_unit_test(what_no_route_may_match_is_refused),
        cmocka_unit_test(the_first_query_value_is_found),
        cmocka_unit_test(a_query_value_is_found_in_any_spelling),
        cmocka_unit_test(rfc3986_3_2_authorities_are_split),
        cmocka_unit_test(rfc3986_3_2_malformed_authorities_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
