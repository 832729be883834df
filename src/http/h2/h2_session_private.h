/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of a session share (h2_session.c, h2_receiving.c, h2_sending.c), and no other. Beside
 * them, only h2_memory.c calls the library. */
#ifndef HTTP_H2_H2_SESSION_PRIVATE_H
#define HTTP_H2_H2_SESSION_PRIVATE_H

#include "http/h2/h2_closed.h"
#include "http/h2/h2_frames.h"
#include "http/h2/h2_memory.h"
#include "http/h2/h2_repeats.h"
#include "http/h2/h2_session.h"

#include <nghttp2/nghttp2.h>

struct h2_sessions {
    const struct h2_session_events *events;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct h2_memory_pool *memory;
    bool pumps; /* a session writes: the frame's buffer that all share is its own */
};

struct h2_session {
    void *owner;
    nghttp2_session *library;
    const struct h2_session_events *events;
    struct h2_sessions *sessions; /* NULL: it is one to an origin */
    struct h2_memory memory;
    struct h2_repeats repeats;
    uint32_t streams;
    struct h2_closed_streams closed;
    struct h2_frame_reader frames;
    size_t queued;    /* frames to write, before the library took the last bytes of SETTINGS */
    bool settles;     /* the frame under way is SETTINGS */
    bool skips;       /* the section under way is not wanted */
    bool prioritized; /* its stream, by a PRIORITY_UPDATE that came before it */
    bool settled;     /* an origin's SETTINGS have come */
    bool failed;
    enum h2_code fault; /* of the first GOAWAY that names one */
};

/* Awake: its memory may be packed (h2_session_rest). */
static inline nghttp2_session *library_of(struct h2_session *session)
{
    if (session->memory.packed != NULL) {
        h2_memory_unpack(&session->memory);
    }
    return session->library;
}

static inline bool is_request(const nghttp2_frame *frame)
{
    return frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static inline void *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

/* The callbacks through which the library tells what came, and asks for what goes. */
void h2_session_set_receiving(nghttp2_session_callbacks *callbacks);
void h2_session_set_sending(nghttp2_session_callbacks *callbacks, bool to_origin);

/* The first fault is the one that is told. */
void h2_session_note_fault(struct h2_session *session, uint32_t code);

#endif
