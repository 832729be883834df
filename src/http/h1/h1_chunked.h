/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes the chunked coding off a body (RFC 9112 section 7.1), a step at a time: data spans point
 * into the caller's input, in which those of small chunks are moved together. Called by client_h1 and origin_h1.
 * Sizes and extensions are bounded; the trailer section stays in the caller's buffer
 * until it is whole (h1_parse_trailers reads it). */
#ifndef HTTP_H1_H1_CHUNKED_H
#define HTTP_H1_H1_CHUNKED_H

#include "http/h1/h1_parser.h"

struct h1_chunked {
    uint64_t left;            /* data bytes of the current chunk still to come */
    uint32_t extension_bytes; /* of the whole body, bounded */
    uint16_t line_bytes;      /* of the current size line, bounded */
    uint8_t state;            /* private */
};

enum h1_chunked_step {
    H1_CHUNKED_DATA,     /* *data holds body bytes; call again */
    H1_CHUNKED_MORE,     /* *input is used up; needs more bytes */
    H1_CHUNKED_TRAILERS, /* the last chunk is read; *input starts at the trailer section
                            (at least an empty line), to be read with h1_parse_trailers */
    H1_CHUNKED_REJECTED,
};

void h1_chunked_init(struct h1_chunked *chunked);
/* Moves *input forward over what it used; only a trailer section is ever left to wait, so a
 * small buffer never locks up. A rejected body stays rejected: do not call again. */
enum h1_chunked_step h1_chunked_next(struct h1_chunked *chunked, struct bytes *input,
                                     struct bytes *data, struct h1_problem *problem);
/* The same, but the data of several chunks comes in one span, as far as *input goes: handed on one by
 * one, each would cost a call and maybe a packet. Writes into what it used of *input. */
enum h1_chunked_step h1_chunked_gather(struct h1_chunked *chunked, struct bytes *input,
                                       struct bytes *data, struct h1_problem *problem);
/* The rest of the input says that the body is over, without trailers. */
bool h1_chunked_ends(const struct h1_chunked *chunked, struct bytes input);

/* --- a whole body, however its end is found -------------------------------------------------- */

struct h1_body {
    struct h1_chunked chunked;
    uint64_t left; /* HTTP_LENGTH_KNOWN */
    enum http_framing framing;
    uint32_t checked; /* bytes of trailers (or, before, of a head) that were found incomplete */
};

enum h1_body_step {
    H1_BODY_DATA,     /* *data holds body bytes; call again */
    H1_BODY_MORE,     /* needs more bytes */
    H1_BODY_TRAILERS, /* a trailer section follows, empty maybe: h1_body_trailers */
    H1_BODY_END,      /* the body is over, and with it its trailers, if there are any */
    H1_BODY_REJECTED,
};

static inline void h1_body_begin(struct h1_body *body, enum http_framing framing, uint64_t length)
{
    /* What an answer to HEAD says of a length is not of its own body. The rest begins as zero. */
    *body = (struct h1_body){.left = framing == HTTP_LENGTH_KNOWN ? length : 0, .framing = framing};
}

/* Moves *input forward over what it used; the data of several chunks comes in one span. *data is
 * set with H1_BODY_DATA only. */
enum h1_body_step h1_body_next_chunk(struct h1_body *body, struct bytes *input, struct bytes *data,
                                     struct h1_problem *problem);
static inline enum h1_body_step h1_body_next(struct h1_body *body, struct bytes *input,
                                             struct bytes *data, struct h1_problem *problem)
{
    if (body->framing == HTTP_CHUNKED) {
        return h1_body_next_chunk(body, input, data, problem);
    }
    if (body->framing != HTTP_UNTIL_CLOSE && body->left == 0) {
        return H1_BODY_END;
    }
    if (input->length == 0) {
        return H1_BODY_MORE;
    }
    *data = *input;
    if (body->framing == HTTP_LENGTH_KNOWN) {
        data->length = data->length < body->left ? data->length : (size_t)body->left;
        body->left -= data->length;
    }
    *input = bytes_skip(*input, data->length);
    return H1_BODY_DATA;
}

/* h1_parse_trailers or h1_parse_answer_trailers. */
typedef enum h1_verdict h1_trailers_parser(struct bytes input, const struct h1_limits *limits,
                                           struct http_headers *trailers, size_t *consumed,
                                           struct h1_problem *problem);

/* H1_BODY_END, H1_BODY_MORE or H1_BODY_REJECTED. */
enum h1_body_step h1_body_trailers(struct h1_body *body, struct bytes *input,
                                   h1_trailers_parser *parse, const struct h1_limits *limits,
                                   struct http_headers *trailers, struct h1_problem *problem);

#endif
