/* SPDX-License-Identifier: BSD-2-Clause */
/* What the h1_ files share; framing.c says no by it, too. */
#ifndef HTTP_H1_H1_PRIVATE_H
#define HTTP_H1_H1_PRIVATE_H

#include "http/h1/h1_parser.h"

/* Always false. */
static inline bool h1_refuse(struct h1_problem *problem, uint16_t status, const char *what,
                             const char *section)
{
    *problem = (struct h1_problem){status, what, section};
    return false;
}

/* Always H1_REJECTED. */
static inline enum h1_verdict h1_reject(struct h1_problem *problem, uint16_t status,
                                        const char *what, const char *section)
{
    *problem = (struct h1_problem){status, what, section};
    return H1_REJECTED;
}

/* --- h1_fields.c --- */

/* What request heads, response heads and trailer sections have in common: a cursor that reads
 * lines, and the field lines up to the empty one (RFC 9112 section 5). Every reader moves the
 * cursor only when it returns H1_COMPLETE, and rejects as soon as a byte is wrong, whether or not
 * the line is whole. */

struct h1_cursor {
    const char *at;
    const char *end;
    bool full; /* `end` is the limit of the head: nothing that comes later will be read */
    bool takes_bare_lf;
    bool took_bare_lf;
    struct h1_problem *problem;
};

static inline struct h1_cursor h1_cursor_over(struct bytes input, const struct h1_limits *limits,
                                              struct h1_problem *problem)
{
    bool full = input.length >= limits->head_bytes;
    size_t length = full ? limits->head_bytes : input.length;

    return (struct h1_cursor){input.at, input.at + length, full, false, false, problem};
}

/* H1_INCOMPLETE at a place where the head may still grow, else H1_REJECTED with 431. */
enum h1_verdict h1_want_more(const struct h1_cursor *cursor) __attribute__((cold));

/* What stands where CRLF was expected: a beginning of it, a bare LF that is taken, or nothing that
 * can be accepted. */
enum h1_verdict h1_miss_line_end(struct h1_cursor *cursor) __attribute__((cold));

/* Steps over CRLF. Anything else is rejected, a bare LF and a bare CR by name. */
static inline enum h1_verdict h1_read_line_end(struct h1_cursor *cursor)
{
    if (cursor->end - cursor->at < 2 || memcmp(cursor->at, "\r\n", 2) != 0) {
        return h1_miss_line_end(cursor);
    }
    cursor->at += 2;
    return H1_COMPLETE;
}

/* Field lines and the empty line. `most` lines at most. */
enum h1_verdict h1_read_fields(struct h1_cursor *cursor, uint32_t most,
                               struct http_headers *headers);

/* --- h1_meaning.c --- */

/* What a well-formed request line and its header lines mean together: the form of the target, the
 * authority, the connection options. Fills what h1_parser.h promises beyond method_text, target,
 * version and headers; runs once, on a whole head. */
bool h1_understand_request(struct http_request *request, struct h1_problem *problem);
bool h1_understand_response(struct http_response *response, enum http_method method,
                            uint8_t lenient, struct h1_problem *problem);

#endif
