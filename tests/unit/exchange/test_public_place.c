/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/public_place: what names the origin is turned to the public place, and nothing else. */
#include "exchange/public_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static const struct route_settings plain;
static const struct route_settings prefixed = {
    .rewrites_prefix = true, .path = BYTES("/api/"), .prefix_rewrite = BYTES("/tenant-a/")};
static const struct route_settings stripped = {
    .rewrites_prefix = true, .path = BYTES("/app/"), .prefix_rewrite = BYTES("/")};
static const struct route_settings open_ended = {
    .rewrites_prefix = true, .path = BYTES("/api2"), .prefix_rewrite = BYTES("/tenant-a")};

static const char *origin_name = "10.0.0.1:8080";
static const char *public_authority = "shop.example:8443";

static void expect(const struct route_settings *route, const char *name, const char *value,
                   const char *wanted)
{
    const struct public_place place = {.route = route,
                                       .origin = bytes_of(origin_name),
                                       .sent = BYTES("shop.example:8443"),
                                       .scheme = BYTES("https"),
                                       .authority = bytes_of(public_authority)};
    static struct http_fields fields;
    char room[1024];
    struct text text = text_over(room, sizeof(room));

    http_fields_clear(&fields);
    http_fields_add(&fields, bytes_of(name), bytes_of(value));
    public_place_apply(&place, &fields, &text);
    if (!bytes_equal(fields.rows[0].value, bytes_of(wanted))) {
        fail_msg("%s became %.*s, not %s", value, (int)fields.rows[0].value.length,
                 fields.rows[0].value.at, wanted);
    }
    assert_true(fields.bytes >= fields.rows[0].value.length + strlen(name) + 4);
}

static void expect_place(const struct route_settings *route, const char *value, const char *wanted)
{
    expect(route, "Location", value, wanted);
    expect(route, "content-location", value, wanted);
    expect(route, "Link", value, value);
}

static void the_origin_gives_way_to_the_public_place(void **state)
{
    (void)state;
    expect_place(&plain, "http://10.0.0.1:8080/a?b#c", "https://shop.example:8443/a?b#c");
    expect_place(&plain, "HTTP://10.0.0.1:8080", "https://shop.example:8443");
    expect_place(&plain, "//10.0.0.1:8080/a", "https://shop.example:8443/a");
    expect_place(&plain, "http://shop.example:8080/a", "https://shop.example:8443/a");
    expect_place(&plain, "http://Shop.Example.:8443/a", "https://shop.example:8443/a");
    expect_place(&plain, "https://shop.example:8443/a", "https://shop.example:8443/a");
}

static void all_else_stays(void **state)
{
    static const char *const values[] = {
        "/a/b",
        "a/b",
        "?a",
        "#c",
        "",
        "http://10.0.0.1/a",
        "http://10.0.0.1:80801/a",
        "http://10.0.0.2:8080/",
        "https://other.example/",
        "http://user@10.0.0.1:8080/",
        "http://10.0.0.1:8080.evil.example/",
        "ftp://10.0.0.1:8080/",
        "http:///a",
        "http://",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        expect_place(&plain, values[i], values[i]);
    }
}

static void ports_have_defaults(void **state)
{
    (void)state;
    origin_name = "inner.example:80";
    expect_place(&plain, "http://INNER.example/a", "https://shop.example:8443/a");
    expect_place(&plain, "https://inner.example/a", "https://inner.example/a");
    origin_name = "[2001:db8::1]:80";
    expect_place(&plain, "http://[2001:db8::1]/a", "https://shop.example:8443/a");
    origin_name = "unix:/run/app";
    expect_place(&plain, "http://shop.example:8443/a", "https://shop.example:8443/a");
    expect_place(&plain, "http://localhost/a", "http://localhost/a");
    origin_name = "10.0.0.1:8080";
}

static void without_a_host_only_the_path_is_left(void **state)
{
    (void)state;
    public_authority = "";
    expect_place(&plain, "http://10.0.0.1:8080/a", "/a");
    expect_place(&plain, "http://10.0.0.1:8080", "http://10.0.0.1:8080");
    expect_place(&plain, "http://10.0.0.1:8080//a", "http://10.0.0.1:8080//a");
    public_authority = "shop.example:8443";
}

static void a_prefix_is_turned_back(void **state)
{
    (void)state;
    expect_place(&prefixed, "/tenant-a/x?y", "/api/x?y");
    expect_place(&prefixed, "http://10.0.0.1:8080/tenant-a/", "https://shop.example:8443/api/");
    expect_place(&prefixed, "/other", "/other");
    expect_place(&prefixed, "http://10.0.0.1:8080/other", "http://10.0.0.1:8080/other");
    expect_place(&prefixed, "x/y", "x/y");
    expect_place(&stripped, "/x", "/app/x");
    expect_place(&stripped, "http://10.0.0.1:8080", "https://shop.example:8443/app/");
    expect_place(&stripped, "http://10.0.0.1:8080?q", "https://shop.example:8443/app/?q");
    expect_place(&open_ended, "/tenant-a", "/api2");
    expect_place(&open_ended, "/tenant-a/x", "/api2/x");
}

static void expect_cookie(const struct route_settings *route, const char *value, const char *wanted)
{
    expect(route, "Set-Cookie", value, wanted);
}

static void so_is_the_path_of_a_cookie(void **state)
{
    (void)state;
    expect_cookie(&prefixed, "a=b; Path=/tenant-a/x; Secure", "a=b; Path=/api/x; Secure");
    expect_cookie(&prefixed, "a=b;path= /tenant-a/", "a=b;path= /api/");
    expect_cookie(&prefixed, "a=b; Path=/tenant-a", "a=b; Path=/api");
    expect_cookie(&prefixed, "a=b; Path=/tenant-ab", "a=b; Path=/tenant-ab");
    expect_cookie(&prefixed, "a=b; Path=/", "a=b; Path=/");
    expect_cookie(&prefixed, "a=Path=/tenant-a/; Path=/tenant-a/", "a=Path=/tenant-a/; Path=/api/");
    expect_cookie(&prefixed, "Path=/tenant-a/", "Path=/tenant-a/"); /* its name */
    expect_cookie(&prefixed, "a=b; Path=; Secure", "a=b; Path=; Secure");
    expect_cookie(&prefixed, "a=b", "a=b");
    expect_cookie(&stripped, "a=b; Path=/", "a=b; Path=/app/");
    expect_cookie(&stripped, "a=b; Path=x", "a=b; Path=x");
    expect_cookie(&plain, "a=b; Path=/tenant-a/", "a=b; Path=/tenant-a/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_gives_way_to_the_public_place),
        cmocka_unit_test(all_else_stays),
        cmocka_unit_test(ports_have_defaults),
        cmocka_unit_test(without_a_host_only_the_path_is_left),
        cmocka_unit_test(a_prefix_is_turned_back),
        cmocka_unit_test(so_is_the_path_of_a_cookie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
