/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of HTTP/2, over a library of its own frames: many streams on a connection, bodies in frames
 * of random sizes with padding, windows of random sizes, resets at any moment. Each stream knows its
 * plan and looks at every byte of its answer. */
#include "oracle_h2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MOST 24
#define WAITS_FOR_100_MS 4000

struct stream {
    struct client *client;
    struct stream *next; /* of its client's */
    int32_t at;
    uint32_t sent;     /* bytes of its body */
    uint32_t received; /* of its answer's */
    uint64_t held_ms;
    struct plan plan;
    bool holds_body; /* waits for 100 (Continue) */
    bool was_continued;
    bool has_head; /* the final one */
    bool by_gateway;
    bool is_whole; /* the answer */
    bool is_wrong; /* told already */
    /* of the section under way */
    unsigned status; /* 0: trailers */
    unsigned found;
    bool names_request;
    bool names_other;
    char proxy_status[160];
    bool has_other_field;
};

struct client {
    struct wire *wire; /* NULL: none open */
    nghttp2_session *session;
    struct stream *streams;
    uint64_t random;
    uint32_t count;
    uint32_t depth;
    uint32_t left;   /* requests that this connection may still carry */
    uint32_t leaves; /* it resets its connection when so many are left; UINT32_MAX: never */
    bool retires;    /* the gateway wants no more */
};

static struct client *clients;
static uint32_t client_count;
static SSL_CTX *context;
static nghttp2_session_callbacks *callbacks;

/* --- faults and ends --------------------------------------------------------------------------------- */

static void wrong(struct stream *stream, const char *what)
{
    if (!stream->is_wrong) {
        stream->is_wrong = true;
        ledger_fault(NULL, 0, "%s, over HTTP/2, to request %x (%s %s)", what, stream->plan.id,
                     stream->plan.method, stream->plan.target);
    }
}

static void stream_end(struct stream *stream, enum tally how)
{
    struct client *client = stream->client;
    struct stream **at = &client->streams;

    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    client->count--;
    ledger_ended(stream->plan.id, how);
    free(stream);
}

static void leave(struct client *client, bool reset)
{
    while (client->streams != NULL) {
        stream_end(client->streams, TALLY_UNANSWERED);
    }
    nghttp2_session_del(client->session);
    client->session = NULL;
    wire_close(client->wire, reset);
    client->wire = NULL;
}

/* --- requests ------------------------------------------------------------------------------------------ */

static void submit_trailers(struct stream *stream)
{
    struct pairs pairs = {.count = 0};

    pairs_add_section(&pairs, &stream->plan.request.trailers);
    nghttp2_submit_trailer(stream->client->session, stream->at, pairs.rows, pairs.count);
}

static ssize_t on_read(nghttp2_session *session, int32_t at, uint8_t *into, size_t most,
                       uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct stream *stream = source->ptr;
    const struct message *request = &stream->plan.request;
    uint64_t *random = &stream->client->random;
    size_t left = request->body_length - stream->sent;

    (void)session, (void)at, (void)owner;
    if (stream->holds_body) {
        return NGHTTP2_ERR_DEFERRED;
    }
    most = length_of_frame(most, left, random);
    memcpy(into, request->body + stream->sent, most);
    stream->sent += (uint32_t)most;
    if (stream->sent == request->body_length) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (request->trailers.count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(stream);
        }
    }
    return (ssize_t)most;
}

static void submit(struct stream *stream)
{
    const struct plan *plan = &stream->plan;
    const nghttp2_data_provider provider = {{.ptr = stream}, on_read};
    struct pairs pairs = {.count = 0};
    char length[16];

    pairs_add(&pairs, ":method", plan->method, strlen(plan->method));
    pairs_add(&pairs, ":scheme", "http", 4);
    pairs_add(&pairs, ":authority", "oracle.example", 14);
    pairs_add(&pairs, ":path", plan->target, strlen(plan->target));
    pairs_add_section(&pairs, &plan->request.fields);
    if (plan->request.framing == FRAMING_LENGTH) {
        snprintf(length, sizeof(length), "%u", plan->request.body_length);
        pairs_add(&pairs, "content-length", length, strlen(length));
    }
    if (plan->expects) {
        pairs_add(&pairs, "expect", "100-continue", 12);
    }
    stream->at =
        nghttp2_submit_request(stream->client->session, NULL, pairs.rows, pairs.count,
                               plan->request.framing == FRAMING_NONE ? NULL : &provider, stream);
    if (stream->at < 0) {
        abort();
    }
}

static void send_request(struct client *client, uint32_t id)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        abort();
    }
    stream->client = client;
    stream->next = client->streams;
    client->streams = stream;
    plan_make(&stream->plan, id);
    stream->holds_body = stream->plan.expects;
    stream->held_ms = loop_now_ms();
    ledger_sent(id);
    if (client->count++ > 0) {
        ledger_count(TALLY_PIPELINED);
    }
    client->left--;
    wire_maybe_slow_for(client->wire, plan_answer_length(&stream->plan), &client->random);
    submit(stream);
}

static void resume(struct stream *stream)
{
    if (stream->holds_body) {
        stream->holds_body = false;
        nghttp2_session_resume_data(stream->client->session, stream->at);
    }
}

/* --- answers --------------------------------------------------------------------------------------------- */

static bool is(const uint8_t *name, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp((const char *)name, word, length) == 0;
}

static bool adds_gateway(const uint8_t *name, size_t length)
{
    return is(name, length, "date") || is(name, length, "via") ||
           is(name, length, "x-request-id") || is(name, length, "content-length");
}

static const struct field *row_awaited(const struct stream *stream)
{
    const struct message *answer = &stream->plan.answer;
    unsigned at = stream->found + (stream->has_head ? answer->lost_trailers : 0);
    const struct section *section = stream->has_head ? &answer->trailers : &answer->fields;

    return at < section->count ? &section->rows[at] : NULL;
}

static int on_section(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)owner;
    if (stream != NULL) {
        stream->status = 0;
        stream->found = 0;
        stream->names_request = stream->names_other = false;
        stream->has_other_field = false;
        stream->proxy_status[0] = '\0';
    }
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_length, const uint8_t *value, size_t length, uint8_t flags,
                    void *owner)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const struct field *row;
    char id[16];

    (void)flags, (void)owner;
    if (stream == NULL) {
        return 0;
    }
    row = row_awaited(stream);
    if (is(name, name_length, ":status")) {
        stream->status = (unsigned)atoi((const char *)value);
    } else if (is(name, name_length, "x-oracle")) {
        snprintf(id, sizeof(id), "%x", stream->plan.id);
        stream->names_request = is(value, length, id);
        stream->names_other = !stream->names_request;
    } else if (is(name, name_length, "proxy-status")) {
        snprintf(stream->proxy_status, sizeof(stream->proxy_status), "%.*s", (int)length, value);
    } else if (row != NULL && is(name, name_length, row->name) && length == row->length &&
               memcmp(value, row->value, length) == 0) {
        stream->found++;
    } else if (stream->has_head || !adds_gateway(name, name_length)) {
        stream->has_other_field = true;
    }
    return 0;
}

static void on_interim(struct stream *stream)
{
    if (stream->status == 103 && stream->plan.hints) {
        return;
    }
    if (stream->status != 100 || !stream->plan.expects || stream->was_continued) {
        wrong(stream, "an interim answer unasked");
    }
    stream->was_continued = true;
    resume(stream);
}

static void on_own_answer(struct stream *stream)
{
    const char *why = stream->proxy_status;
    char what[240];

    if (why[0] == '\0' ||
        (stream->status != 502 && stream->status != 503 && stream->status != 504 &&
         !(stream->status == 408 && client_gave_way(why, strlen(why))))) {
        snprintf(what, sizeof(what), "an answer that no origin gave (%u, %s)", stream->status, why);
        wrong(stream, what);
    }
}

static void on_head(struct stream *stream)
{
    stream->has_head = true;
    stream->by_gateway = !stream->names_request;
    if (stream->names_other) {
        wrong(stream, "an answer to another request");
    } else if (stream->by_gateway) {
        on_own_answer(stream);
    } else if (stream->status != stream->plan.status || stream->has_other_field ||
               stream->found != stream->plan.answer.fields.count) {
        wrong(stream, "an answer with another head");
    }
}

static void on_trailers(struct stream *stream)
{
    const struct message *answer = &stream->plan.answer;

    if (stream->by_gateway || stream->has_other_field ||
        stream->found != answer->trailers.count - answer->lost_trailers) {
        wrong(stream, "an answer with other trailers");
    } else {
        ledger_count(TALLY_TRAILERS_DOWN);
    }
}

static bool awaits_trailers(const struct stream *stream)
{
    const struct message *answer = &stream->plan.answer;

    return !stream->by_gateway && plan_answer_has_body(&stream->plan) &&
           answer->trailers.count > answer->lost_trailers;
}

static void on_answer_end(struct stream *stream, bool with_trailers)
{
    uint32_t length = plan_answer_length(&stream->plan);

    stream->is_whole = true;
    if (!stream->has_head) {
        wrong(stream, "an answer without a head");
    } else if (stream->plan.is_cut && !stream->by_gateway) {
        wrong(stream, "a whole answer in place of one that was cut");
    } else if (!stream->by_gateway && stream->received != length) {
        wrong(stream, "an answer that is too short");
    } else if (!with_trailers && awaits_trailers(stream)) {
        wrong(stream, "an answer without its trailers");
    } else if (!stream->by_gateway && length >= BODY_LARGE) {
        ledger_count(TALLY_LARGE_DOWN);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct client *client = owner;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_section = frame->hd.type == NGHTTP2_HEADERS;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->retires = true;
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
            ledger_fault(NULL, 0, "GOAWAY with %u", frame->goaway.error_code);
        }
    }
    if (stream == NULL || (!is_section && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    if (is_section && stream->status / 100 == 1) {
        on_interim(stream);
    } else if (is_section && stream->has_head) {
        on_trailers(stream);
    } else if (is_section) {
        on_head(stream);
    }
    if (ends) {
        on_answer_end(stream, is_section);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t at, const uint8_t *data,
                   size_t length, void *owner)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, at);
    const struct message *answer;

    (void)flags, (void)owner;
    if (stream == NULL || stream->by_gateway) {
        return 0;
    }
    answer = &stream->plan.answer;
    if (!plan_answer_has_body(&stream->plan) || length > answer->body_length - stream->received ||
        memcmp(answer->body + stream->received, data, length) != 0) {
        wrong(stream, "an answer with another body");
        return 0;
    }
    stream->received += (uint32_t)length;
    return 0;
}

/* A slow reader may not keep one of few connections from others. */
static bool may_give_way(const struct stream *stream)
{
    return wire_is_slow(stream->client->wire) && stream->plan.service == SERVICE_NARROW;
}

static int on_close(nghttp2_session *session, int32_t at, uint32_t code, void *owner)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, at);
    char what[80];

    (void)owner;
    if (stream == NULL) {
        return 0;
    }
    if (stream->is_whole) {
        stream_end(stream, stream->by_gateway ? TALLY_BY_GATEWAY : TALLY_ANSWERED);
    } else if (code == NGHTTP2_REFUSED_STREAM) {
        stream_end(stream, TALLY_VOID); /* unprocessed: no origin may have seen it */
    } else {
        if (!stream->plan.is_cut && !may_give_way(stream)) {
            snprintf(what, sizeof(what), "a reset with %u instead of an answer", code);
            wrong(stream, what);
        }
        stream_end(stream, TALLY_UNANSWERED);
    }
    return 0;
}

static ssize_t on_padding(nghttp2_session *session, const nghttp2_frame *frame, size_t most,
                          void *owner)
{
    struct client *client = owner;

    (void)session;
    return padded(frame, most, &client->random);
}

/* --- connections -------------------------------------------------------------------------------------- */

static void fill(struct client *client)
{
    uint32_t id;

    while (client->count < client->depth && client->left > 0 && !client->retires &&
           client_take_id(&id)) {
        send_request(client, id);
    }
}

static void pump(struct client *client)
{
    pump_frames(client->session, client->wire, &client->random);
}

/* One that it does not want any more, whatever it is doing. */
static void reset_some(struct client *client)
{
    struct stream *stream = client->streams;

    if (stream == NULL || !random_chance(&client->random, 100)) {
        return;
    }
    nghttp2_session_set_stream_user_data(client->session, stream->at, NULL);
    nghttp2_submit_rst_stream(client->session, 0, stream->at, NGHTTP2_CANCEL);
    stream_end(stream, TALLY_UNANSWERED);
}

static void check_after_held_bodies(struct client *client)
{
    for (struct stream *stream = client->streams; stream != NULL; stream = stream->next) {
        if (stream->holds_body && loop_now_ms() - stream->held_ms > WAITS_FOR_100_MS) {
            resume(stream);
        }
    }
}

/* What came is read; false: the connection is gone. */
static bool take(struct client *client)
{
    struct pile *in = &client->wire->in;
    ssize_t taken =
        nghttp2_session_mem_recv(client->session, (const uint8_t *)pile_at(in), pile_length(in));

    if (taken < 0) {
        ledger_fault(pile_at(in), pile_length(in), "what is no HTTP/2: %s",
                     nghttp2_strerror((int)taken));
        leave(client, true);
        return false;
    }
    pile_drop(in, (size_t)taken);
    if (client->wire->ended) {
        if (client->count > 0) {
            wrong(client->streams, "the end of the connection before an answer");
        }
        leave(client, false);
        return false;
    }
    return true;
}

static void on_changed(struct wire *wire)
{
    struct client *client = wire->owner;

    if (client->wire != wire || !take(client)) {
        return;
    }
    if (client->left <= client->leaves && client->leaves != UINT32_MAX) {
        leave(client, true);
        return;
    }
    reset_some(client);
    fill(client);
    if (client->count == 0) {
        leave(client, false);
        return;
    }
    pump(client);
}

static void begin_session(struct client *client)
{
    if (nghttp2_session_client_new(&client->session, callbacks, client) != 0) {
        abort();
    }
    submit_random_settings(client->session, &client->random,
                           (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
}

static void open_connection(struct client *client)
{
    bool tls = options.tls && random_chance(&client->random, 5000);
    uint64_t random = client->random;

    memset(client, 0, sizeof(*client));
    client->random = random;
    client->depth = 1 + random_below(&client->random, STREAMS_MOST);
    client->left = 1 + random_below(&client->random, 200);
    client->leaves = random_chance(&client->random, 300)
                         ? random_below(&client->random, client->left)
                         : UINT32_MAX;
    client->wire = wire_new(client_connect(gateway_port(tls), &client->random),
                            tls ? context : NULL, false, on_changed, client);
    if (tls) {
        SSL_set_alpn_protos(client->wire->tls, (const unsigned char *)"\x02h2", 3);
    }
    wire_maybe_slow(client->wire, &client->random);
    begin_session(client);
    fill(client);
    pump(client);
}

void clients_h2_begin(uint32_t count)
{
    uint64_t state = options.seed ^ 0x42c11e47u;

    client_count = count;
    clients = calloc(count + 1, sizeof(*clients));
    context = wire_client_context();
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_section);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_padding);
    for (uint32_t i = 0; i < count; i++) {
        clients[i].random = random_next(&state);
    }
}

void clients_h2_go_on(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].wire == NULL) {
            if (clients_have_more()) {
                open_connection(&clients[i]);
            }
        } else {
            check_after_held_bodies(&clients[i]);
        }
    }
}

bool clients_h2_are_done(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].wire != NULL) {
            return false;
        }
    }
    return true;
}

void clients_h2_report(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        const struct client *client = &clients[i];

        if (client->wire == NULL) {
            continue;
        }
        fprintf(stderr, "    HTTP/2 client %u%s: %zu bytes to write, %zu unread, window %d\n", i,
                client->wire->tls != NULL ? ", TLS" : "", pile_length(&client->wire->out),
                pile_length(&client->wire->in),
                nghttp2_session_get_remote_window_size(client->session));
        for (const struct stream *stream = client->streams; stream != NULL; stream = stream->next) {
            fprintf(stderr,
                    "        stream %d awaits the answer to %x (%s %s): "
                    "%u of %u sent, window %d, %u received%s\n",
                    stream->at, stream->plan.id, stream->plan.method, stream->plan.target,
                    stream->sent, stream->plan.request.body_length,
                    nghttp2_session_get_stream_remote_window_size(client->session, stream->at),
                    stream->received, stream->holds_body ? ", waits for 100" : "");
        }
    }
}
