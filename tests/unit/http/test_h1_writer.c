/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h1_writer: heads and chunk framing as they go out, and running out of room. */
#include "http/h1_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define assert_text(text, expected) \
    do { \
        assert_int_equal(text_length(text), strlen(expected)); \
        assert_memory_equal((text)->start, (expected), strlen(expected)); \
    } while (0)

static void a_request_head_is_written(void **state)
{
    char memory[128];
    struct text text = text_over(memory, sizeof(memory));

    (void)state;
    h1_write_request_line(&text, BYTES("GET"), BYTES("/a?b"));
    h1_write_field(&text, BYTES("Host"), BYTES("x"));
    h1_write_field(&text, BYTES("Empty"), (struct bytes){NULL, 0});
    h1_write_content_length(&text, UINT64_MAX);
    h1_write_end(&text);
    assert_text(&text, "GET /a?b HTTP/1.1\r\nHost: x\r\nEmpty: \r\n"
                       "Content-Length: 18446744073709551615\r\n\r\n");
}

static void rfc9112_4_status_lines(void **state)
{
    char memory[128];
    struct text text = text_over(memory, sizeof(memory));

    (void)state;
    h1_write_status_line(&text, 200, BYTES(""));
    h1_write_status_line(&text, 200, BYTES("Fine"));
    h1_write_status_line(&text, 404, BYTES(""));
    h1_write_status_line(&text, 299, BYTES("")); /* the space stays */
    assert_text(&text, "HTTP/1.1 200 OK\r\nHTTP/1.1 200 Fine\r\nHTTP/1.1 404 Not Found\r\n"
                       "HTTP/1.1 299 \r\n");
}

static void rfc9112_7_1_chunks(void **state)
{
    char memory[64];
    struct text text = text_over(memory, sizeof(memory));

    (void)state;
    h1_write_chunk_head(&text, 31);
    h1_write_chunk_head(&text, UINT64_MAX);
    text_add_literal(&text, H1_LAST_CHUNK);
    assert_text(&text, "1f\r\nffffffffffffffff\r\n0\r\n\r\n");
    text = text_over(memory, H1_CHUNK_HEAD_MAX);
    h1_write_chunk_head(&text, UINT64_MAX);
    assert_false(text.overflowed);
}

static void a_field_goes_in_whole_or_not_at_all(void **state)
{
    char memory[16];

    (void)state;
    for (size_t room = 0; room < 10; room++) {
        struct text text = text_over(memory, room);

        h1_write_field(&text, BYTES("Abc"), BYTES("de"));
        assert_int_equal(text.overflowed, room < 9);
        assert_int_equal(text_length(&text), room < 9 ? 0 : 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_head_is_written),
        cmocka_unit_test(rfc9112_4_status_lines),
        cmocka_unit_test(rfc9112_7_1_chunks),
        cmocka_unit_test(a_field_goes_in_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
