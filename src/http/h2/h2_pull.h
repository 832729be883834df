/* SPDX-License-Identifier: BSD-2-Clause */
/* How the body of a stream is pulled out of its owner, frame by frame; the same towards clients
 * (h2_session.c) and origins (h2_origin_session.c). */
#ifndef HTTP_H2_H2_PULL_H
#define HTTP_H2_H2_PULL_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a body has next. */
enum h2_pull {
    H2_PULL_SOME,    /* *length bytes follow, which `write_data` will be asked for */
    H2_PULL_LAST,    /* the same, and nothing behind them */
    H2_PULL_TRAILED, /* the same, and trailers behind them, which were handed over already */
    H2_PULL_WAIT,    /* nothing now: the stream is resumed later */
    H2_PULL_PAUSE,   /* no room to write to: the session is pumped again later */
};

/* Who writes a frame's head and so many bytes of its body. Each session begins with one, so that one
 * callback serves both kinds. */
struct h2_pull_writer {
    void *owner;
    bool (*write_data)(void *owner, void *stream, struct bytes head, size_t length);
};

/* An `enum h2_pull` in the library's words: what its read callback returns, and *flags. */
ssize_t h2_pull_tell(enum h2_pull pull, size_t length, uint32_t *flags);

/* The library asks the writer of a session, its user data, for each frame of a body. */
struct nghttp2_session_callbacks;
void h2_pull_set_callback(struct nghttp2_session_callbacks *callbacks);

#endif
