/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames of one direction, cut out of the bytes as they come (RFC 9113 section 4.1). Called by
 * h2_receiving.c, which has to judge each frame by its head before the library acts upon it: the library
 * tells of some frames late, and of others never. No library, no memory, no opinion about a connection. */
#ifndef HTTP_H2_H2_FRAMES_H
#define HTTP_H2_H2_FRAMES_H

#include "base/bytes.h"

#define H2_FRAME_HEAD_BYTES 9

/* RFC 9113 section 6, RFC 9218 section 7.1 */
enum h2_frame_type {
    H2_FRAME_DATA = 0,
    H2_FRAME_HEADERS = 1,
    H2_FRAME_PRIORITY = 2,
    H2_FRAME_RST_STREAM = 3,
    H2_FRAME_SETTINGS = 4,
    H2_FRAME_PUSH_PROMISE = 5,
    H2_FRAME_PING = 6,
    H2_FRAME_GOAWAY = 7,
    H2_FRAME_WINDOW_UPDATE = 8,
    H2_FRAME_CONTINUATION = 9,
    H2_FRAME_PRIORITY_UPDATE = 16,
};

struct h2_frame {
    uint8_t type; /* enum h2_frame_type, or another one */
    bool ends;    /* END_STREAM */
    bool ack;
    int32_t stream;
    size_t length; /* of its payload */
};

/* Zeroed at first. */
struct h2_frame_reader {
    size_t left; /* bytes of the payload under way, or of a preface, that are still to come */
    int32_t prioritized; /* the stream of a PRIORITY frame under way; 0: it is another frame */
    uint32_t depends;    /* what has come of the stream that it shall depend on */
    uint8_t head_length; /* bytes of a head that came in part */
    uint8_t head[H2_FRAME_HEAD_BYTES];
};

/* A frame, or the part of one that is there. */
struct h2_piece {
    struct bytes
        bytes;   /* to be handed on; valid until the reader is asked again. Empty: none yet */
    bool begins; /* the head of `frame` is at its start */
    bool
        depends_on_itself; /* PRIORITY of a stream that names that stream (RFC 7540 section 5.3.1) */
    struct h2_frame frame;
};

/* Takes the next piece off `bytes`, which are not empty. A head that came in part waits in the reader. */
struct h2_piece h2_frame_reader_next(struct h2_frame_reader *reader, struct bytes *bytes);

#endif
