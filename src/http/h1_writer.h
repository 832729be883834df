/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes HTTP/1.1 heads and chunk framing (RFC 9112) over a text cursor. Called by
 * client/client_h1 and origin/origin_h1. Names, values and reasons are written as they are:
 * what reaches this file came through the parser or was checked with the configuration. */
#ifndef HTTP_H1_WRITER_H
#define HTTP_H1_WRITER_H

#include "base/text.h"
#include "http/message.h"

#define H1_CRLF "\r\n"
#define H1_LAST_CHUNK "0\r\n\r\n" /* with an empty trailer section */
#define H1_CHUNK_HEAD_MAX 18      /* 16 digits and CRLF */

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

/* Once for each header of each message: one test for room, two copies. */
static inline void h1_write_field(struct text *text, struct bytes name, struct bytes value)
{
    size_t room = (size_t)(text->limit - text->at);
    char *at = text->at;

    if (__builtin_expect(room < name.length + value.length + 4, 0)) {
        text->overflowed = true;
        return;
    }
    memcpy(at, name.at, name.length);
    at += name.length;
    memcpy(at, ": ", 2);
    at += 2;
    if (value.length > 0) {
        memcpy(at, value.at, value.length);
        at += value.length;
    }
    memcpy(at, H1_CRLF, 2);
    text->at = at + 2;
}

/* The empty line behind the last field. */
static inline void h1_write_end(struct text *text)
{
    text_add_literal(text, H1_CRLF);
}

#endif
