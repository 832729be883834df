/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h1/h1_chunked: RFC 9112 section 7.1, whole and byte by byte. */
#include "http/h1/h1_chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static char body[70000];
static size_t body_length;
static size_t rest_length; /* of the last input, from its trailer section on */
static struct h1_problem problem;

/* Both ways to take the coding off are held to the same. */
static enum h1_chunked_step (*const takers[])(struct h1_chunked *, struct bytes *, struct bytes *,
                                              struct h1_problem *) = {h1_chunked_next,
                                                                      h1_chunked_gather};
static int taker;

/* Feeds `text` in pieces of `step` bytes, each an exact copy. */
static enum h1_chunked_step feed(struct bytes text, size_t step)
{
    enum h1_chunked_step verdict = H1_CHUNKED_MORE;
    struct h1_chunked chunked;

    h1_chunked_init(&chunked);
    body_length = 0;
    while (text.length > 0 && verdict == H1_CHUNKED_MORE) {
        size_t length = step < text.length ? step : text.length;
        char *copy = malloc(length);
        struct bytes input = {copy, length};
        struct bytes data;

        memcpy(copy, text.at, length);
        while ((verdict = takers[taker](&chunked, &input, &data, &problem)) == H1_CHUNKED_DATA) {
            assert_true(data.length > 0);
            memcpy(body + body_length, data.at, data.length);
            body_length += data.length;
        }
        if (verdict == H1_CHUNKED_MORE) {
            assert_int_equal(input.length, 0);
        }
        text = bytes_skip(text, length - input.length);
        free(copy);
        if (verdict == H1_CHUNKED_TRAILERS) {
            rest_length = text.length;
            return verdict;
        }
    }
    rest_length = text.length;
    return verdict;
}

static void expect_body(const char *text, const char *expected, const char *rest)
{
    struct bytes whole = bytes_of(text);

    for (size_t step = 1; step <= whole.length; step++) {
        enum h1_chunked_step verdict = feed(whole, step);

        taker = !taker;
        assert_int_equal(feed(whole, step), verdict);

        if (verdict != H1_CHUNKED_TRAILERS) {
            fail_msg("step %zu: %d (%s): %s", step, verdict, problem.what, text);
        }
        assert_int_equal(body_length, strlen(expected));
        assert_memory_equal(body, expected, body_length);
        assert_int_equal(rest_length, strlen(rest));
    }
}

static void expect_refusal(struct bytes whole)
{
    for (size_t step = 1; step <= whole.length; step++) {
        taker = !taker;
        if (feed(whole, step) != H1_CHUNKED_REJECTED) {
            fail_msg("step %zu, not refused: %.*s", step, (int)whole.length, whole.at);
        }
        assert_int_equal(problem.status, 400);
    }
}

static void refuse(const char *text)
{
    expect_refusal(bytes_of(text));
}

static void rfc9112_7_1_chunks_are_joined(void **state)
{
    (void)state;
    expect_body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "\r\n");
    expect_body("0\r\n\r\n", "", "\r\n");
    expect_body("0\r\nA: b\r\n\r\nNEXT", "", "A: b\r\n\r\nNEXT");
    expect_body("a\r\n0123456789\r\n000\r\n\r\n", "0123456789", "\r\n");
    expect_body("A\r\n01234\r\n789\r\n0\r\n\r\n", "01234\r\n789", "\r\n");
    expect_body("0000000000000001\r\nx\r\n0\r\n\r\n", "x", "\r\n");
}

static void an_unfinished_body_asks_for_more(void **state)
{
    static const char text[] = "5\r\nhello\r\n0\r\n";

    (void)state;
    for (size_t length = 1; length < sizeof(text) - 1; length++) {
        assert_int_equal(feed((struct bytes){text, length}, length), H1_CHUNKED_MORE);
    }
    assert_int_equal(feed(BYTES(text), 1), H1_CHUNKED_TRAILERS);
}

static void at_the_trailers_it_stays_there(void **state)
{
    struct bytes input = BYTES("0\r\n");
    struct bytes data;
    struct h1_chunked chunked;

    (void)state;
    h1_chunked_init(&chunked);
    assert_int_equal(h1_chunked_next(&chunked, &input, &data, &problem), H1_CHUNKED_TRAILERS);
    input = BYTES("A: b\r\n");
    assert_int_equal(h1_chunked_next(&chunked, &input, &data, &problem), H1_CHUNKED_TRAILERS);
    assert_int_equal(input.length, 6);
}

static void rfc9112_7_1_sizes_are_plain_hex(void **state)
{
    (void)state;
    refuse("\r\n");
    refuse(" 5\r\nhello\r\n0\r\n\r\n");
    refuse("+5\r\nhello\r\n0\r\n\r\n");
    refuse("-5\r\nhello\r\n0\r\n\r\n");
    refuse("0x5\r\nhello\r\n0\r\n\r\n");
    refuse("5h\r\nhello\r\n0\r\n\r\n");
    refuse("g\r\n");
    refuse(";a\r\n");
    refuse("5 \r\nhello\r\n0\r\n\r\n");
    refuse("5_\r\n");
    refuse("5,5\r\n");
    expect_refusal(BYTES("5\0\r\nhello"));
}

static void rfc9112_7_1_1_extensions_follow_their_grammar(void **state)
{
    (void)state;
    refuse("5;\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=b \r\nhello\r\n0\r\n\r\n");
    refuse("5;a \r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\r\nhello\r\n0\r\n\r\n");
    refuse("5;=b\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=b@c\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\"b\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n");
    expect_body("5;a=\"b;\\\"c\";d\r\nhello\r\n0\r\n\r\n", "hello", "\r\n");
}

static void rfc9112_7_1_sizes_are_bounded(void **state)
{
    struct bytes input = BYTES("4000000000000000\r\nx");
    struct bytes data;
    struct h1_chunked chunked;

    (void)state;
    refuse("4000000000000001\r\n");
    refuse("ffffffffffffffff\r\n");
    refuse("10000000000000000\r\n");
    refuse("00000000000000001\r\n");
    h1_chunked_init(&chunked);
    assert_int_equal(h1_chunked_next(&chunked, &input, &data, &problem), H1_CHUNKED_DATA);
    assert_int_equal(data.length, 1);
    assert_true(chunked.left == ((uint64_t)1 << 62) - 1);
}

static void rfc9112_2_2_lines_end_in_crlf_only(void **state)
{
    (void)state;
    refuse("5\nhello\r\n0\r\n\r\n");
    refuse("5\rhello\r\n0\r\n\r\n");
    refuse("5\r\nhello\n0\r\n\r\n");
    refuse("5\r\nhello\r0\r\n\r\n");
    refuse("5\r\nhello0\r\n\r\n");
    refuse("5\r\nhelloX\r\n0\r\n\r\n");
    refuse("5;a\nhello\r\n0\r\n\r\n");
    refuse("5;a\rb\r\nhello\r\n0\r\n\r\n");
    refuse("5\r\nhello\r\n0\n\r\n");
    refuse("5\r\r\nhello");
}

static void rfc9112_7_1_1_extensions_are_dropped(void **state)
{
    (void)state;
    expect_body("5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello", "\r\n");
    expect_body("5 ;a\r\nhello\r\n0\t ;\ta\r\n\r\n", "hello", "\r\n");
    expect_body("5;a=\"\\\"\\\\;\"\r\nhello\r\n0\r\n\r\n", "hello", "\r\n");
    refuse("5;\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\r\nhello\r\n0\r\n\r\n");
    refuse("5;=b\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=b=c\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\"b\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n");
    refuse("5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n");
    refuse("5;\xc3\xa9\r\nhello\r\n0\r\n\r\n");
    refuse("5 a\r\nhello\r\n0\r\n\r\n");
    refuse("5;a\x01\r\nhello\r\n0\r\n\r\n");
    refuse("5;a\x7f\r\nhello\r\n0\r\n\r\n");
    expect_refusal(BYTES("5;\0\r\nhello"));
}

static size_t write_chunk(char *out, int extension_bytes)
{
    return (size_t)sprintf(out, "1;%0*d\r\nx\r\n", extension_bytes - 1, 0);
}

static void rfc9112_7_1_1_an_extension_is_bounded(void **state)
{
    char text[512];
    size_t length = write_chunk(text, 255);

    (void)state;
    assert_int_equal(feed((struct bytes){text, length}, length), H1_CHUNKED_MORE);
    assert_int_equal(feed((struct bytes){text, length}, 1), H1_CHUNKED_MORE);
    length = write_chunk(text, 256);
    expect_refusal((struct bytes){text, length});
    memset(text, ' ', sizeof(text));
    text[0] = '5';
    expect_refusal((struct bytes){text, sizeof(text)});
}

static void rfc9112_7_1_1_all_extensions_of_a_body_are_bounded(void **state)
{
    static char text[16384];
    size_t length = 0;

    (void)state;
    for (int i = 0; i < 16; i++) {
        length += write_chunk(text + length, 255);
    }
    length += write_chunk(text + length, 16);
    assert_int_equal(feed((struct bytes){text, length}, 100), H1_CHUNKED_MORE);
    length += (size_t)sprintf(text + length, "1;");
    assert_int_equal(feed((struct bytes){text, length}, 100), H1_CHUNKED_REJECTED);
}

static void small_chunks_come_in_one_span(void **state)
{
    char text[10000];
    struct bytes input = {text, 0};
    struct h1_chunked chunked;
    struct bytes data;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        input.length += (size_t)sprintf(text + input.length, "1\r\n%c\r\n", 'a' + i % 26);
    }
    h1_chunked_init(&chunked);
    assert_int_equal(h1_chunked_gather(&chunked, &input, &data, &problem), H1_CHUNKED_DATA);
    assert_int_equal(data.length, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(data.at[i], 'a' + i % 26);
    }
    assert_int_equal(h1_chunked_gather(&chunked, &input, &data, &problem), H1_CHUNKED_MORE);
}

/* A large one is handed on where it lies. */
static void a_large_chunk_is_not_moved(void **state)
{
    static char text[20000] = "2\r\nab\r\n3e8\r\n";
    struct bytes input = {text, 7 + 5 + 1000};
    struct h1_chunked chunked;
    struct bytes data;

    (void)state;
    memset(text + 12, 'x', 1000);
    strcpy(text + 12 + 1000, "\r\n4268\r\n");
    input.length += 8;
    memset(text + input.length, 'y', 17000);
    input.length += 17000;
    h1_chunked_init(&chunked);
    assert_int_equal(h1_chunked_gather(&chunked, &input, &data, &problem), H1_CHUNKED_DATA);
    assert_int_equal(data.length, 1002);
    assert_int_equal(h1_chunked_gather(&chunked, &input, &data, &problem), H1_CHUNKED_DATA);
    assert_int_equal(data.length, 17000);
    assert_ptr_equal(data.at, text + 7 + 5 + 1000 + 8);
}

static bool ends_behind_data(const char *text)
{
    char copy[64];
    struct bytes input = {copy, strlen(text)};
    struct h1_chunked chunked;
    struct bytes data;

    strcpy(copy, text);
    h1_chunked_init(&chunked);
    assert_int_equal(h1_chunked_gather(&chunked, &input, &data, &problem), H1_CHUNKED_DATA);
    assert_true(bytes_equal(data, BYTES("abcd")));
    return h1_chunked_ends(&chunked, input);
}

static void the_end_is_seen_ahead(void **state)
{
    (void)state;
    assert_true(ends_behind_data("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"));
    assert_true(ends_behind_data("4\r\nabcd\r\n0;x\r\n\r\n"));
    assert_true(ends_behind_data("4\r\nabcd\r\n0\r\n\r\nmore"));
    assert_false(ends_behind_data("4\r\nabcd\r\n0\r\nA: b\r\n\r\n"));
    assert_false(ends_behind_data("4\r\nabcd\r\n0\r\n\r"));
    assert_false(ends_behind_data("4\r\nabcd\r\n0\n\n"));
    assert_false(ends_behind_data("4\r\nabcd\r\n"));
    assert_false(ends_behind_data("5\r\nabcd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9112_7_1_chunks_are_joined),
        cmocka_unit_test(an_unfinished_body_asks_for_more),
        cmocka_unit_test(at_the_trailers_it_stays_there),
        cmocka_unit_test(rfc9112_7_1_sizes_are_plain_hex),
        cmocka_unit_test(rfc9112_7_1_1_extensions_follow_their_grammar),
        cmocka_unit_test(rfc9112_7_1_sizes_are_bounded),
        cmocka_unit_test(rfc9112_2_2_lines_end_in_crlf_only),
        cmocka_unit_test(rfc9112_7_1_1_extensions_are_dropped),
        cmocka_unit_test(rfc9112_7_1_1_an_extension_is_bounded),
        cmocka_unit_test(rfc9112_7_1_1_all_extensions_of_a_body_are_bounded),
        cmocka_unit_test(small_chunks_come_in_one_span),
        cmocka_unit_test(a_large_chunk_is_not_moved),
        cmocka_unit_test(the_end_is_seen_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
