/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes HTTP/1.1 heads and chunk framing (RFC 9112) over a text cursor. Called by
 * client/h1/client_h1 and origin/h1/origin_h1. Names, values and reasons are written as they are:
 * what reaches this file came through the parser or was checked with the configuration. */
#ifndef HTTP_H1_H1_WRITER_H
#define HTTP_H1_H1_WRITER_H

#include "base/text.h"
#include "http/fields.h"

#define H1_CRLF "\r\n"
#define H1_LAST_CHUNK "0\r\n\r\n" /* with an empty trailer section */
#define H1_CHUNK_HEAD_MAX 18      /* 16 digits and CRLF */
/* The largest trailer section that is read (limits.head_bytes, limits.response_head_bytes), a space in
 * each of its lines, and the size line before it. */
#define H1_LAST_CHUNK_MAX (32 * 1024 + HTTP_HEADERS_MAX + 3)

/* "HTTP/1.1 STATUS REASON". An empty reason stands for the registered one; the version is
 * always ours (RFC 9110 section 2.5). */
void h1_write_status_line(struct text *text, unsigned status, struct bytes reason);
void h1_write_content_length(struct text *text, uint64_t length);
/* The size line of a chunk; its data and H1_CRLF follow. Not for size 0, which ends a body. */
void h1_write_chunk_head(struct text *text, uint64_t size);

static inline void h1_write_request_line(struct text *text, struct bytes method,
                                         struct bytes target)
{
    text_add_bytes(text, method);
    text_add_char(text, ' ');
    text_add_bytes(text, target);
    text_add_literal(text, " HTTP/1.1\r\n");
}

/* The chunk that ends a body, and its trailers, in `memory`. They came through a parser and
 * are as they came, or fewer: a field that holds CR, LF or NUL is a mistake of ours and ends the
 * process, before it can pass for a message of its own. */
struct bytes h1_write_last_chunk(char memory[static H1_LAST_CHUNK_MAX],
                                 const struct http_fields *trailers);

/* Whole, or not at all when there is no room. */
void h1_write_field(struct text *text, struct bytes name, struct bytes value);
/* All rows. Those that stand one behind the other in the buffer they were read from, as they would
 * be written, go in one piece. */
void h1_write_fields(struct text *text, const struct http_fields *fields);

/* The empty line behind the last field. */
static inline void h1_write_end(struct text *text)
{
    text_add_literal(text, H1_CRLF);
}

#endif
