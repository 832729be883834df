/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames and header compression of one HTTP/2 connection, of a client or to an origin (RFC 9113, RFC
 * 7541), over nghttp2, no type of which shows here. Bytes come in through h2_session_receive and go
 * out through the events; no sockets, no clock, no opinion about messages. The library opens no
 * window by itself, checks no message and limits no rate: its owner does.
 *
 * Events may call back into the session, but for h2_session_receive, h2_session_pump and
 * h2_session_free. */
#ifndef HTTP_H2_H2_SESSION_H
#define HTTP_H2_H2_SESSION_H

#include "http/fields.h"
#include "http/h2/h2_frames.h"

struct piece_pool;
struct slab_account;

/* RFC 9113 section 7 */
enum h2_code {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_FLOW_CONTROL_ERROR = 3,
    H2_STREAM_CLOSED = 5,
    H2_FRAME_SIZE_ERROR = 6,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_COMPRESSION_ERROR = 9,
    H2_ENHANCE_YOUR_CALM = 11,
    H2_INADEQUATE_SECURITY = 12,
};

/* What a body has next. */
enum h2_pull {
    H2_PULL_SOME,    /* *length bytes follow, which `write_data` will be asked for */
    H2_PULL_LAST,    /* the same, and nothing behind them */
    H2_PULL_TRAILED, /* the same, and trailers behind them, which were handed over already */
    H2_PULL_WAIT,    /* nothing now: the stream is resumed later */
    H2_PULL_PAUSE,   /* no room to write to: the session is pumped again later */
};

/* Bytes of a DATA frame that goes out, with its head (RFC 9113 sections 4.1 and 4.2). */
#define H2_DATA_FRAME_MOST (16 * 1024 + H2_FRAME_HEAD_BYTES)

/* `stream` is what h2_session_own or h2_session_request was given, until its `closed`; else NULL. */
struct h2_session_events {
    bool to_origin;
    /* A frame has come, its length and stream are as they should be. It is acted upon afterwards.
     * false: the connection ends (the owner has called h2_session_end). */
    bool (*frame)(void *owner, const struct h2_frame *frame);
    /* Field sections come whole, one at a time. false: this one is not wanted; the stream was reset
     * by the owner. */
    bool (*section)(void *owner, int32_t id, void *stream, bool is_request);
    bool (*field)(void *owner, struct bytes name, struct bytes value);
    void (*section_ended)(void *owner, int32_t id, void *stream, bool is_request, bool ends);
    /* Valid during the call. The windows are the owner's to open (h2_session_took). */
    void (*data)(void *owner, int32_t id, void *stream, struct bytes bytes);
    void (*ended)(void *owner, int32_t id, void *stream);
    /* The last event of a stream. `code`: of the reset; H2_NO_ERROR: maybe none; H2_REFUSED_STREAM:
     * the origin says, by that code or by GOAWAY, that it has not processed it. */
    void (*closed)(void *owner, int32_t id, void *stream, uint32_t code);
    /* A PING of h2_session_ping was answered. */
    void (*pong)(void *owner);
    /* The windows, the urgency of a stream or what an origin allows changed: more can be written maybe. */
    void (*opened)(void *owner);
    /* Frames on their way out. false: no memory; the connection is of no use any more. */
    bool (*write)(void *owner, struct bytes frame);
    enum h2_pull (*pull)(void *owner, void *stream, size_t most, size_t *length);
    /* Writes the frame's head and so many bytes of its body. */
    bool (*write_data)(void *owner, void *stream, struct bytes head, size_t length);

    /* Of a client's connection alone: a stream was reset from here for what its client did. */
    void (*provoked)(void *owner);
    /* GOAWAY with a code that names a fault was written: nothing more goes either way. */
    void (*failed)(void *owner);
    /* The frames of a head or of trailers were written: so many bytes. */
    void (*wrote_section)(void *owner, void *stream, size_t length);

    /* Of one to an origin alone: its first SETTINGS; requests may be sent. */
    void (*ready)(void *owner);
    /* GOAWAY came: no further stream can be begun. */
    void (*leaves)(void *owner);
    /* The frames of a request's head come next. A stream that was closed without was not written, and
     * will not be. */
    void (*begins)(void *owner, void *stream);
};

/* What all sessions of a worker with clients have in common. */
struct h2_sessions;
/* `pieces`: where the library's memory comes from. NULL: no memory. */
struct h2_sessions *h2_sessions_new(const struct h2_session_events *events,
                                    struct piece_pool *pieces);
void h2_sessions_free(struct h2_sessions **sessions);
/* Where its slabs count (slab_pool_account); what a burst had goes back (slab_pool_trim). */
void h2_sessions_account(struct h2_sessions *sessions, struct slab_account *account);
void h2_sessions_trim(struct h2_sessions *sessions);

struct h2_session_limits {
    uint32_t streams; /* of a client at a time: told to it, kept by the owner */
    uint32_t header_list_bytes;
    uint32_t header_table_bytes; /* of a client */
    uint32_t stream_window;
    uint32_t connection_window;
};

struct h2_session;
/* Our SETTINGS are queued. NULL: no memory. */
struct h2_session *h2_session_new(struct h2_sessions *sessions, void *owner,
                                  const struct h2_session_limits *limits);
/* The preface, too. */
struct h2_session *h2_session_new_to_origin(const struct h2_session_events *events, void *owner,
                                            const struct h2_session_limits *limits);
void h2_session_free(struct h2_session **session);
size_t h2_session_held(const struct h2_session *session); /* bytes of memory */

/* false: the other side broke the protocol or memory is out; a GOAWAY that says why is queued where
 * that makes sense. Nothing further is to be received. */
bool h2_session_receive(struct h2_session *session, struct bytes bytes);
/* Something is queued that can be written now. */
bool h2_session_wants_pump(struct h2_session *session);
/* Writes what is queued, bodies as `pull` has them. false: see h2_session_receive. It does
 * nothing while another session of the worker with a client writes, so that a call out of one of its events comes
 * to nothing; then h2_session_may_pump is false. */
bool h2_session_may_pump(const struct h2_session *session);
bool h2_session_pump(struct h2_session *session);
/* It is idle and may be for long: its memory shrinks until the next call. Not within an event. */
void h2_session_rest(struct h2_session *session);
/* Nothing more can be received or written. */
bool h2_session_is_over(struct h2_session *session);

/* What events name the stream by from now on. */
void h2_session_own(struct h2_session *session, int32_t id, void *stream);
/* So many bytes of DATA were taken: of the connection's window, and of the stream's. */
void h2_session_took(struct h2_session *session, size_t bytes);
void h2_session_took_of(struct h2_session *session, int32_t id, size_t bytes);

/* To an origin. The fields' bytes are copied. Returns the stream's number; 0: no memory, or no number is
 * left. */
int32_t h2_session_request(struct h2_session *session, const struct http_field *fields,
                           uint32_t count, bool has_body, void *stream);
/* Streams that the origin allows at a time, and whether it takes extended CONNECT (RFC 8441). */
uint32_t h2_session_streams(struct h2_session *session);
bool h2_session_takes_protocols(struct h2_session *session);

/* Names are in lower case. The fields' bytes must stay until the next h2_session_pump has returned.
 * false: no memory. */
bool h2_session_send_interim(struct h2_session *session, int32_t id,
                             const struct http_field *fields, uint32_t count);
/* `has_body`: its end is for `pull` to say. */
bool h2_session_send_head(struct h2_session *session, int32_t id, const struct http_field *fields,
                          uint32_t count, bool has_body, void *stream);
bool h2_session_send_trailers(struct h2_session *session, int32_t id,
                              const struct http_field *fields, uint32_t count);
/* `pull` has something again. */
void h2_session_resume(struct h2_session *session, int32_t id);
void h2_session_reset(struct h2_session *session, int32_t id, enum h2_code code);
/* RFC 9218: urgency 0 to 7. The client may change it later. */
void h2_session_set_priority(struct h2_session *session, int32_t id, uint8_t urgency,
                             bool incremental);
/* The stream of the section under way, which begins it, has had its priority by PRIORITY_UPDATE. */
bool h2_session_is_prioritized(const struct h2_session *session);
/* What the client would take of this stream; 0: its window or the connection's is closed. */
size_t h2_session_window(struct h2_session *session, int32_t id);

void h2_session_ping(struct h2_session *session);
/* First step: no stream is refused yet. The second one names the last that was taken. */
void h2_session_announce_end(struct h2_session *session);
void h2_session_refuse_new(struct h2_session *session);
/* GOAWAY with `code`; what was not written by then is given up. */
void h2_session_end(struct h2_session *session, enum h2_code code);
/* What the first GOAWAY that names a fault says, queued or written; H2_NO_ERROR: there is none. */
enum h2_code h2_session_fault(const struct h2_session *session);

#endif
