/* SPDX-License-Identifier: BSD-2-Clause */
/* What the head or the trailer section of an answer in HTTP/2 means (RFC 9113 section 8), as a
 * function of its fields alone. Called by origin/h2 once a field section is whole; no sockets, no
 * allocation. Strict: what HTTP/1 could read in two ways is refused here, before it is translated. */
#ifndef HTTP_H2_H2_ANSWER_H
#define HTTP_H2_H2_ANSWER_H

#include "http/h2/h2_request.h"

/* Fills *response, whose rows have room for HTTP_HEADERS_MAX; its bytes are those of `fields`. `ends`:
 * no body follows. A length that the head does not tell is HTTP_CHUNKED. `lenient`: bits of enum
 * http_leniency. false: *fault says why it is malformed (section 8.1.1). */
bool h2_read_answer(const struct http_field *fields, uint32_t count, enum http_method method,
                    bool ends, uint8_t lenient, struct http_response *response, const char **fault);
/* The same for a trailer section: no pseudo fields, and none of the connection (section 8.2.2). What else
 * may not stand there (RFC 9110 section 6.5.1) is left out. */
bool h2_read_answer_trailers(const struct http_field *fields, uint32_t count,
                             struct http_headers *trailers, const char **fault);

#endif
