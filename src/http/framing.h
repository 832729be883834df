/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a message's body ends (RFC 9112 section 6): every rule against request smuggling that
 * looks at headers stands in framing.c, as functions of headers alone. Called by the parsers. */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/h1/h1_parser.h"

/* Sets framing and body_length out of headers and version; true, or *problem says why not. */
bool http_frame_request(struct http_request *request, struct h1_problem *problem);

/* The same for an answer to `method`, and lowers keep_alive where the connection cannot be
 * trusted to stand at the start of the next answer. body_length is also set, with
 * HTTP_NO_BODY, when an answer to HEAD or a 304 tells the length of what it leaves out. */
bool http_frame_response(struct http_response *response, enum http_method method, uint8_t lenient,
                         struct h1_problem *problem);

/* The value of Content-Length: digits only, no sign, no list, no white space inside. 63 bits, so
 * that sums with what was already read cannot overflow. */
bool http_read_length(struct bytes text, uint64_t *length);

/* No framing, routing, connection or authentication fields (RFC 9110 section 6.5.1): one of them refuses
 * a request. */
bool http_trailers_are_allowed(const struct http_headers *trailers, struct h1_problem *problem);
/* These fields go, and the others stay in their order. */
void http_trailers_drop_disallowed(struct http_headers *trailers);

#endif
