/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 to a client: how an exchange's answer is written (exchange/client_stream.h). Small pieces are
 * collected and leave in one system call. */
#include "client/client_private.h"

#include "base/check.h"
#include "http/h1/h1_writer.h"
#include "http/h2/h2_refusal.h"

#define COALESCE_BYTES 2048
#define ABSORB_BYTES 32768 /* an answer up to this waits in the outbox, not at the origin */
#define CHUNK_WORTH_BYTES 2048
/* Usually more than the kernels of both sides buffer for a client that has stopped reading: a
 * client that took this much without a pause is reading (`flows`). */
#define FLOWS_BYTES (256 * 1024)
/* The kernel takes this much of an answer without being asked for free space, after the socket has
 * sent the answers before it; and this much for the head. */
#define UNASKED_BYTES (64 * 1024)
#define HEAD_BYTES 2048

static const struct bytes chunk_end = {H1_CRLF, sizeof(H1_CRLF) - 1};
static const struct bytes chunk_end_and_last = {H1_CRLF H1_LAST_CHUNK,
                                                sizeof(H1_CRLF H1_LAST_CHUNK) - 1};

static void flush_now(void *owner);

static void flush_later(struct client_h1 *h1)
{
    loop_later(client_context_of(h1->connection)->worker_context->loop, &h1->flush, flush_now, h1);
}

/* No memory for a part of the answer: the connection is reset. */
static void break_off(struct client_h1 *h1)
{
    outbox_break(&h1->out, client_h1_buffers(h1), &h1->connection->transport);
    flush_later(h1);
}

static void note_flow(struct client_h1 *h1)
{
    if (h1->out.blocked) {
        h1->was_waited_for = true;
        h1->blocked_at = h1->out.written;
        h1->connection->flows = false;
    } else if (h1->out.written - h1->blocked_at >= FLOWS_BYTES) {
        h1->connection->flows = true;
    }
}

static void note_written(struct client_h1 *h1)
{
    uint64_t wrote = h1->out.written - h1->counted_out;

    h1->counted_out = h1->out.written;
    note_flow(h1);
    if (h1->exchange != NULL) {
        exchange_count_out(h1->exchange, wrote);
        if (h1->out.blocked) {
            client_h1_awaits_client(h1, wrote > 0);
        }
    }
    if (h1->out.broken) {
        flush_later(h1); /* not from here: the exchange is still writing */
    }
    client_h1_want(h1);
}

static void write_out(struct client_h1 *h1)
{
    if (!h1->out.blocked) {
        outbox_flush(&h1->out, client_h1_buffers(h1), &h1->connection->transport);
    }
    note_written(h1);
}

/* A client that a write finds gone may look like one that half-closed to a read after that:
 * the error is told once only. Its answer, which may be long, would be fetched for no client. */
static void flush_now(void *owner)
{
    struct client_h1 *h1 = owner;

    write_out(h1);
    if (h1->out.broken && h1->exchange != NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
    } else if (h1->answer_ended && !h1->out.blocked && h1->exchange != NULL) {
        exchange_answer_written(h1->exchange);
    }
}

/* The transport can take more. */
void client_h1_flush(struct client_h1 *h1)
{
    struct exchange *exchange = h1->exchange;

    if (exchange == NULL) {
        return;
    }
    outbox_ready(&h1->out, client_h1_buffers(h1), &h1->connection->transport);
    note_written(h1);
    if (h1->out.blocked || h1->out.broken) {
        return;
    }
    client_h1_client_took(h1);
    if (h1->answer_ended) {
        exchange_answer_written(exchange);
    } else {
        exchange_client_writable(exchange);
    }
}

static size_t size_of_head(const struct answer_head *head)
{
    return 192 + head->reason.length + head->fields->bytes;
}

static void write_framing(struct client_h1 *h1, struct text *text, const struct answer_head *head)
{
    h1->answer_chunked = false;
    h1->last_chunk_sent = false;
    if (head->framing == HTTP_LENGTH_KNOWN || head->reports_length) {
        h1_write_content_length(text, head->body_length);
    } else if (head->framing == HTTP_CHUNKED || head->framing == HTTP_UNTIL_CLOSE) {
        /* An answer that ends with the origin's connection is chunked here, so that the client sees
         * whether it is whole. */
        if (h1->version == HTTP_1_0) {
            h1->closes = true;
        } else {
            h1->answer_chunked = true;
            text_add_literal(text, "Transfer-Encoding: chunked\r\n");
        }
    }
}

static void write_connection(struct client_h1 *h1, struct text *text,
                             const struct answer_head *head)
{
    if (head->upgrades) {
        text_add_literal(text, "Connection: Upgrade\r\n");
    } else if (h1->closes) {
        text_add_literal(text, "Connection: close\r\n");
    } else if (h1->version == HTTP_1_0) {
        text_add_literal(text, "Connection: keep-alive\r\n");
    }
}

static bool write_head(struct client_h1 *h1, const struct answer_head *head)
{
    size_t size = size_of_head(head);
    size_t room = 0;
    char *at = NULL;
    struct text text;

    if (size <= BUFFER_LARGE_BYTES - sizeof(struct buffer)) {
        at = outbox_room(&h1->out, client_h1_buffers(h1), size, &room);
    }
    if (at == NULL) {
        return false;
    }
    text = text_over(at, room);
    h1_write_status_line(&text, head->status, head->reason);
    h1_write_fields(&text, head->fields);
    if (head->status >= 200) {
        write_framing(h1, &text, head);
    }
    if (head->status >= 200 || head->upgrades) {
        write_connection(h1, &text, head);
    }
    h1_write_end(&text);
    CHECK(!text.overflowed);
    outbox_filled(&h1->out, text_length(&text));
    return true;
}

void client_h1_send_interim(void *stream, const struct answer_head *head)
{
    struct client_h1 *h1 = stream;

    /* Interim answers would pile up for a client that does not read; 100 comes only once. */
    bool has_room = !h1->out.blocked || head->status == 100;

    if (h1->version == HTTP_1_0 || !has_room || !write_head(h1, head)) {
        return; /* an interim answer may be left out (RFC 9110 section 15.2) */
    }
    write_out(h1);
    if (head->status == 100 && h1->state == CLIENT_H1_READS_BODY) {
        client_h1_awaits_body(h1); /* it was waiting for this */
    }
}

static bool must_close(const struct client_h1 *h1)
{
    bool body_is_coming = h1->state == CLIENT_H1_READS_BODY &&
                          !(h1->body.framing == HTTP_LENGTH_KNOWN && h1->in != NULL &&
                            h1->body.left <= buffer_length(h1->in));

    bool was_last = h1->read_closed && (h1->in == NULL || buffer_length(h1->in) == 0);

    return h1->closes || body_is_coming || was_last ||
           client_context_of(h1->connection)->stopping ||
           client_context_of(h1->connection)->crowded ||
           (h1->connection->listener->leaves && client_leaves_now(h1->connection));
}

static bool is_retired(const struct client_h1 *h1)
{
    enum cut_cause cause = client_retired_by(h1->connection);

    if (cause != CUT_NONE) {
        metrics_note_cut(client_context_of(h1->connection)->metrics, cause);
    }
    return cause != CUT_NONE;
}

bool client_h1_send_head(void *stream, const struct answer_head *head)
{
    struct client_h1 *h1 = stream;

    h1->closes = must_close(h1) || is_retired(h1);
    h1->answer_from = outbox_is_empty(&h1->out) ? h1->out.written : UINT64_MAX;
    h1->answer_is_small =
        head->framing != HTTP_LENGTH_KNOWN ? false : head->body_length <= ABSORB_BYTES;
    h1->absorbs = head->framing == HTTP_LENGTH_KNOWN && !h1->answer_is_small ? 0 : ABSORB_BYTES;
    return write_head(h1, head);
}

bool client_h1_send_h2_refusal(void *stream, const struct answer_head *head)
{
    struct client_h1 *h1 = stream;

    (void)head;
    exchange_note_no_status(h1->exchange);
    metrics_note(client_context_of(h1->connection)->metrics, METRICS_HTTP2_NOT_OFFERED);
    h1->closes = true;
    h1->answer_chunked = false;
    h1->answer_is_small = true;
    h1->answer_from = UINT64_MAX;
    return outbox_add(&h1->out, client_h1_buffers(h1), h2_refusal());
}

size_t client_h1_send_nothing(void *stream, struct bytes bytes, bool last)
{
    (void)stream;
    (void)last;
    return bytes.length;
}

/* Bytes of the answer that may still wait in the outbox. A small answer always may, so that the
 * buffer of its origin's connection is free. A large one may as far as the client's memory budget
 * allows now, or allowed when the origin's connection last asked (`promised`): it has read that
 * much since, and its buffer goes back once all of it is taken. */
static size_t absorb_room(const struct client_h1 *h1)
{
    size_t queued = h1->out.queue.length;
    size_t room = h1->absorbs > queued ? h1->absorbs - queued : 0;

    if (room > 0 && !h1->answer_is_small) {
        size_t held = client_held(h1->connection);
        size_t most = h1->connection->listener->budgets.h1_buffer;
        size_t left = most > held + BUFFER_SMALL_BYTES ? most - held - BUFFER_SMALL_BYTES : 0;

        left = h1->promised > queued && h1->promised - queued > left ? h1->promised - queued : left;
        room = left < room ? left : room;
    }
    return room;
}

static size_t promise_room(struct client_h1 *h1)
{
    size_t room = absorb_room(h1);

    h1->promised = (uint32_t)(h1->out.queue.length + room);
    return room;
}

static size_t absorb(struct client_h1 *h1, struct bytes bytes)
{
    size_t room = absorb_room(h1);

    if (bytes.length > room) {
        bytes.length = room;
    }
    return bytes.length > 0 && outbox_add(&h1->out, client_h1_buffers(h1), bytes) ? bytes.length
                                                                                  : 0;
}

static size_t send_plain(struct client_h1 *h1, struct bytes bytes)
{
    const struct iovec piece = {(void *)bytes.at, bytes.length};
    size_t taken;

    if (h1->out.blocked) {
        return absorb(h1, bytes);
    }
    if (bytes.length <= COALESCE_BYTES && h1->state != CLIENT_H1_TUNNELS &&
        outbox_add(&h1->out, client_h1_buffers(h1), bytes)) {
        return bytes.length;
    }
    taken = outbox_send(&h1->out, client_h1_buffers(h1), &h1->connection->transport, &piece, 1);
    if (taken < bytes.length) {
        taken += absorb(h1, bytes_skip(bytes, taken));
    }
    note_written(h1);
    return taken;
}

/* Bytes of a chunk that may be sent now, or wait in the outbox; 0: none. */
static size_t chunk_size(const struct client_h1 *h1, size_t offered)
{
    size_t room = h1->out.blocked ? absorb_room(h1) : offered;

    if (room >= offered) {
        return offered;
    }
    return h1->out.frame_left > 0 || room >= CHUNK_WORTH_BYTES ? room : 0;
}

/* Adds a small chunk to the outbox, to be written with what follows. */
static size_t coalesce_chunk(struct client_h1 *h1, struct bytes head, struct bytes data)
{
    if (!outbox_add(&h1->out, client_h1_buffers(h1), head) ||
        !outbox_add(&h1->out, client_h1_buffers(h1), data) ||
        !outbox_add(&h1->out, client_h1_buffers(h1), chunk_end)) {
        break_off(h1);
    }
    return data.length;
}

static size_t send_chunk(struct client_h1 *h1, struct bytes bytes, bool last)
{
    char line[H1_CHUNK_HEAD_MAX];
    struct text text = text_over(line, sizeof(line));
    struct bytes data = bytes_first(bytes, chunk_size(h1, bytes.length));
    bool begins = h1->out.frame_left == 0;
    bool ends =
        last && data.length == bytes.length && (begins || data.length == h1->out.frame_left);
    struct bytes head;
    size_t taken;

    if (data.length == 0) {
        return 0;
    }
    if (begins) {
        h1_write_chunk_head(&text, data.length);
    }
    head = (struct bytes){line, text_length(&text)};
    if (begins && !h1->out.blocked && data.length <= COALESCE_BYTES) {
        return coalesce_chunk(h1, head, data);
    }
    taken = outbox_send_frame(&h1->out, client_h1_buffers(h1), &h1->connection->transport, head,
                              data, ends ? chunk_end_and_last : chunk_end);
    h1->last_chunk_sent = ends && taken == data.length;
    note_written(h1);
    return taken;
}

size_t client_h1_send_body(void *stream, struct bytes bytes, bool last)
{
    struct client_h1 *h1 = stream;
    size_t taken = 0;

    while (h1->answer_chunked && taken < bytes.length) {
        size_t count = send_chunk(h1, bytes_skip(bytes, taken), last);

        taken += count;
        if (count == 0) {
            return taken;
        }
    }
    return h1->answer_chunked ? taken : send_plain(h1, bytes);
}

/* Asking the kernel for free space costs a twentieth of a read and a write. With TLS it is asked
 * for every long answer, because encrypted bytes that do not fit would wait in memory beside the
 * plain ones. */
static bool surely_takes_much(const struct client_h1 *h1)
{
    return h1->connection->flows && h1->connection->transport.ops->plain;
}

/* Bytes that the socket takes without being asked for free space: a client that has just sent a
 * request has taken all answers before it. 0 once its socket was full since. */
static size_t room_unasked(const struct client_h1 *h1)
{
    size_t most = h1->connection->listener->budgets.h1_buffer;
    uint64_t sent = h1->out.written + h1->out.queue.length;

    most = (most < UNASKED_BYTES ? most : UNASKED_BYTES) + HEAD_BYTES;
    return h1->was_waited_for || sent >= most ? 0 : most - (size_t)sent;
}

/* How much of an answer to read from its origin now. The kernel's buffer for a slow client is
 * bounded (client_listeners.c), so more of a long answer would only wait in memory here. */
size_t client_h1_room(void *stream)
{
    struct client_h1 *h1 = stream;
    size_t queued = h1->out.queue.length;
    size_t room;

    h1->promised = 0;
    if (h1->answer_is_small || surely_takes_much(h1)) {
        return SIZE_MAX; /* a small one is absorbed */
    }
    if (h1->out.blocked) {
        return promise_room(h1);
    }
    room = room_unasked(h1);
    if (room > 0) {
        return room;
    }
    room = transport_room(&h1->connection->transport, h1->connection->listener->budgets.h1_buffer);
    if (room > queued) {
        return room - queued;
    }
    h1->out.blocked = true;
    note_written(h1);
    return promise_room(h1);
}

void client_h1_send_soon(void *stream)
{
    struct client_h1 *h1 = stream;

    if (!outbox_is_empty(&h1->out)) {
        flush_later(h1);
    }
}

static bool add_trailers(struct client_h1 *h1, const struct http_fields *trailers)
{
    char memory[H1_LAST_CHUNK_MAX];

    return outbox_add(&h1->out, client_h1_buffers(h1), h1_write_last_chunk(memory, trailers));
}

static void add_last_chunk(struct client_h1 *h1, const struct http_fields *trailers)
{
    bool added = trailers == NULL
                     ? outbox_add(&h1->out, client_h1_buffers(h1), BYTES(H1_LAST_CHUNK))
                     : add_trailers(h1, trailers);

    if (!added) {
        break_off(h1);
    }
}

bool client_h1_send_end(void *stream, const struct http_fields *trailers)
{
    struct client_h1 *h1 = stream;

    if (h1->answer_chunked && !h1->last_chunk_sent) {
        add_last_chunk(h1, trailers);
    }
    h1->answer_ended = true;
    h1->out.ends = h1->closes && h1->state != CLIENT_H1_TUNNELS;
    if (outbox_is_empty(&h1->out) && !h1->out.broken) {
        note_written(h1);
        return true;
    }
    if (!h1->out.blocked) {
        flush_later(h1);
    }
    return false;
}

bool client_h1_take_back(void *stream)
{
    struct client_h1 *h1 = stream;

    if (h1->out.written != h1->answer_from || h1->out.broken) {
        return false;
    }
    outbox_clear(&h1->out, client_h1_buffers(h1));
    return true;
}

/* The connection becomes a tunnel: the queued bytes belong to the answer, raw bytes follow. */
void client_h1_answer_switches(struct client_h1 *h1)
{
    h1->absorbs = 0;
    h1->answer_chunked = false;
    write_out(h1);
}
