/* SPDX-License-Identifier: BSD-2-Clause */
/* base/address: the forms read, the forms refused, and networks. */
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static void literal_addresses_are_read_and_written(void **state)
{
    static const char *const forms[][2] = {
        {"10.0.0.1:80", "10.0.0.1:80"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"127.0.0.1:08080", "127.0.0.1:8080"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:443", "[::]:443"},
        {"[2001:DB8:0::1]:8443", "[2001:db8::1]:8443"},
        {"unix:/run/app.sock", "unix:/run/app.sock"},
        {"/run/app.sock", "unix:/run/app.sock"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct address address;
        char out[ADDRESS_TEXT_MAX];

        assert_true(address_parse(bytes_of(forms[i][0]), &address));
        assert_int_equal(address_format(&address, out), strlen(forms[i][1]));
        assert_string_equal(out, forms[i][1]);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const forms[] = {
        "",
        "localhost:80",
        "10.0.0.1",
        "10.0.0.1:",
        "10.0.0.1:65536",
        "10.0.0.1:x",
        "10.0.0.1: 80",
        "10.0.0.1:-1",
        "10.0.0:80",
        "10.0.0.256:80",
        "[::1]",
        "[::1]80",
        "::1:80",
        "[::1",
        "[]:80",
        "[10.0.0.1]:80",
        ":80",
        "unix:",
        "unix:run/x",
        "[::1]:",
        "10.0.0.1:123456",
        "[fe80::1%eth0]:80",
        "010.0.0.1:80",
    };
    struct address address;
    char long_path[sizeof(address.local.sun_path) + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_false(address_parse(bytes_of(forms[i]), &address));
    }
    assert_false(address_parse(BYTES("/a\0b"), &address));
    memset(long_path, '/', sizeof(long_path));
    assert_false(address_parse((struct bytes){long_path, sizeof(long_path) - 1}, &address));
    assert_true(address_parse((struct bytes){long_path, sizeof(long_path) - 2}, &address));
}

static struct address parsed(const char *text)
{
    struct address address;

    assert_true(address_parse(bytes_of(text), &address));
    return address;
}

static void equality_checks_at_everything_that_counts(void **state)
{
    static const char *const forms[] = {"10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80", "[::1]:80",
                                        "[::1]:81",    "[::2]:80",    "/run/a",      "/run/b"};
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (size_t j = 0; j < sizeof(forms) / sizeof(forms[0]); j++) {
            struct address a = parsed(forms[i]);
            struct address b = parsed(forms[j]);

            assert_int_equal(address_equal(&a, &b), i == j);
        }
    }
}

static void ports_are_read_and_set(void **state)
{
    struct address v4 = parsed("10.0.0.1:80");
    struct address v6 = parsed("[::1]:0");
    struct address local = parsed("/run/a");

    (void)state;
    assert_int_equal(address_port(&v4), 80);
    address_set_port(&v4, 8080);
    assert_int_equal(address_port(&v4), 8080);
    address_set_port(&v6, 443);
    assert_int_equal(address_port(&v6), 443);
    address_set_port(&local, 1);
    assert_int_equal(address_port(&local), 0);
}

static void no_address_is_written_as_nothing(void **state)
{
    struct address none = {0};
    struct address unnamed = {.length = sizeof(sa_family_t), .any.sa_family = AF_UNIX};
    char out[ADDRESS_TEXT_MAX];
    struct ip ip = ip_of_address(&none);

    (void)state;
    assert_int_equal(address_format(&none, out), 0);
    assert_true(ip_is_none(&ip));
    assert_int_equal(ip_format(&ip, out), 0);
    address_format(&unnamed, out);
    assert_string_equal(out, "unix:");
}

static void ips_are_read_and_written(void **state)
{
    static const char *const forms[] = {"0.0.0.0",     "10.0.0.1", "192.168.100.255",
                                        "9.10.99.100", "::1",      "2001:db8::ff"};
    struct ip ip;
    char out[ADDRESS_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_true(ip_parse(bytes_of(forms[i]), &ip));
        assert_int_equal(ip_is_v4(&ip), strchr(forms[i], ':') == NULL);
        assert_int_equal(ip_format(&ip, out), strlen(forms[i]));
        assert_string_equal(out, forms[i]);
    }
    for (int octet = 0; octet < 256; octet++) {
        char expected[ADDRESS_TEXT_MAX];
        struct ip each = {
            {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, (uint8_t)octet, 2, (uint8_t)octet}};

        snprintf(expected, sizeof(expected), "1.%d.2.%d", octet, octet);
        assert_int_equal(ip_format(&each, out), strlen(expected));
        assert_string_equal(out, expected);
    }
    assert_false(ip_parse(BYTES(""), &ip));
    assert_false(ip_parse(BYTES("10.0.0.1:80"), &ip));
    assert_false(ip_parse(BYTES("[::1]"), &ip));
    assert_false(ip_parse(BYTES("example.com"), &ip));
    assert_false(ip_parse(BYTES("10.0.0.1\0"), &ip));
}

static void a_mapped_client_counts_as_v4(void **state)
{
    struct address v4 = parsed("10.0.0.1:80");
    struct address mapped = parsed("[::ffff:10.0.0.1]:80");
    struct ip a = ip_of_address(&v4);
    struct ip b = ip_of_address(&mapped);

    (void)state;
    assert_memory_equal(&a, &b, sizeof(a));
    assert_true(ip_is_v4(&b));
}

static bool contains(const char *network_text, const char *ip_text)
{
    struct network network;
    struct ip ip;

    assert_true(network_parse(bytes_of(network_text), &network));
    assert_true(ip_parse(bytes_of(ip_text), &ip));
    return network_contains(&network, &ip);
}

static void networks_contain_what_their_prefix_says(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.1"));
    assert_true(contains("10.9.9.9/8", "10.1.1.1"));
    assert_true(contains("192.168.4.0/22", "192.168.7.255"));
    assert_false(contains("192.168.4.0/22", "192.168.8.0"));
    assert_true(contains("10.0.0.1", "10.0.0.1"));
    assert_false(contains("10.0.0.1", "10.0.0.2"));
    assert_true(contains("0.0.0.0/0", "1.2.3.4"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_true(contains("::/0", "1.2.3.4"));
    assert_false(contains("::/0", "::")); /* stands for "no IP" */
    assert_true(contains("fd00::/8", "fdff::1"));
    assert_false(contains("fd00::/8", "fe00::1"));
    assert_true(contains("::1", "::1"));
}

static void malformed_networks_are_refused(void **state)
{
    static const char *const forms[] = {"",          "/8",         "10.0.0.0/33", "10.0.0.0/",
                                        "::/129",    "10.0.0/8",   "10.0.0.0/8/", "10.0.0.0/-1",
                                        "[::1]/128", "10.0.0.0/ 8"};
    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_false(network_parse(bytes_of(forms[i]), &network));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_are_read_and_written),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(equality_checks_at_everything_that_counts),
        cmocka_unit_test(ports_are_read_and_set),
        cmocka_unit_test(no_address_is_written_as_nothing),
        cmocka_unit_test(ips_are_read_and_written),
        cmocka_unit_test(a_mapped_client_counts_as_v4),
        cmocka_unit_test(networks_contain_what_their_prefix_says),
        cmocka_unit_test(malformed_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
