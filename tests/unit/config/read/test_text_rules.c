/* SPDX-License-Identifier: BSD-2-Clause */
/* config/read/text_rules: tokens, hosts, and the normal form of paths. */
#include "config/read/reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void expect_path(const char *path, const char *expected)
{
    char out[256];
    size_t length = 0;
    bool has_one = config_normal_path(bytes_of(path), out, &length);

    if (expected == NULL) {
        assert_false(has_one);
        return;
    }
    assert_true(has_one);
    out[length] = '\0';
    assert_string_equal(out, expected);
}

static void paths_have_a_normal_form(void **state)
{
    (void)state;
    expect_path("/", "/");
    expect_path("/v1/", "/v1/");
    expect_path("/v1", "/v1");
    expect_path("//a///b//", "/a/b/");
    expect_path("/a/./b/.", "/a/b/");
    expect_path("/a/../b", "/b");
    expect_path("/a/b/..", "/a/");
    expect_path("/a/..", "/");
    expect_path("/%7euser", "/~user");
    expect_path("/%2f%3a", "/%2F%3A");
    expect_path("/%2e%2e/a", NULL); /* climbs, once decoded */
    expect_path("/a/%2e%2e/b", "/b");
    expect_path("/a b", "/a%20b");
    expect_path("/\xC3\xA9", "/%C3%A9");
    expect_path("/a/...", "/a/...");
}

static void some_paths_have_none(void **state)
{
    (void)state;
    expect_path("", NULL);
    expect_path("a", NULL);
    expect_path("/..", NULL);
    expect_path("/a/../..", NULL);
    expect_path("/%", NULL);
    expect_path("/%4", NULL);
    expect_path("/%zz", NULL);
    expect_path("/%00", NULL);
    expect_path("/a?b", NULL);
    expect_path("/a#b", NULL);
}

static void hosts(void **state)
{
    (void)state;
    assert_true(config_is_host_name(BYTES("example.com")));
    assert_true(config_is_host_name(BYTES("a")));
    assert_true(config_is_host_name(BYTES("my_service-2.internal")));
    assert_true(config_is_host_name(BYTES("1password.com")));
    assert_false(config_is_host_name(BYTES("")));
    assert_false(config_is_host_name(BYTES("10.0.0.300"))); /* a mistyped address */
    assert_false(config_is_host_name(BYTES("a..b")));
    assert_false(config_is_host_name(BYTES("a.")));
    assert_false(config_is_host_name(BYTES(".a")));
    assert_false(config_is_host_name(BYTES("-a.b")));
    assert_false(config_is_host_name(BYTES("a b")));
    assert_false(config_is_host_name(
        BYTES("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.com")));
}

static void tokens_and_values(void **state)
{
    (void)state;
    assert_true(config_is_token(BYTES("X-Note")));
    assert_true(config_is_token(BYTES("!#$%&'*+-.^_`|~9")));
    assert_false(config_is_token(BYTES("")));
    assert_false(config_is_token(BYTES("a b")));
    assert_false(config_is_token(BYTES("a:")));
    assert_false(config_is_token(BYTES("a\0b")));
    assert_true(config_is_field_value(BYTES("")));
    assert_true(config_is_field_value(BYTES("a\tb \xC3\xA9")));
    assert_false(config_is_field_value(BYTES("a\r\nb")));
    assert_false(config_is_field_value(BYTES("a\0")));
    assert_false(config_is_field_value(BYTES("\x7F")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_and_values),
        cmocka_unit_test(hosts),
        cmocka_unit_test(paths_have_a_normal_form),
        cmocka_unit_test(some_paths_have_none),
    };

    return cmocka_run_group_tests_name("config/read/text_rules", tests, NULL, NULL);
}
