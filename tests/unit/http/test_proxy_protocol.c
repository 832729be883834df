/* SPDX-License-Identifier: BSD-2-Clause */
/* http/proxy_protocol: both versions, whole and cut short. */
#include "http/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static struct address source;
static struct address destination;
static bool has_source;
static size_t consumed;

static enum proxy_protocol_verdict parse(struct bytes text)
{
    char *copy = malloc(text.length + 1);
    enum proxy_protocol_verdict verdict;

    memcpy(copy + 1, text.at, text.length);
    verdict = proxy_protocol_parse((struct bytes){copy + 1, text.length}, &consumed, &has_source,
                                   &source, &destination);
    free(copy);
    return verdict;
}

static void accept_header(struct bytes header)
{
    char followed[1024];

    for (size_t length = 0; length < header.length; length++) {
        assert_int_equal(parse(bytes_first(header, length)), PROXY_PROTOCOL_INCOMPLETE);
    }
    memcpy(followed, header.at, header.length);
    memcpy(followed + header.length, "GET /", 5);
    assert_int_equal(parse((struct bytes){followed, header.length + 5}), PROXY_PROTOCOL_COMPLETE);
    assert_int_equal(consumed, header.length);
    assert_int_equal(parse(header), PROXY_PROTOCOL_COMPLETE);
}

static void refuse(struct bytes header)
{
    if (parse(header) != PROXY_PROTOCOL_REJECTED) {
        fail_msg("not refused: %.*s", (int)header.length, header.at);
    }
    for (size_t length = 0; length < header.length; length++) {
        assert_int_not_equal(parse(bytes_first(header, length)), PROXY_PROTOCOL_COMPLETE);
    }
}

static void assert_address(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_MAX];
    size_t length = address_format(address, text);

    assert_true(has_source);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

/* --- version 1 ---------------------------------------------------------------------------- */

static void v1_lines_name_a_client(void **state)
{
    (void)state;
    accept_header(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"));
    assert_address(&source, "192.0.2.1:56324");
    assert_address(&destination, "198.51.100.2:443");
    accept_header(BYTES("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"));
    assert_address(&source, "[2001:db8::1]:1");
    assert_address(&destination, "[::1]:65535");
}

static void v1_unknown_names_none(void **state)
{
    (void)state;
    accept_header(BYTES("PROXY UNKNOWN\r\n"));
    assert_false(has_source);
    accept_header(BYTES("PROXY UNKNOWN ffff:: whatever 1 2 3\r\n"));
    assert_false(has_source);
}

static void v1_malformed_lines_are_refused(void **state)
{
    (void)state;
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r1"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"));
    refuse(BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"));
    refuse(BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n"));
    refuse(BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"));
    refuse(BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"));
    refuse(BYTES("PROXY TCP4 unix:/x 198.51.100.2 1 2\r\n"));
    refuse(BYTES("PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n"));
    refuse(BYTES("PROXY \r\n"));
    refuse(BYTES("PROXY TCP4\r\n"));
    refuse(BYTES("proxy UNKNOWN\r\n"));
    refuse(BYTES("PROXY UNKNOWN\x01\r\n"));
    refuse(BYTES("PROXY UNKNOWN\x80\r\n"));
}

static void v1_lines_are_at_most_107_bytes(void **state)
{
    char line[109];

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + 105, "\r\n", 2);
    accept_header((struct bytes){line, 107});
    memcpy(line + 105, "x\r\n", 3);
    refuse((struct bytes){line, 108});
    assert_int_equal(parse((struct bytes){line, 106}), PROXY_PROTOCOL_INCOMPLETE);
    assert_int_equal(parse((struct bytes){line, 107}), PROXY_PROTOCOL_REJECTED);
}

static void other_protocols_are_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(parse(BYTES("G")), PROXY_PROTOCOL_REJECTED);
    assert_int_equal(parse(BYTES("PO")), PROXY_PROTOCOL_REJECTED);
    assert_int_equal(parse(BYTES("\x16")), PROXY_PROTOCOL_REJECTED);
    assert_int_equal(parse(BYTES("\r\n\r\nG")), PROXY_PROTOCOL_REJECTED);
    assert_int_equal(parse(BYTES("")), PROXY_PROTOCOL_INCOMPLETE);
}

/* --- version 2 ---------------------------------------------------------------------------- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"
#define V6_BLOCK \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" \
    "\0\x01\xff\xff"

static void v2_blocks_name_a_client(void **state)
{
    (void)state;
    accept_header(BYTES(SIGNATURE "\x21\x11\x00\x0c" V4_BLOCK));
    assert_address(&source, "192.0.2.1:56324");
    assert_address(&destination, "198.51.100.2:443");
    accept_header(BYTES(SIGNATURE "\x21\x21\x00\x24" V6_BLOCK));
    assert_address(&source, "[2001:db8::1]:1");
    assert_address(&destination, "[::1]:65535");
}

static void v2_further_fields_are_skipped(void **state)
{
    (void)state;
    accept_header(BYTES(SIGNATURE "\x21\x11\x00\x10" V4_BLOCK "\x04\x00\x01x"));
    assert_address(&source, "192.0.2.1:56324");
}

static void v2_local_and_other_families_name_none(void **state)
{
    char local[16 + 216] = SIGNATURE "\x21\x31\x00\xd8";

    (void)state;
    accept_header(BYTES(SIGNATURE "\x20\x00\x00\x00"));
    assert_false(has_source);
    accept_header(BYTES(SIGNATURE "\x20\x11\x00\x0c" V4_BLOCK));
    assert_false(has_source);
    accept_header(BYTES(SIGNATURE "\x20\xff\x00\x01x"));
    assert_false(has_source);
    accept_header(BYTES(SIGNATURE "\x21\x00\x00\x00"));
    assert_false(has_source);
    accept_header(BYTES(SIGNATURE "\x21\x12\x00\x0c" V4_BLOCK));
    assert_false(has_source);
    accept_header((struct bytes){local, sizeof(local)});
    assert_false(has_source);
}

static void v2_malformed_headers_are_refused(void **state)
{
    (void)state;
    refuse(BYTES(SIGNATURE "\x11"));
    refuse(BYTES(SIGNATURE "\x22"));
    refuse(BYTES(SIGNATURE "\x21\x11\x00\x0b" V4_BLOCK));
    refuse(BYTES(SIGNATURE "\x21\x21\x00\x0c" V4_BLOCK));
    refuse(BYTES(SIGNATURE "\x21\x13\x00\x0c" V4_BLOCK));
    refuse(BYTES(SIGNATURE "\x21\x41\x00\x0c" V4_BLOCK));
}

static void v2_headers_are_at_most_536_bytes(void **state)
{
    char header[536] = SIGNATURE "\x21\x00\x02\x08";

    (void)state;
    accept_header((struct bytes){header, sizeof(header)});
    refuse(BYTES(SIGNATURE "\x21\x00\x02\x09"));
    refuse(BYTES(SIGNATURE "\x20\x00\xff\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_lines_name_a_client),
        cmocka_unit_test(v1_unknown_names_none),
        cmocka_unit_test(v1_malformed_lines_are_refused),
        cmocka_unit_test(v1_lines_are_at_most_107_bytes),
        cmocka_unit_test(other_protocols_are_refused_at_once),
        cmocka_unit_test(v2_blocks_name_a_client),
        cmocka_unit_test(v2_further_fields_are_skipped),
        cmocka_unit_test(v2_local_and_other_families_name_none),
        cmocka_unit_test(v2_malformed_headers_are_refused),
        cmocka_unit_test(v2_headers_are_at_most_536_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
