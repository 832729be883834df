/* SPDX-License-Identifier: BSD-2-Clause */
/* Origins that speak HTTP/2, over a library of its own frames: each stream must be a request that a
 * client has sent, byte for byte but for what a gateway adds. Answers go in frames of random sizes with
 * padding, against windows of random sizes. Streams are refused, connections left (GOAWAY) or closed
 * before any answer, so that there is something to try again. */
#include "oracle_h2.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TEXT_BYTES 100000 /* of a field section */

struct carrier;

struct ask {
    struct carrier *carrier;
    struct ask *next; /* of its connection's */
    int32_t at;
    struct plan plan;
    bool has_head;
    uint32_t received;
    uint64_t due_ms; /* its answer waits for its time; 0: it does not */
    bool answers;    /* it has begun to */
    uint32_t sent;   /* bytes of the answer's body */
    char target[128];
    char method[16];
    bool has_authority;
    /* of the section under way */
    struct head head;
    char *text;
    size_t text_length;
};

/* A connection. */
struct carrier {
    struct carrier *next; /* of all that are open */
    struct wire *wire;    /* NULL: closed */
    nghttp2_session *session;
    struct ask *asks;
    unsigned index;
    uint64_t random;
    uint32_t begun;
    bool answered; /* any */
    bool leaves;
    int32_t last; /* of the streams that it will still answer then */
};

static struct carrier *carriers;
static nghttp2_session_callbacks *callbacks;
static SSL_CTX *tls_context;

/* --- ends --------------------------------------------------------------------------------------- */

static void forget(struct ask *ask)
{
    struct ask **at = &ask->carrier->asks;

    while (*at != ask) {
        at = &(*at)->next;
    }
    *at = ask->next;
    free(ask->text);
    free(ask);
}

static void end(struct carrier *carrier, bool reset)
{
    while (carrier->asks != NULL) {
        forget(carrier->asks);
    }
    wire_close(carrier->wire, reset);
    carrier->wire = NULL;
}

static void reset(struct ask *ask, uint32_t code)
{
    nghttp2_submit_rst_stream(ask->carrier->session, 0, ask->at, code);
    nghttp2_session_set_stream_user_data(ask->carrier->session, ask->at, NULL);
    forget(ask);
}

static void wrong(struct ask *ask, const char *what)
{
    ledger_fault(ask->text, ask->text_length,
                 "origin %u got %s over HTTP/2: %s %s (request %x, %s %s)", ask->carrier->index,
                 what, ask->method, ask->target, ask->plan.id, ask->plan.method, ask->plan.target);
    reset(ask, NGHTTP2_INTERNAL_ERROR);
}

/* --- the answer ------------------------------------------------------------------------------------ */

static ssize_t on_read(nghttp2_session *session, int32_t at, uint8_t *into, size_t most,
                       uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    struct ask *ask = source->ptr;
    const struct message *answer = &ask->plan.answer;
    uint32_t length = ask->plan.is_cut ? answer->body_length / 2 : answer->body_length;

    (void)owner;
    most = length_of_frame(most, length - ask->sent, &ask->carrier->random);
    if (most > 0) {
        memcpy(into, answer->body + ask->sent, most);
    }
    ask->sent += (uint32_t)most;
    if (ask->sent < length) {
        return (ssize_t)most;
    }
    if (ask->plan.is_cut) {
        nghttp2_submit_rst_stream(session, 0, at, NGHTTP2_INTERNAL_ERROR);
        return most > 0 ? (ssize_t)most : NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (answer->trailers.count > 0) {
        struct pairs pairs = {.count = 0};

        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        pairs_add_section(&pairs, &answer->trailers);
        nghttp2_submit_trailer(session, at, pairs.rows, pairs.count);
    }
    return (ssize_t)most;
}

static void send_interim(struct ask *ask, const char *status, bool hint)
{
    struct pairs pairs = {.count = 0};
    char id[16];

    pairs_add(&pairs, ":status", status, 3);
    if (hint) {
        pairs_add(&pairs, "x-hint", id, (size_t)snprintf(id, sizeof(id), "%x", ask->plan.id));
    }
    nghttp2_submit_headers(ask->carrier->session, 0, ask->at, NULL, pairs.rows, pairs.count, NULL);
}

static void send_answer(struct ask *ask)
{
    const nghttp2_data_provider provider = {{.ptr = ask}, on_read};
    const struct plan *plan = &ask->plan;
    struct pairs pairs = {.count = 0};
    char status[16];
    char id[16];
    char length[16];

    ask->due_ms = 0;
    ask->answers = true;
    ask->carrier->answered = true;
    if (plan->hints) {
        send_interim(ask, "103", true);
    }
    pairs_add(&pairs, ":status", status,
              (size_t)snprintf(status, sizeof(status), "%u", plan->status));
    pairs_add(&pairs, "x-oracle", id, (size_t)snprintf(id, sizeof(id), "%x", plan->id));
    pairs_add_section(&pairs, &plan->answer.fields);
    if (plan->answer.framing == FRAMING_LENGTH) {
        pairs_add(&pairs, "content-length", length,
                  (size_t)snprintf(length, sizeof(length), "%u", plan->answer.body_length));
    }
    nghttp2_submit_response(ask->carrier->session, ask->at, pairs.rows, pairs.count,
                            plan_answer_has_body(plan) ? &provider : NULL);
}

static void answer(struct ask *ask)
{
    ledger_executed(&ask->plan);
    if (ask->plan.delay_ms > 0) {
        ask->due_ms = loop_now_ms() + ask->plan.delay_ms;
    } else {
        send_answer(ask);
    }
}

static void answer_what_is_due(struct carrier *carrier)
{
    uint64_t next_ms = 0;

    for (struct ask *ask = carrier->asks; ask != NULL; ask = ask->next) {
        if (ask->due_ms != 0 && ask->due_ms <= loop_now_ms()) {
            send_answer(ask);
        }
        if (ask->due_ms != 0 && (next_ms == 0 || ask->due_ms < next_ms)) {
            next_ms = ask->due_ms;
        }
    }
    carrier->wire->wake_ms = next_ms;
}

/* --- the request ------------------------------------------------------------------------------------ */

static struct ask *ask_of(nghttp2_session *session, int32_t at)
{
    return nghttp2_session_get_stream_user_data(session, at);
}

static int on_section(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct carrier *carrier = owner;
    struct ask *ask = ask_of(session, frame->hd.stream_id);

    /* The library begins to leave streams alone only once its GOAWAY is written. */
    if (ask == NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        !(carrier->leaves && frame->hd.stream_id > carrier->last)) {
        ask = calloc(1, sizeof(*ask));
        if (ask == NULL) {
            abort();
        }
        ask->text = malloc(TEXT_BYTES);
        ask->carrier = carrier;
        ask->at = frame->hd.stream_id;
        ask->next = carrier->asks;
        carrier->asks = ask;
        carrier->begun++;
        nghttp2_session_set_stream_user_data(session, ask->at, ask);
    }
    if (ask != NULL) {
        ask->head.count = 0;
        ask->text_length = 0;
    }
    return 0;
}

static const char *keep(struct ask *ask, const uint8_t *bytes, size_t length)
{
    char *at = ask->text + ask->text_length;

    if (ask->text_length + length > TEXT_BYTES) {
        abort();
    }
    memcpy(at, bytes, length);
    ask->text_length += length;
    return at;
}

static bool is(const uint8_t *name, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(name, word, length) == 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_length, const uint8_t *value, size_t length, uint8_t flags,
                    void *owner)
{
    struct ask *ask = ask_of(session, frame->hd.stream_id);

    (void)flags, (void)owner;
    if (ask == NULL) {
        return 0;
    }
    if (is(name, name_length, ":path")) {
        snprintf(ask->target, sizeof(ask->target), "%.*s", (int)length, (const char *)value);
    } else if (is(name, name_length, ":method")) {
        snprintf(ask->method, sizeof(ask->method), "%.*s", (int)length, (const char *)value);
    } else if (is(name, name_length, ":authority")) {
        ask->has_authority = is(value, length, "oracle.example");
    } else if (!is(name, name_length, ":scheme") && ask->head.count < LINES_MAX) {
        struct line *line = &ask->head.lines[ask->head.count++];

        line->name = keep(ask, name, name_length);
        line->name_length = name_length;
        line->value = keep(ask, value, length);
        line->value_length = length;
    }
    return 0;
}

static bool find_plan(struct ask *ask)
{
    unsigned id;

    if (sscanf(ask->target, "/%*c/%x?", &id) != 1 || !ledger_was_sent(id)) {
        return false;
    }
    plan_make(&ask->plan, id);
    return strcmp(ask->method, ask->plan.method) == 0 &&
           strcmp(ask->target, ask->plan.target) == 0 && ask->has_authority &&
           ask->plan.service == origin_service(ask->carrier->index);
}

static bool length_fits(const struct ask *ask)
{
    const struct line *said = head_find(&ask->head, "content-length");
    char length[16];

    snprintf(length, sizeof(length), "%u", ask->plan.request.body_length);
    return said == NULL || (said->value_length == strlen(length) &&
                            memcmp(said->value, length, said->value_length) == 0);
}

/* Not carried out; what was answered already is not lost by it. true: the stream is over. */
static bool gives_back(struct ask *ask)
{
    struct carrier *carrier = ask->carrier;
    bool often = origin_service(carrier->index) == SERVICE_AGAIN;

    if (!random_chance(&carrier->random, often ? 300 : 10)) {
        return false;
    }
    if (random_chance(&carrier->random, 6000)) {
        ledger_count(TALLY_REFUSED);
        reset(ask, NGHTTP2_REFUSED_STREAM);
        return true;
    }
    if (often && random_chance(&carrier->random, 3000)) {
        ledger_count(TALLY_CLOSED_ON);
        reset(ask, NGHTTP2_CANCEL);
        return true;
    }
    if (!carrier->leaves) {
        int32_t last = random_chance(&carrier->random, 5000) ? ask->at : ask->at - 2;

        carrier->leaves = true;
        carrier->last = last;
        nghttp2_submit_goaway(carrier->session, 0, last > 0 ? last : 0, NGHTTP2_NO_ERROR, NULL, 0);
        if (last < ask->at) {
            ledger_count(TALLY_REFUSED);
            nghttp2_session_set_stream_user_data(carrier->session, ask->at, NULL);
            forget(ask);
            return true;
        }
    }
    return false;
}

static void on_head(struct ask *ask, bool ends)
{
    bool has_host;

    ask->has_head = true;
    if (!find_plan(ask)) {
        wrong(ask, "a request that no client sent");
    } else if (!origin_fields_fit(&ask->plan, &ask->head, &has_host) || has_host) {
        wrong(ask, "a request with another head");
    } else if (!length_fits(ask) || (!ends && ask->plan.request.framing == FRAMING_NONE)) {
        wrong(ask, "a request with another framing");
    } else if (!gives_back(ask)) {
        if (origin_service(ask->carrier->index) != SERVICE_NARROW) {
            wire_maybe_slow_for(ask->carrier->wire, ask->plan.request.body_length,
                                &ask->carrier->random);
        }
        if (head_find(&ask->head, "expect") != NULL && ask->plan.continues && !ends) {
            send_interim(ask, "100", false);
        }
        if (ask->plan.is_early) {
            answer(ask);
        }
    }
}

static void on_whole(struct ask *ask, const struct head *trailers)
{
    static const struct head none;

    if (ask->received != ask->plan.request.body_length) {
        wrong(ask, "a request that is too short");
    } else if (!origin_trailers_fit(&ask->plan, trailers != NULL ? trailers : &none)) {
        wrong(ask, "a request with other trailers");
    } else {
        if (ask->received >= BODY_LARGE) {
            ledger_count(TALLY_LARGE_UP);
        }
        if (!ask->plan.is_early) {
            answer(ask);
        }
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct ask *ask = ask_of(session, frame->hd.stream_id);
    bool is_section = frame->hd.type == NGHTTP2_HEADERS;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool had_head;

    (void)owner;
    if (ask == NULL || (!is_section && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    had_head = ask->has_head;
    if (is_section && !had_head) {
        on_head(ask, ends);
    }
    if (ends && ask_of(session, frame->hd.stream_id) == ask) {
        on_whole(ask, is_section && had_head ? &ask->head : NULL);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t at, const uint8_t *data,
                   size_t length, void *owner)
{
    struct ask *ask = ask_of(session, at);
    const struct message *request;

    (void)flags, (void)owner;
    if (ask == NULL) {
        return 0;
    }
    request = &ask->plan.request;
    if (length > request->body_length - ask->received ||
        memcmp(request->body + ask->received, data, length) != 0) {
        wrong(ask, "a request with another body");
        return 0;
    }
    ask->received += (uint32_t)length;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t at, uint32_t code, void *owner)
{
    struct ask *ask = ask_of(session, at);

    (void)code, (void)owner;
    if (ask != NULL) {
        nghttp2_session_set_stream_user_data(session, at, NULL);
        forget(ask);
    }
    return 0;
}

/* The library refuses it by itself: no client sends such a thing here. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *owner)
{
    struct carrier *carrier = owner;

    (void)session;
    ledger_fault(NULL, 0, "origin %u got a frame of type %u that is not allowed: %s",
                 carrier->index, frame->hd.type, nghttp2_strerror(error));
    return 0;
}

static ssize_t on_padding(nghttp2_session *session, const nghttp2_frame *frame, size_t most,
                          void *owner)
{
    struct carrier *carrier = owner;

    (void)session;
    return padded(frame, most, &carrier->random);
}

/* --- the connection ------------------------------------------------------------------------------- */

/* What was asked on it may have been carried out, and nothing has been answered. */
static bool closes_now(struct carrier *carrier)
{
    bool often = origin_service(carrier->index) == SERVICE_AGAIN;

    if (carrier->answered || carrier->begun == 0 ||
        !random_chance(&carrier->random, often ? 500 : 50)) {
        return false;
    }
    ledger_count(TALLY_CLOSED_ON);
    end(carrier, random_chance(&carrier->random, 5000));
    return true;
}

static void take(struct carrier *carrier)
{
    struct pile *in = &carrier->wire->in;
    ssize_t taken =
        nghttp2_session_mem_recv(carrier->session, (const uint8_t *)pile_at(in), pile_length(in));

    if (taken < 0) {
        ledger_fault(pile_at(in), pile_length(in), "origin %u got what is no HTTP/2: %s",
                     carrier->index, nghttp2_strerror((int)taken));
        end(carrier, true);
    } else {
        pile_drop(in, (size_t)taken);
    }
}

static void go_on(struct carrier *carrier)
{
    take(carrier);
    if (carrier->wire == NULL || closes_now(carrier)) {
        return;
    }
    answer_what_is_due(carrier);
    pump_frames(carrier->session, carrier->wire, &carrier->random);
    if (carrier->wire->ended) {
        end(carrier, false);
    }
}

static void on_changed(struct wire *wire)
{
    struct carrier *carrier = wire->owner;

    if (carrier == NULL) {
        return;
    }
    go_on(carrier);
    if (carrier->wire == NULL) {
        struct carrier **at = &carriers;

        while (*at != carrier) {
            at = &(*at)->next;
        }
        *at = carrier->next;
        wire->owner = NULL;
        nghttp2_session_del(carrier->session);
        free(carrier);
    }
}

void origin_h2_begin(unsigned index, int fd, uint64_t random)
{
    static const uint32_t streams[] = {1, 3, 20, 100};
    struct carrier *carrier = calloc(1, sizeof(*carrier));
    bool is_secret = origin_service(index) == SERVICE_SECRET;
    int yes = 1;

    if (carrier == NULL || nghttp2_session_server_new(&carrier->session, callbacks, carrier) != 0) {
        abort();
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    carrier->next = carriers;
    carriers = carrier;
    carrier->index = index;
    carrier->random = random;
    carrier->wire = wire_new(fd, is_secret ? tls_context : NULL, true, on_changed, carrier);
    if (origin_service(index) != SERVICE_NARROW) { /* whose few streams all would wait for */
        wire_maybe_slow(carrier->wire, &carrier->random);
    }
    submit_random_settings(carrier->session, &carrier->random,
                           (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                                    streams[random_below(&carrier->random, 4)]});
    pump_frames(carrier->session, carrier->wire, &carrier->random);
}

static int choose_h2(SSL *tls, const unsigned char **chosen, unsigned char *length,
                     const unsigned char *offered, unsigned int offered_length, void *argument)
{
    (void)tls, (void)argument;
    return nghttp2_select_next_protocol((unsigned char **)(void *)chosen, length, offered,
                                        offered_length) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void origins_h2_begin(SSL_CTX *context)
{
    tls_context = context;
    SSL_CTX_set_alpn_select_cb(context, choose_h2, NULL);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_section);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_padding);
}

void origins_h2_report(void)
{
    for (const struct carrier *carrier = carriers; carrier != NULL; carrier = carrier->next) {
        fprintf(
            stderr,
            "    origin %u, %u streams begun%s, %zu bytes to write, %zu unread, windows %d %d\n",
            carrier->index, carrier->begun, carrier->leaves ? ", leaves" : "",
            pile_length(&carrier->wire->out), pile_length(&carrier->wire->in),
            nghttp2_session_get_remote_window_size(carrier->session),
            nghttp2_session_get_local_window_size(carrier->session));
        for (const struct ask *ask = carrier->asks; ask != NULL; ask = ask->next) {
            fprintf(stderr,
                    "        stream %d, request %x (%s): %u of %u received, %s, %u of %u sent, "
                    "window %d\n",
                    ask->at, ask->plan.id, ask->plan.method, ask->received,
                    ask->plan.request.body_length,
                    ask->due_ms != 0 ? "due"
                    : ask->answers   ? "answers"
                                     : "reads",
                    ask->sent, ask->plan.answer.body_length,
                    nghttp2_session_get_stream_remote_window_size(carrier->session, ask->at));
        }
    }
}
