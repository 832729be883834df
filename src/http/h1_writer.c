/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of HTTP/1.1 messages that hold numbers. */
#include "http/h1_writer.h"

void h1_write_status_line(struct text *text, unsigned status, struct bytes reason)
{
    if (status == 200 && reason.length == 0) {
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
