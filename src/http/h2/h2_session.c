/* SPDX-License-Identifier: BSD-2-Clause */
/* A session over nghttp2, for connections of clients and to origins: its life, and what its owner asks of
 * it. What it receives is h2_receiving.c's, what it sends h2_sending.c's. */
#include "http/h2/h2_session_private.h"

#include <stdlib.h>

/* The owner refuses streams above its limit one by one (section 5.1.2: a stream error); the library
 * would end the connection. It gets a limit that is never reached by a client that heard of ours. */
#define STREAMS_BEYOND 1024
/* Of answers' fields: of a table of twice the size a connection would hold twice as much, and few
 * answers have more that comes again. */
#define ANSWER_TABLE_BYTES 2048
#define PREFACE_BYTES 24 /* RFC 9113 section 3.4 */

static bool set_callbacks(nghttp2_session_callbacks **callbacks, bool to_origin)
{
    if (nghttp2_session_callbacks_new(callbacks) != 0) {
        return false;
    }
    h2_session_set_receiving(*callbacks);
    h2_session_set_sending(*callbacks, to_origin);
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

/* --- what its owner asks of it ------------------------------------------------------------------ */

size_t h2_session_held(const struct h2_session *session)
{
    return sizeof(*session) + session->memory.held;
}

bool h2_session_is_over(struct h2_session *session)
{
    return session->failed || (nghttp2_session_want_read(library_of(session)) == 0 &&
                               nghttp2_session_want_write(library_of(session)) == 0);
}

void h2_session_rest(struct h2_session *session)
{
    h2_memory_pack(&session->memory);
}

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
    h2_session_note_fault(session, code);
    (void)nghttp2_session_terminate_session(library_of(session), (uint32_t)code);
}

enum h2_code h2_session_fault(const struct h2_session *session)
{
    return session->fault;
}

void h2_session_note_fault(struct h2_session *session, uint32_t code)
{
    if (session->fault == H2_NO_ERROR) {
        session->fault = (enum h2_code)code;
    }
}
