/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames and header compression of one HTTP/2 connection to an origin (RFC 9113, RFC 7541), over
 * nghttp2, no type of which shows here: what h2_session.h is for clients. Bytes come in through
 * h2_origin_session_receive and go out through the events; no sockets, no clock, no opinion about
 * answers. The library opens no window by itself, checks no message and limits no rate: its owner
 * does. A push is refused, as our SETTINGS say.
 *
 * Events may call back into the session, but for h2_origin_session_receive, h2_origin_session_pump
 * and h2_origin_session_free. */
#ifndef HTTP_H2_H2_ORIGIN_SESSION_H
#define HTTP_H2_H2_ORIGIN_SESSION_H

#include "http/h2/h2_session.h"

/* `stream` is what h2_origin_session_request was given, until its `closed`. */
struct h2_origin_session_events {
    /* A frame begins to come. It is acted upon afterwards. */
    void (*frame)(void *owner, const struct h2_frame *frame);
    /* The origin's first SETTINGS: requests may be sent. */
    void (*ready)(void *owner);
    /* Field sections come whole, one at a time. */
    void (*section)(void *owner, void *stream);
    void (*field)(void *owner, void *stream, struct bytes name, struct bytes value);
    void (*section_ended)(void *owner, void *stream, bool ends);
    /* Valid during the call. The connection's window opens at once, since what streams hold is bounded
     * by their own, which are the owner's to open (h2_origin_session_took_of): none of them holds up
     * the others. */
    void (*data)(void *owner, void *stream, struct bytes bytes);
    void (*ended)(void *owner, void *stream);
    /* The last event of a stream. H2_REFUSED_STREAM: the origin says, by that code or by GOAWAY, that it
     * has not processed it. One that `begins` was never called for was not written, and will not be. */
    void (*closed)(void *owner, void *stream, uint32_t code);
    /* GOAWAY came: no further stream can be begun. */
    void (*leaves)(void *owner, uint32_t code);
    /* A PING of h2_origin_session_ping was answered. */
    void (*pong)(void *owner);
    /* The windows, or what the origin allows, changed: more can be written maybe. */
    void (*opened)(void *owner);
    /* Frames on their way out. false: no memory; the connection is of no use any more. */
    bool (*write)(void *owner, struct bytes frame);
    /* The frames of a request's head come next. */
    void (*begins)(void *owner, void *stream);
    enum h2_pull (*pull)(void *owner, void *stream, size_t most, size_t *length);
    /* Writes the frame's head and so many bytes of its body. */
    bool (*write_data)(void *owner, void *stream, struct bytes head, size_t length);
};

struct h2_origin_limits {
    uint32_t header_list_bytes;
    uint32_t stream_window;
    uint32_t connection_window;
};

struct h2_origin_session;
/* The preface and our SETTINGS are queued. NULL: no memory. */
struct h2_origin_session *h2_origin_session_new(const struct h2_origin_session_events *events,
                                                void *owner, const struct h2_origin_limits *limits);
void h2_origin_session_free(struct h2_origin_session **session);

/* false: the origin broke the protocol or memory is out; a GOAWAY that says why is queued where that
 * makes sense. Nothing further is to be received. */
bool h2_origin_session_receive(struct h2_origin_session *session, struct bytes bytes);
/* Writes what is queued, requests' bodies as `pull` has them. false: see above. */
bool h2_origin_session_pump(struct h2_origin_session *session);
/* Nothing more can be received or written. */
bool h2_origin_session_is_over(const struct h2_origin_session *session);
/* Streams that the origin allows at a time. */
uint32_t h2_origin_session_streams(const struct h2_origin_session *session);

/* The origin takes extended CONNECT (RFC 8441 section 3). */
bool h2_origin_session_takes_protocols(const struct h2_origin_session *session);

/* Names are in lower case; the bytes are copied. `has_body`: its end is for `pull` to say. Returns the
 * stream's number; 0: no memory, or no number is left. */
int32_t h2_origin_session_request(struct h2_origin_session *session,
                                  const struct http_field *fields, uint32_t count, bool has_body,
                                  void *stream);
/* From within `pull`, which then says H2_PULL_TRAILED. false: no memory. */
bool h2_origin_session_send_trailers(struct h2_origin_session *session, int32_t id,
                                     const struct http_field *fields, uint32_t count);
/* `pull` has something again. */
void h2_origin_session_resume(struct h2_origin_session *session, int32_t id);
void h2_origin_session_reset(struct h2_origin_session *session, int32_t id, enum h2_code code);
/* So many bytes of DATA were taken: the stream's window opens. */
void h2_origin_session_took_of(struct h2_origin_session *session, int32_t id, size_t bytes);

void h2_origin_session_ping(struct h2_origin_session *session);
/* GOAWAY with `code`; what was not written by then is given up. */
void h2_origin_session_end(struct h2_origin_session *session, enum h2_code code);

#endif
