/* SPDX-License-Identifier: BSD-2-Clause */
/* The one file that speaks to nghttp2 for connections to origins. */
#include "http/h2/h2_origin_session.h"

#include "base/check.h"
#include "http/h2/h2_memory.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 9 /* of a frame */
#define PAIRS_MOST (HTTP_FIELDS_MAX + 8)

struct h2_origin_session {
    struct h2_pull_writer writer; /* first: h2_pull_set_callback */
    nghttp2_session *library;
    const struct h2_origin_session_events *events;
    struct h2_memory memory;
    size_t left;              /* of the frame that comes */
    uint8_t head[HEAD_BYTES]; /* of the next one, as far as it has come */
    uint8_t head_length;
    bool settled; /* SETTINGS of the origin have come */
    bool failed;
};

static void *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

/* --- what comes ---------------------------------------------------------------------------- */

/* A push would be a stream that was not asked for (section 8.4). */
static int on_begin_frame(nghttp2_session *library, const nghttp2_frame_hd *head, void *owner)
{
    struct h2_origin_session *session = owner;
    const struct h2_frame frame = {
        .type = head->type,
        .ends = (head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS) &&
                (head->flags & NGHTTP2_FLAG_END_STREAM) != 0,
        .ack = (head->type == NGHTTP2_SETTINGS || head->type == NGHTTP2_PING) &&
               (head->flags & NGHTTP2_FLAG_ACK) != 0,
        .stream = head->stream_id,
        .length = head->length,
    };

    (void)library;
    if (head->type == NGHTTP2_PUSH_PROMISE) {
        h2_origin_session_end(session, H2_PROTOCOL_ERROR);
        session->failed = true;
    } else {
        session->events->frame(session->writer.owner, &frame);
    }
    return session->failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_headers(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_origin_session *session = owner;
    void *stream = stream_of(library, frame->hd.stream_id);

    session->events->section(session->writer.owner, stream);
    return 0;
}

static int on_header(nghttp2_session *library, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *owner)
{
    struct h2_origin_session *session = owner;

    (void)flags;
    session->events->field(session->writer.owner, stream_of(library, frame->hd.stream_id),
                           (struct bytes){(const char *)name, name_length},
                           (struct bytes){(const char *)value, value_length});
    return session->failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void on_settings(struct h2_origin_session *session, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        return;
    }
    if (!session->settled) {
        session->settled = true;
        session->events->ready(session->writer.owner);
    }
    session->events->opened(session->writer.owner);
}

static void received(struct h2_origin_session *session, const nghttp2_frame *frame)
{
    const struct h2_origin_session_events *events = session->events;
    void *stream = stream_of(session->library, frame->hd.stream_id);
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        events->section_ended(session->writer.owner, stream, ends);
        break;
    case NGHTTP2_DATA:
        if (ends && stream != NULL) {
            events->ended(session->writer.owner, stream);
        }
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
            events->pong(session->writer.owner);
        }
        break;
    case NGHTTP2_GOAWAY:
        events->leaves(session->writer.owner, frame->goaway.error_code);
        break;
    case NGHTTP2_SETTINGS:
        on_settings(session, frame);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        events->opened(session->writer.owner);
        break;
    default:
        break;
    }
}

static int on_frame_recv(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_origin_session *session = owner;

    (void)library;
    received(session, frame);
    return session->failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *library, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *owner)
{
    struct h2_origin_session *session = owner;
    void *stream = stream_of(library, id);

    (void)flags;
    /* Memory may be out: what was consumed is told with the next piece then. */
    (void)nghttp2_session_consume_connection(library, length);
    if (stream != NULL) {
        session->events->data(session->writer.owner, stream,
                              (struct bytes){(const char *)data, length});
    }
    return session->failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *library, int32_t id, uint32_t code, void *owner)
{
    struct h2_origin_session *session = owner;
    void *stream = stream_of(library, id);

    if (stream != NULL) {
        session->events->closed(session->writer.owner, stream, code);
    }
    return 0;
}

/* The library says nothing of frames that it does not know. */
static void note_unknown(struct h2_origin_session *session)
{
    const struct h2_frame frame = {.type = session->head[3], .length = session->left};

    if (frame.type > NGHTTP2_CONTINUATION) {
        session->events->frame(session->writer.owner, &frame);
    }
}

static void walk_frames(struct h2_origin_session *session, struct bytes bytes)
{
    while (bytes.length > 0) {
        size_t count = session->left < bytes.length ? session->left : bytes.length;

        session->left -= count;
        bytes = bytes_skip(bytes, count);
        while (session->left == 0 && bytes.length > 0) {
            session->head[session->head_length++] = (uint8_t)bytes.at[0];
            bytes = bytes_skip(bytes, 1);
            if (session->head_length == HEAD_BYTES) {
                session->head_length = 0;
                session->left = (size_t)session->head[0] << 16 | (size_t)session->head[1] << 8 |
                                session->head[2];
                note_unknown(session);
            }
        }
    }
}

bool h2_origin_session_receive(struct h2_origin_session *session, struct bytes bytes)
{
    ssize_t taken;

    if (session->failed) {
        return false;
    }
    walk_frames(session, bytes);
    taken = nghttp2_session_mem_recv(session->library, (const uint8_t *)bytes.at, bytes.length);
    if (taken == NGHTTP2_ERR_FLOODED) {
        h2_origin_session_end(session, H2_ENHANCE_YOUR_CALM);
    }
    session->failed |= taken != (ssize_t)bytes.length;
    return !session->failed;
}

bool h2_origin_session_is_over(const struct h2_origin_session *session)
{
    return session->failed || (nghttp2_session_want_read(session->library) == 0 &&
                               nghttp2_session_want_write(session->library) == 0);
}

uint32_t h2_origin_session_streams(const struct h2_origin_session *session)
{
    return nghttp2_session_get_remote_settings(session->library,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* --- what goes ----------------------------------------------------------------------------- */

static int before_frame_send(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_origin_session *session = owner;
    void *stream;

    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream = stream_of(library, frame->hd.stream_id);
        if (stream != NULL) {
            session->events->begins(session->writer.owner, stream);
        }
    }
    return 0;
}

bool h2_origin_session_pump(struct h2_origin_session *session)
{
    const uint8_t *frame;
    ssize_t length;

    while ((length = nghttp2_session_mem_send(session->library, &frame)) > 0) {
        if (!session->events->write(session->writer.owner,
                                    (struct bytes){(const char *)frame, (size_t)length})) {
            session->failed = true;
            return false;
        }
    }
    session->failed |= length < 0;
    return !session->failed;
}

static ssize_t on_read(nghttp2_session *library, int32_t id, uint8_t *into, size_t most,
                       uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct h2_origin_session *session = owner;
    size_t length = 0;
    enum h2_pull pull = session->events->pull(session->writer.owner, source->ptr, most, &length);

    (void)library, (void)id, (void)into;
    return h2_pull_tell(pull, length, flags);
}

/* --- life ---------------------------------------------------------------------------------- */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    h2_pull_set_callback(callbacks);
}

/* What others than the owner would decide is switched off; floods are for the owner's budgets. */
static void set_option(nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
}

/* The library copies both. */
static bool make_library(struct h2_origin_session *session)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem memory;
    bool made = false;

    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        set_callbacks(callbacks);
        set_option(option);
        h2_memory_offer(&session->memory, NULL, &memory);
        made = nghttp2_session_client_new3(&session->library, callbacks, session, option,
                                           &memory) == 0;
        h2_memory_begun(&session->memory);
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return made;
}

static bool send_settings(struct h2_origin_session *session, const struct h2_origin_limits *limits)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_list_bytes},
    };

    return nghttp2_submit_settings(session->library, NGHTTP2_FLAG_NONE, entries,
                                   sizeof(entries) / sizeof(entries[0])) == 0 &&
           nghttp2_session_set_local_window_size(session->library, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)limits->connection_window) == 0;
}

struct h2_origin_session *h2_origin_session_new(const struct h2_origin_session_events *events,
                                                void *owner, const struct h2_origin_limits *limits)
{
    struct h2_origin_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        return NULL;
    }
    session->events = events;
    session->writer = (struct h2_pull_writer){owner, events->write_data};
    if (!make_library(session)) {
        h2_memory_end(&session->memory);
        free(session);
        return NULL;
    }
    if (!send_settings(session, limits)) {
        h2_origin_session_free(&session);
    }
    return session;
}

void h2_origin_session_free(struct h2_origin_session **session)
{
    if (*session != NULL) {
        nghttp2_session_del((*session)->library);
        h2_memory_end(&(*session)->memory);
        free(*session);
        *session = NULL;
    }
}

bool h2_origin_session_takes_protocols(const struct h2_origin_session *session)
{
    return nghttp2_session_get_remote_settings(session->library,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/* --- orders -------------------------------------------------------------------------------- */

static void name_values(nghttp2_nv *pairs, const struct http_field *fields, uint32_t count)
{
    CHECK(count <= PAIRS_MOST);
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (nghttp2_nv){
            .name = (uint8_t *)fields[i].name.at,
            .value = (uint8_t *)fields[i].value.at,
            .namelen = fields[i].name.length,
            .valuelen = fields[i].value.length,
        };
    }
}

int32_t h2_origin_session_request(struct h2_origin_session *session,
                                  const struct http_field *fields, uint32_t count, bool has_body,
                                  void *stream)
{
    nghttp2_nv pairs[PAIRS_MOST];
    const nghttp2_data_provider provider = {{.ptr = stream}, on_read};
    int32_t id;

    name_values(pairs, fields, count);
    id = nghttp2_submit_request(session->library, NULL, pairs, count, has_body ? &provider : NULL,
                                stream);
    return id > 0 ? id : 0;
}

bool h2_origin_session_send_trailers(struct h2_origin_session *session, int32_t id,
                                     const struct http_field *fields, uint32_t count)
{
    nghttp2_nv pairs[PAIRS_MOST];

    name_values(pairs, fields, count);
    return nghttp2_submit_trailer(session->library, id, pairs, count) == 0;
}

/* Of a stream that waits for nothing, or is gone, there is nothing to resume. */
void h2_origin_session_resume(struct h2_origin_session *session, int32_t id)
{
    (void)nghttp2_session_resume_data(session->library, id);
}

void h2_origin_session_reset(struct h2_origin_session *session, int32_t id, enum h2_code code)
{
    if (nghttp2_submit_rst_stream(session->library, NGHTTP2_FLAG_NONE, id, (uint32_t)code) != 0) {
        session->failed = true;
    }
}

void h2_origin_session_took_of(struct h2_origin_session *session, int32_t id, size_t bytes)
{
    if (bytes > 0) {
        (void)nghttp2_session_consume_stream(session->library, id, bytes);
    }
}

void h2_origin_session_ping(struct h2_origin_session *session)
{
    (void)nghttp2_submit_ping(session->library, NGHTTP2_FLAG_NONE, NULL);
}

void h2_origin_session_end(struct h2_origin_session *session, enum h2_code code)
{
    (void)nghttp2_session_terminate_session(session->library, (uint32_t)code);
}
