/* SPDX-License-Identifier: BSD-2-Clause */
/* A session over nghttp2, for connections of clients and to origins. Beside this file, only h2_memory.c
 * calls the library. */
#include "http/h2/h2_session.h"

#include "base/check.h"
#include "http/h2/h2_closed.h"
#include "http/h2/h2_memory.h"
#include "http/h2/h2_repeats.h"

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The owner refuses streams above its limit one by one (section 5.1.2: a stream error); the library
 * would end the connection. It gets a limit that is never reached by a client that heard of ours. */
#define STREAMS_BEYOND 1024
/* Of answers' fields: of a table of twice the size a connection would hold twice as much, and few
 * answers have more that comes again. */
#define ANSWER_TABLE_BYTES 2048
#define SETTINGS_MOST 64
#define PREFACE_BYTES 24 /* RFC 9113 section 3.4 */

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
static nghttp2_session *library_of(struct h2_session *session)
{
    if (session->memory.packed != NULL) {
        h2_memory_unpack(&session->memory);
    }
    return session->library;
}

size_t h2_session_held(const struct h2_session *session)
{
    return sizeof(*session) + session->memory.held;
}

/* --- what comes ---------------------------------------------------------------------------- */

static bool is_request(const nghttp2_frame *frame)
{
    return frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static void *stream_of(nghttp2_session *library, int32_t id)
{
    return nghttp2_session_get_stream_user_data(library, id);
}

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

bool h2_session_is_over(struct h2_session *session)
{
    return session->failed || (nghttp2_session_want_read(library_of(session)) == 0 &&
                               nghttp2_session_want_write(library_of(session)) == 0);
}

/* --- what goes ----------------------------------------------------------------------------- */

/* What broke off at an origin, or was too slow, is told by other codes. */
static bool blames_client(uint32_t code)
{
    return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL;
}

static void note_fault(struct h2_session *session, uint32_t code)
{
    if (session->fault == H2_NO_ERROR) {
        session->fault = (enum h2_code)code;
    }
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
        note_fault(session, frame->goaway.error_code);
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

void h2_session_rest(struct h2_session *session)
{
    h2_memory_pack(&session->memory);
}

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

/* --- life ---------------------------------------------------------------------------------- */

static bool set_callbacks(nghttp2_session_callbacks **callbacks, bool to_origin)
{
    if (nghttp2_session_callbacks_new(callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(*callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(*callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(*callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(*callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(*callbacks, on_send_data);
    if (to_origin) {
        nghttp2_session_callbacks_set_before_frame_send_callback(*callbacks, before_request);
    } else {
        nghttp2_session_callbacks_set_on_frame_send_callback(*callbacks, on_frame_send);
    }
    return true;
}

/* What others than the owner would decide is switched off; floods are for the owner's budgets. */
static bool set_option(nghttp2_option **option, bool to_origin)
{
    if (nghttp2_option_new(option) != 0) {
        return false;
    }
    nghttp2_option_set_no_auto_window_update(*option, 1);
    nghttp2_option_set_no_http_messaging(*option, 1);
    nghttp2_option_set_no_closed_streams(*option, 1);
    if (!to_origin) {
        nghttp2_option_set_builtin_recv_extension_type(*option, NGHTTP2_PRIORITY_UPDATE);
        nghttp2_option_set_max_deflate_dynamic_table_size(*option, ANSWER_TABLE_BYTES);
        nghttp2_option_set_stream_reset_rate_limit(*option, UINT32_MAX, UINT32_MAX);
    }
    return true;
}

static struct h2_sessions *sessions_new(const struct h2_session_events *events)
{
    struct h2_sessions *sessions = calloc(1, sizeof(*sessions));

    if (sessions == NULL) {
        return NULL;
    }
    sessions->events = events;
    if (!set_callbacks(&sessions->callbacks, events->to_origin) ||
        !set_option(&sessions->option, events->to_origin)) {
        h2_sessions_free(&sessions);
    }
    return sessions;
}

struct h2_sessions *h2_sessions_new(const struct h2_session_events *events,
                                    struct piece_pool *pieces)
{
    struct h2_sessions *sessions = sessions_new(events);

    if (sessions != NULL && (sessions->memory = h2_memory_pool_new(pieces)) == NULL) {
        h2_sessions_free(&sessions);
    }
    return sessions;
}

void h2_sessions_free(struct h2_sessions **sessions)
{
    if (*sessions != NULL) {
        nghttp2_session_callbacks_del((*sessions)->callbacks);
        nghttp2_option_del((*sessions)->option);
        h2_memory_pool_free(&(*sessions)->memory);
        free(*sessions);
        *sessions = NULL;
    }
}

static bool send_settings(struct h2_session *session, const struct h2_session_limits *limits)
{
    const nghttp2_settings_entry to_client[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_list_bytes},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams + STREAMS_BEYOND},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits->header_table_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* RFC 8441 */
    };
    const nghttp2_settings_entry to_origin[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_list_bytes},
    };
    bool is_origin = session->events->to_origin;
    size_t bytes = is_origin ? sizeof(to_origin) : sizeof(to_client);

    return nghttp2_submit_settings(library_of(session), NGHTTP2_FLAG_NONE,
                                   is_origin ? to_origin : to_client,
                                   bytes / sizeof(to_client[0])) == 0 &&
           nghttp2_session_set_local_window_size(library_of(session), NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)limits->connection_window) == 0;
}

void h2_sessions_account(struct h2_sessions *sessions, struct slab_account *account)
{
    h2_memory_pool_account(sessions->memory, account);
}

void h2_sessions_trim(struct h2_sessions *sessions)
{
    h2_memory_pool_trim(sessions->memory);
}

/* The library copies the callbacks and options. */
static bool make_library(struct h2_session *session, const struct h2_sessions *sessions)
{
    nghttp2_mem memory;
    int failed;

    h2_memory_offer(&session->memory, sessions->memory, &memory);
    if (sessions->events->to_origin) {
        failed = nghttp2_session_client_new3(&session->library, sessions->callbacks, session,
                                             sessions->option, &memory);
    } else {
        failed = nghttp2_session_server_new3(&session->library, sessions->callbacks, session,
                                             sessions->option, &memory);
    }
    h2_memory_begun(&session->memory);
    return failed == 0;
}

struct h2_session *h2_session_new(struct h2_sessions *sessions, void *owner,
                                  const struct h2_session_limits *limits)
{
    struct h2_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        return NULL;
    }
    session->events = sessions->events;
    session->owner = owner;
    session->streams = limits->streams;
    session->frames.left = sessions->events->to_origin ? 0 : PREFACE_BYTES;
    session->sessions = sessions;
    if (!make_library(session, sessions)) {
        h2_memory_end(&session->memory);
        free(session);
        return NULL;
    }
    if (!send_settings(session, limits)) {
        h2_session_free(&session);
    }
    return session;
}

/* There are few of these: each has its memory for itself. */
struct h2_session *h2_session_new_to_origin(const struct h2_session_events *events, void *owner,
                                            const struct h2_session_limits *limits)
{
    struct h2_sessions *sessions = sessions_new(events);
    struct h2_session *session = sessions != NULL ? h2_session_new(sessions, owner, limits) : NULL;

    if (session != NULL) {
        session->sessions = NULL;
    }
    h2_sessions_free(&sessions);
    return session;
}

void h2_session_free(struct h2_session **session)
{
    if (*session != NULL) {
        nghttp2_session_del(library_of(*session));
        h2_memory_end(&(*session)->memory);
        free(*session);
        *session = NULL;
    }
}

/* --- orders -------------------------------------------------------------------------------- */

void h2_session_own(struct h2_session *session, int32_t id, void *stream)
{
    nghttp2_session_set_stream_user_data(library_of(session), id, stream);
}

/* Memory may be out: then the window stays as it is, and what was consumed is told with the next
 * call. */
void h2_session_took(struct h2_session *session, size_t bytes)
{
    if (bytes > 0) {
        (void)nghttp2_session_consume_connection(library_of(session), bytes);
    }
}

void h2_session_took_of(struct h2_session *session, int32_t id, size_t bytes)
{
    if (bytes > 0) {
        (void)nghttp2_session_consume_stream(library_of(session), id, bytes);
    }
}

static uint8_t flags_of(struct h2_session *session, const struct http_field *field)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

    return h2_repeats_note(&session->repeats, field->name, field->value)
               ? flags
               : flags | NGHTTP2_NV_FLAG_NO_INDEX;
}

#define PAIRS_MOST (HTTP_FIELDS_MAX + 8)

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

/* Of a stream that waits for nothing, or is gone, there is nothing to resume. */
void h2_session_resume(struct h2_session *session, int32_t id)
{
    (void)nghttp2_session_resume_data(library_of(session), id);
}

void h2_session_reset(struct h2_session *session, int32_t id, enum h2_code code)
{
    if (nghttp2_submit_rst_stream(library_of(session), NGHTTP2_FLAG_NONE, id, (uint32_t)code) !=
        0) {
        session->failed = true;
    }
}

void h2_session_set_priority(struct h2_session *session, int32_t id, uint8_t urgency,
                             bool incremental)
{
    const nghttp2_extpri priority = {urgency, incremental};

    (void)nghttp2_session_change_extpri_stream_priority(library_of(session), id, &priority, 0);
}

bool h2_session_is_prioritized(const struct h2_session *session)
{
    return session->prioritized;
}

uint32_t h2_session_streams(struct h2_session *session)
{
    return nghttp2_session_get_remote_settings(library_of(session),
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool h2_session_takes_protocols(struct h2_session *session)
{
    return nghttp2_session_get_remote_settings(library_of(session),
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

size_t h2_session_window(struct h2_session *session, int32_t id)
{
    int32_t of_stream = nghttp2_session_get_stream_remote_window_size(library_of(session), id);
    int32_t of_all = nghttp2_session_get_remote_window_size(library_of(session));
    int32_t least = of_stream < of_all ? of_stream : of_all;

    return least > 0 ? (size_t)least : 0;
}

void h2_session_ping(struct h2_session *session)
{
    (void)nghttp2_submit_ping(library_of(session), NGHTTP2_FLAG_NONE, NULL);
}

void h2_session_announce_end(struct h2_session *session)
{
    (void)nghttp2_submit_shutdown_notice(library_of(session));
}

void h2_session_refuse_new(struct h2_session *session)
{
    (void)nghttp2_submit_goaway(library_of(session), NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(library_of(session)),
                                NGHTTP2_NO_ERROR, NULL, 0);
}

void h2_session_end(struct h2_session *session, enum h2_code code)
{
    note_fault(session, code);
    (void)nghttp2_session_terminate_session(library_of(session), (uint32_t)code);
}

enum h2_code h2_session_fault(const struct h2_session *session)
{
    return session->fault;
}
