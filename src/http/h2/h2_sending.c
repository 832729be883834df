/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session sends: heads, interim heads and trailers as the owner gives them, bodies as the library
 * asks for them, and all frames once the owner takes them (h2_session_pump). */
#include "base/check.h"
#include "http/h2/h2_session_private.h"

#include <string.h>

#define SETTINGS_MOST 64
#define PAIRS_MOST (HTTP_FIELDS_MAX + 8)

/* --- frames -------------------------------------------------------------------------------- */

/* What broke off at an origin, or was too slow, is told by other codes. */
static bool blames_client(uint32_t code)
{
    return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL;
}

static int on_frame_send(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_session *session = owner;

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        h2_closed_note_reset(&session->closed, frame->hd.stream_id);
    }
    if (frame->hd.type == NGHTTP2_HEADERS) {
        session->events->wrote_section(session->owner, stream_of(library, frame->hd.stream_id),
                                       frame->hd.length + H2_FRAME_HEAD_BYTES);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM &&
               blames_client(frame->rst_stream.error_code)) {
        session->events->provoked(session->owner);
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        h2_session_note_fault(session, frame->goaway.error_code);
        session->events->failed(session->owner);
    }
    return 0;
}

static int before_request(nghttp2_session *library, const nghttp2_frame *frame, void *owner)
{
    struct h2_session *session = owner;
    void *stream;

    if (frame->hd.type == NGHTTP2_HEADERS && is_request(frame)) {
        stream = stream_of(library, frame->hd.stream_id);
        if (stream != NULL) {
            session->events->begins(session->owner, stream);
        }
    }
    return 0;
}

/* The limit that the owner keeps takes the place of the library's. */
static struct bytes report_our_limit(const struct h2_session *session, struct bytes frame,
                                     char memory[SETTINGS_MOST])
{
    if (frame.length > SETTINGS_MOST || frame.length < 9 || frame.at[3] != NGHTTP2_SETTINGS) {
        return frame;
    }
    memcpy(memory, frame.at, frame.length);
    for (size_t at = 9; at + 6 <= frame.length; at += 6) {
        if (memory[at] == 0 && memory[at + 1] == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
            memory[at + 2] = (char)(session->streams >> 24);
            memory[at + 3] = (char)(session->streams >> 16);
            memory[at + 4] = (char)(session->streams >> 8);
            memory[at + 5] = (char)session->streams;
        }
    }
    return (struct bytes){memory, frame.length};
}

static bool pump(struct h2_session *session)
{
    char memory[SETTINGS_MOST];
    const uint8_t *frame;
    ssize_t length;

    while ((length = nghttp2_session_mem_send(library_of(session), &frame)) > 0) {
        struct bytes bytes = {(const char *)frame, (size_t)length};

        if (!session->events->write(session->owner, report_our_limit(session, bytes, memory))) {
            session->failed = true;
            return false;
        }
    }
    session->failed |= length < 0;
    return !session->failed;
}

bool h2_session_wants_pump(struct h2_session *session)
{
    return nghttp2_session_want_write(library_of(session)) != 0;
}

bool h2_session_may_pump(const struct h2_session *session)
{
    return session->sessions == NULL || !session->sessions->pumps;
}

bool h2_session_pump(struct h2_session *session)
{
    bool fine = true;

    if (session->sessions == NULL) {
        return pump(session);
    }
    if (!session->sessions->pumps) {
        session->sessions->pumps = true;
        fine = pump(session);
        session->sessions->pumps = false;
    }
    return fine;
}

/* --- bodies -------------------------------------------------------------------------------- */

static ssize_t on_read(nghttp2_session *library, int32_t id, uint8_t *into, size_t most,
                       uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct h2_session *session = owner;
    size_t length = 0;

    (void)library, (void)id, (void)into;
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    switch (session->events->pull(session->owner, source->ptr, most, &length)) {
    case H2_PULL_SOME:
        return (ssize_t)length;
    case H2_PULL_LAST:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)length;
    case H2_PULL_TRAILED:
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return (ssize_t)length;
    case H2_PULL_PAUSE:
        return NGHTTP2_ERR_PAUSE;
    case H2_PULL_WAIT:
        break;
    }
    return NGHTTP2_ERR_DEFERRED;
}

static int on_send_data(nghttp2_session *library, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *owner)
{
    struct h2_session *session = owner;

    (void)library, (void)frame; /* no padding is asked for */
    return session->events->write_data(session->owner, source->ptr,
                                       (struct bytes){(const char *)head, H2_FRAME_HEAD_BYTES},
                                       length)
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

void h2_session_set_sending(nghttp2_session_callbacks *callbacks, bool to_origin)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    if (to_origin) {
        nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_request);
    } else {
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    }
}

/* --- heads and trailers -------------------------------------------------------------------- */

static uint8_t flags_of(struct h2_session *session, const struct http_field *field)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

    return h2_repeats_note(&session->repeats, field->name, field->value)
               ? flags
               : flags | NGHTTP2_NV_FLAG_NO_INDEX;
}

/* An answer's fields stay where they are until they were written, and a request's do not. */
static inline __attribute__((always_inline)) void name_each(struct h2_session *session,
                                                            nghttp2_nv *pairs,
                                                            const struct http_field *fields,
                                                            uint32_t count, bool to_origin)
{
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (nghttp2_nv){
            .name = (uint8_t *)fields[i].name.at,
            .value = (uint8_t *)fields[i].value.at,
            .namelen = fields[i].name.length,
            .valuelen = fields[i].value.length,
            .flags = to_origin ? NGHTTP2_NV_FLAG_NONE : flags_of(session, &fields[i]),
        };
    }
}

static void name_values(struct h2_session *session, nghttp2_nv *pairs,
                        const struct http_field *fields, uint32_t count)
{
    CHECK(count <= PAIRS_MOST);
    if (session->sessions == NULL) {
        name_each(session, pairs, fields, count, true);
    } else {
        name_each(session, pairs, fields, count, false);
    }
}

int32_t h2_session_request(struct h2_session *session, const struct http_field *fields,
                           uint32_t count, bool has_body, void *stream)
{
    nghttp2_nv pairs[PAIRS_MOST];
    const nghttp2_data_provider provider = {{.ptr = stream}, on_read};
    int32_t id;

    name_values(session, pairs, fields, count);
    id = nghttp2_submit_request(library_of(session), NULL, pairs, count,
                                has_body ? &provider : NULL, stream);
    return id > 0 ? id : 0;
}

bool h2_session_send_interim(struct h2_session *session, int32_t id,
                             const struct http_field *fields, uint32_t count)
{
    nghttp2_nv pairs[PAIRS_MOST];

    name_values(session, pairs, fields, count);
    return nghttp2_submit_headers(library_of(session), NGHTTP2_FLAG_NONE, id, NULL, pairs, count,
                                  NULL) == 0;
}

bool h2_session_send_head(struct h2_session *session, int32_t id, const struct http_field *fields,
                          uint32_t count, bool has_body, void *stream)
{
    nghttp2_nv pairs[PAIRS_MOST];
    const nghttp2_data_provider provider = {{.ptr = stream}, on_read};

    name_values(session, pairs, fields, count);
    return nghttp2_submit_response(library_of(session), id, pairs, count,
                                   has_body ? &provider : NULL) == 0;
}

bool h2_session_send_trailers(struct h2_session *session, int32_t id,
                              const struct http_field *fields, uint32_t count)
{
    nghttp2_nv pairs[PAIRS_MOST];

    name_values(session, pairs, fields, count);
    return nghttp2_submit_trailer(library_of(session), id, pairs, count) == 0;
}
