/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads HTTP/1.0 and HTTP/1.1 message heads (RFC 9112) out of one contiguous run of bytes.
 * Stateless: an incomplete head is parsed again from its start when h1_is_worth_parsing says so, not
 * with each byte that comes; so a waiting client costs no parser memory.
 * Strict wherever leniency is a smuggling hole. Called by client/h1/client_h1 and
 * origin/h1/origin_h1; no sockets, no allocation. */
#ifndef HTTP_H1_H1_PARSER_H
#define HTTP_H1_H1_PARSER_H

#include "http/message.h"

struct h1_limits {
    uint32_t head_bytes;   /* whole head, its last empty line included */
    uint32_t target_bytes; /* request target */
    uint32_t headers;      /* lines, at most HTTP_HEADERS_MAX */
    uint8_t lenient;       /* bits of enum http_leniency; for h1_parse_response only */
};

enum h1_verdict {
    H1_COMPLETE,   /* *consumed bytes made up the head */
    H1_INCOMPLETE, /* nothing wrong so far; needs more bytes */
    H1_REJECTED,   /* *problem says why; the connection must be closed */
};

struct h1_problem {
    uint16_t status;     /* to answer with: 400, 414, 417, 431, 501, 505 (requests); responses:
                            502, and 431 when the head is too long or has too many lines */
    const char *what;    /* a sentence for people, static */
    const char *section; /* "RFC 9112 section 5.1", static */
};

/* `looked` bytes of this head or trailer section have been found incomplete (0: none). Whether to
 * parse again: it may be whole, is too long, or has doubled, so that what is wrong with it is told
 * before its end. So one that comes byte by byte costs no more than some times its length. */
bool h1_is_worth_parsing(struct bytes input, size_t checked, const struct h1_limits *limits);

/* Up to one empty line (CRLF) before the request line is skipped (RFC 9112 section 2.2)
 * and counted in *consumed. Fills framing, keep_alive, host and the rest of *request.
 * Limits hold for incomplete heads too: a head that is already too long is rejected. */
enum h1_verdict h1_parse_request(struct bytes input, const struct h1_limits *limits,
                                 struct http_request *request, size_t *consumed,
                                 struct h1_problem *problem);

/* `method` is that of the request: an answer to HEAD has no body. 1xx are returned as
 * ordinary responses with HTTP_NO_BODY (101 too). Status codes outside 100 to 599 are rejected.
 * After an answer that needed leniency about where its head or body ends, keep_alive is false: what
 * follows it must not pass for the next one. */
enum h1_verdict h1_parse_response(struct bytes input, const struct h1_limits *limits,
                                  enum http_method method, struct http_response *response,
                                  size_t *consumed, struct h1_problem *problem);

/* A request's trailer section: header lines up to and with the empty line. Framing, routing and
 * connection fields are rejected in it (RFC 9110 section 6.5.1). */
enum h1_verdict h1_parse_trailers(struct bytes input, const struct h1_limits *limits,
                                  struct http_headers *trailers, size_t *consumed,
                                  struct h1_problem *problem);
/* That of an answer: these fields are left out of it. */
enum h1_verdict h1_parse_answer_trailers(struct bytes input, const struct h1_limits *limits,
                                         struct http_headers *trailers, size_t *consumed,
                                         struct h1_problem *problem);

#endif
