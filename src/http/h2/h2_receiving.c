/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session receives: each frame is looked at before the library acts upon it, and what the library
 * then tells goes up as an event (h2_session.h). */
#include "http/h2/h2_session_private.h"

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_session *session = owner;
    int32_t id = frame->hd.stream_id;

    if (is_request(frame)) {
        h2_closed_note_begun(&session->closed, id);
    }
    session->skips = !session->events->section(
        session->owner, id, is_request(frame) ? NULL : stream_of(library, id), is_request(frame));
    return session->skips ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *owner)
{
    struct h2_session *session = owner;

    (void)library, (void)frame, (void)flags;
    if (!session->skips &&
        !session->events->field(session->owner, (struct bytes){(const char *)name, name_length},
                                (struct bytes){(const char *)value, value_length})) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

/* Where they take a stream's window beyond 2^31-1, the connection is to end (RFC 9113 section 6.9.2). The
 * library resets the stream only: beside the ACK it has queued another frame then. */
static bool overflow_a_window(struct h2_session *session)
{
    return nghttp2_session_get_outbound_queue_size(library_of(session)) > session->queued + 1;
}

static void on_settings(struct h2_session *session, bool is_ack)
{
    if (!is_ack && overflow_a_window(session)) {
        h2_session_end(session, H2_FLOW_CONTROL_ERROR);
        session->failed = true;
        return;
    }
    if (session->events->to_origin && !is_ack && !session->settled) {
        session->settled = true;
        session->events->ready(session->owner);
    }
    session->events->opened(session->owner);
}

static void received(struct h2_session *session, const nghttp2_frame *frame)
{
    const struct h2_session_events *events = session->events;
    void *stream = stream_of(library_of(session), frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (!session->skips) {
            events->section_ended(session->owner, frame->hd.stream_id, stream, is_request(frame),
                                  ends);
        }
        break;
    case NGHTTP2_DATA:
        if (ends) {
            events->ended(session->owner, frame->hd.stream_id, stream);
        }
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
            events->pong(session->owner);
        }
        break;
    case NGHTTP2_GOAWAY:
        if (events->to_origin) {
            events->leaves(session->owner);
        }
        break;
    case NGHTTP2_SETTINGS:
        on_settings(session, (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        events->opened(session->owner);
        break;
    default:
        break;
    }
}

static int on_frame_recv(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    (void)library;
    received(owner, frame);
    return 0;
}

static int on_data(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *owner)
{
    struct h2_session *session = owner;

    (void)flags;
    session->events->data(session->owner, id, stream_of(library, id),
                          (struct bytes){(const char *)data, length});
    return 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t code, void *owner)
{
    struct h2_session *session = owner;

    session->events->closed(session->owner, id, stream_of(library, id), code);
    return 0;
}

static bool take(struct h2_session *session, struct bytes bytes)
{
    ssize_t taken;

    if (session->settles) {
        session->queued = nghttp2_session_get_outbound_queue_size(library_of(session));
    }
    taken = nghttp2_session_mem_recv(library_of(session), (const uint8_t *)bytes.at, bytes.length);
    /* The library says by a GOAWAY what is wrong with a frame; what it cannot go on from is told
     * here. */
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        h2_session_end(session, H2_PROTOCOL_ERROR);
    } else if (taken == NGHTTP2_ERR_FLOODED) {
        h2_session_end(session, H2_ENHANCE_YOUR_CALM);
    }
    return taken == (ssize_t)bytes.length;
}

/* What comes on a closed stream. false: the connection ends. */
static bool check_closed(struct h2_session *session, const struct h2_frame *frame)
{
    enum h2_closed how;

    if (frame->type != H2_FRAME_DATA && frame->type != H2_FRAME_HEADERS) {
        return true;
    }
    how = h2_closed_how(&session->closed, frame->stream);
    if (how == H2_CLOSED_UNKNOWN || how == H2_CLOSED_RESET_HERE ||
        nghttp2_session_find_stream(library_of(session), frame->stream) != NULL) {
        return true;
    }
    h2_session_end(session, how == H2_CLOSED_BEGAN ? H2_STREAM_CLOSED : H2_PROTOCOL_ERROR);
    return false;
}

/* PRIORITY_UPDATE alone makes a stream known before its request: PRIORITY does not, since our SETTINGS say
 * that it is without effect (RFC 9218 section 2.1). */
static bool is_named_before(struct h2_session *session, int32_t id)
{
    nghttp2_stream *stream = nghttp2_session_find_stream(library_of(session), id);

    return stream != NULL && nghttp2_stream_get_state(stream) == NGHTTP2_STREAM_STATE_IDLE;
}

/* The library tells of some frames late, of others never: what is to be known of each before it is
 * acted upon is looked at here. */
static bool check_frame(struct h2_session *session, const struct h2_frame *frame)
{
    session->settles = frame->type == H2_FRAME_SETTINGS && !frame->ack;
    /* Sections 6.3 and 8.4: no client may push, and no origin was asked to. */
    if ((frame->type == H2_FRAME_PRIORITY && frame->stream == 0) ||
        frame->type == H2_FRAME_PUSH_PROMISE) {
        h2_session_end(session, H2_PROTOCOL_ERROR);
        return false;
    }
    if (frame->type == H2_FRAME_HEADERS) {
        session->prioritized = is_named_before(session, frame->stream);
    }
    return check_closed(session, frame) && session->events->frame(session->owner, frame);
}

static bool take_piece(struct h2_session *session, const struct h2_piece *piece)
{
    if (piece->begins && !check_frame(session, &piece->frame)) {
        return false;
    }
    if (piece->depends_on_itself) {
        h2_session_end(session, H2_PROTOCOL_ERROR);
        return false;
    }
    return piece->bytes.length == 0 || take(session, piece->bytes);
}

bool h2_session_receive(struct h2_session *session, struct bytes bytes)
{
    while (!session->failed && bytes.length > 0) {
        const struct h2_piece piece = h2_frame_reader_next(&session->frames, &bytes);

        session->failed |= !take_piece(session, &piece);
    }
    return !session->failed;
}

void h2_session_set_receiving(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
