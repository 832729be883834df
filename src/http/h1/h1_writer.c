/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of HTTP/1.1 messages that hold numbers, and fields by the run. */
#include "http/h1/h1_writer.h"

#include "base/check.h"

void h1_write_status_line(struct text *text, unsigned status, struct bytes reason)
{
    if (status == 200 && (reason.length == 0 || bytes_equal(reason, BYTES("OK")))) {
        text_add_literal(text, "HTTP/1.1 200 OK\r\n");
        return;
    }
    text_add_literal(text, "HTTP/1.1 ");
    text_add_number(text, status);
    text_add_char(text, ' '); /* stands even before an empty reason (RFC 9112 section 4) */
    text_add_bytes(text, reason.length > 0 ? reason : http_reason_of(status));
    text_add_literal(text, H1_CRLF);
}

void h1_write_content_length(struct text *text, uint64_t length)
{
    text_add_literal(text, "Content-Length: ");
    text_add_number(text, length);
    text_add_literal(text, H1_CRLF);
}

void h1_write_chunk_head(struct text *text, uint64_t size)
{
    text_add_hex(text, size);
    text_add_literal(text, H1_CRLF);
}

/* Most texts in a head are short, and a call would take longer than the copy: two pieces that
 * overlap cover all lengths from one to two of their size. Returns where the copy ends. */
static inline char *copy(char *to, struct bytes from)
{
    const char *at = from.at;
    size_t length = from.length;

    if (length > 32) {
        memcpy(to, at, length);
    } else if (length >= 16) {
        memcpy(to, at, 16);
        memcpy(to + length - 16, at + length - 16, 16);
    } else if (length >= 8) {
        memcpy(to, at, 8);
        memcpy(to + length - 8, at + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, at, 4);
        memcpy(to + length - 4, at + length - 4, 4);
    } else if (length >= 2) {
        memcpy(to, at, 2);
        memcpy(to + length - 2, at + length - 2, 2);
    } else if (length == 1) {
        *to = *at;
    }
    return to + length;
}

/* One test for room, two copies. */
static inline void add_field(struct text *text, struct bytes name, struct bytes value)
{
    char *at = text->at;

    if (__builtin_expect((size_t)(text->limit - at) < name.length + value.length + 4, 0)) {
        text->overflowed = true;
        return;
    }
    at = copy(at, name);
    memcpy(at, ": ", 2);
    at = copy(at + 2, value);
    memcpy(at, H1_CRLF, 2);
    text->at = at + 2;
}

void h1_write_field(struct text *text, struct bytes name, struct bytes value)
{
    add_field(text, name, value);
}

static const char *end_of(struct bytes text)
{
    return text.at + text.length;
}

/* "name: value", one piece. */
static bool is_one_piece(const struct http_field *row)
{
    return row->value.at == end_of(row->name) + 2 && memcmp(end_of(row->name), ": ", 2) == 0;
}

/* The rows from `first` on that are one piece of what was read, as bytes; *next is behind them. */
static struct bytes run_from(const struct http_field *first, const struct http_field *end,
                             const struct http_field **next)
{
    const struct http_field *row = first;
    const char *last;

    do {
        last = end_of(row->value);
        row++;
    } while (row < end && row->name.at == last + 2 && memcmp(last, H1_CRLF, 2) == 0 &&
             is_one_piece(row));
    *next = row;
    return (struct bytes){first->name.at, (size_t)(last - first->name.at)};
}

void h1_write_fields(struct text *text, const struct http_fields *fields)
{
    const struct http_field *row = fields->rows;
    const struct http_field *end = row + fields->count;
    struct text out = *text; /* which the compiler can keep in registers */

    while (row < end) {
        if (is_one_piece(row)) {
            text_add_bytes(&out, run_from(row, end, &row));
            text_add_literal(&out, H1_CRLF);
        } else {
            add_field(&out, row->name, row->value);
            row++;
        }
    }
    *text = out;
}

/* Between a field and its end nothing may look like an end: what follows would pass for a message of
 * its own (RFC 9110 section 5.5). */
static bool stays_on_its_line(struct bytes text)
{
    return memchr(text.at, '\r', text.length) == NULL &&
           memchr(text.at, '\n', text.length) == NULL && memchr(text.at, '\0', text.length) == NULL;
}

struct bytes h1_write_last_chunk(char memory[static H1_LAST_CHUNK_MAX],
                                 const struct http_fields *trailers)
{
    struct text text = text_over(memory, H1_LAST_CHUNK_MAX);

    text_add_literal(&text, "0\r\n");
    for (uint32_t i = 0; i < trailers->count; i++) {
        const struct http_field *row = &trailers->rows[i];

        CHECK(stays_on_its_line(row->name) && stays_on_its_line(row->value));
        h1_write_field(&text, row->name, row->value);
    }
    h1_write_end(&text);
    CHECK(!text.overflowed);
    return text_since(&text, text.start);
}
