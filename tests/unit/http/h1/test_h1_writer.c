/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h1/h1_writer: heads and chunk framing as they go out, and running out of room. */
#include "http/h1/h1_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <stdio.h>

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

static void a_last_chunk_has_all_its_trailers(void **state)
{
    static char memory[H1_LAST_CHUNK_MAX];
    static char large[32 * 1024 - 8];
    struct http_fields trailers = {0};
    struct bytes chunk;

    (void)state;
    http_fields_add(&trailers, BYTES("Sum"), BYTES("12"));
    http_fields_add(&trailers, BYTES("X"), BYTES("y"));
    chunk = h1_write_last_chunk(memory, &trailers);
    assert_int_equal(chunk.length, 20);
    assert_memory_equal(chunk.at, "0\r\nSum: 12\r\nX: y\r\n\r\n", 20);
    /* The largest that is read. */
    memset(large, 'x', sizeof(large));
    http_fields_clear(&trailers);
    http_fields_add(&trailers, BYTES("Abc"), (struct bytes){large, sizeof(large)});
    assert_int_equal(h1_write_last_chunk(memory, &trailers).length, 3 + 5 + sizeof(large) + 4);
}

/* The process ends before such a byte is written. */
static bool is_written(struct bytes name, struct bytes value)
{
    static char memory[H1_LAST_CHUNK_MAX];
    struct http_fields trailers = {0};
    int status;
    pid_t child;

    http_fields_add(&trailers, name, value);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        h1_write_last_chunk(memory, &trailers);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void no_trailer_holds_the_end_of_a_line(void **state)
{
    (void)state;
    assert_true(is_written(BYTES("A"), BYTES("b c")));
    assert_false(is_written(BYTES("A"), BYTES("b\r\nc")));
    assert_false(is_written(BYTES("A"), BYTES("b\n")));
    assert_false(is_written(BYTES("A"), BYTES("\rb")));
    assert_false(is_written(BYTES("A"), BYTES("b\0c")));
    assert_false(is_written(BYTES("A\r\n"), BYTES("b")));
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

static void add_line(struct http_fields *fields, const char *line, size_t name, size_t gap,
                     size_t value)
{
    http_fields_add(fields, (struct bytes){line, name}, (struct bytes){line + name + gap, value});
}

/* What stands together goes as it stands; a field that was read from elsewhere, or stood there in
 * another form, is written anew. */
static void fields_go_by_the_run(void **state)
{
    const char read[] = "A: 1\r\nBcd: 2 3\r\nE:\t4\r\nF: \r\nG:5\r\nH: 6\r\nI: 7\r\n";
    char memory[128];
    struct text text = text_over(memory, sizeof(memory));
    struct http_fields fields = {.count = 0};

    (void)state;
    add_line(&fields, strstr(read, "A:"), 1, 2, 1);
    add_line(&fields, strstr(read, "Bcd:"), 3, 2, 3);
    add_line(&fields, strstr(read, "E:"), 1, 2, 1);
    add_line(&fields, strstr(read, "F:"), 1, 2, 0);
    add_line(&fields, strstr(read, "G:"), 1, 1, 1);
    add_line(&fields, strstr(read, "I:"), 1, 2, 1); /* H stays behind */
    http_fields_add(&fields, BYTES("Via"), BYTES("1.1 x"));
    http_fields_add(&fields, BYTES("None"), (struct bytes){NULL, 0});
    h1_write_fields(&text, &fields);
    assert_false(text.overflowed);
    assert_text(&text, "A: 1\r\nBcd: 2 3\r\nE: 4\r\nF: \r\nG: 5\r\nI: 7\r\n"
                       "Via: 1.1 x\r\nNone: \r\n");
    for (size_t room = 0; room < 16; room++) {
        text = text_over(memory, room);
        fields.count = 2;
        h1_write_fields(&text, &fields);
        assert_true(text.overflowed);
    }
}

/* Every length, so that every way of copying is taken. */
static void fields_of_all_lengths(void **state)
{
    char read[80];
    char memory[256];
    char expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(read); i++) {
        read[i] = (char)('!' + i);
    }
    for (size_t length = 0; length <= sizeof(read); length++) {
        struct text text = text_over(memory, sizeof(memory));
        struct bytes piece = {read, length};

        h1_write_field(&text, piece, piece);
        snprintf(expected, sizeof(expected), "%.*s: %.*s\r\n", (int)length, read, (int)length,
                 read);
        assert_text(&text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_head_is_written),
        cmocka_unit_test(rfc9112_4_status_lines),
        cmocka_unit_test(rfc9112_7_1_chunks),
        cmocka_unit_test(a_last_chunk_has_all_its_trailers),
        cmocka_unit_test(no_trailer_holds_the_end_of_a_line),
        cmocka_unit_test(a_field_goes_in_whole_or_not_at_all),
        cmocka_unit_test(fields_go_by_the_run),
        cmocka_unit_test(fields_of_all_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
