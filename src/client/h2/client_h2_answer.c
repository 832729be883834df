/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer on its way out of its stream. The exchange pushes bytes in, as far as the stream has
 * room; the session pulls frames out, as windows, urgency and turns allow. A head is handed over
 * with the next write only, so that an answer that breaks before can be taken back. */
#include "client/h2/client_h2_private.h"

#include "base/check.h"
#include "base/text.h"
#include "http/h2/h2_field.h"

#define STREAM_ROOM_BYTES (32 * 1024)
#define ANSWERS_SHARE 8               /* of limits.connection_buffer */
#define SMALL_BYTES STREAM_ROOM_BYTES /* an answer up to this leaves the origin at once */
#define DIRECT_WORTH_BYTES 2048
#define FIELDS_BESIDES 2 /* :status and content-length */

/* --- fields -------------------------------------------------------------------------------- */

static void fields_free(struct client_h2 *h2, struct client_h2_fields **fields)
{
    while (*fields != NULL) {
        struct client_h2_fields *next = (*fields)->next;

        piece_give(client_h2_pieces(h2), *fields);
        *fields = next;
    }
}

static struct bytes add_value(struct text *text, struct bytes value)
{
    const char *from = text->at;

    text_add_bytes(text, value);
    return text_since(text, from);
}

static struct client_h2_fields *fields_new(const struct client_h2 *h2, uint32_t count, size_t bytes,
                                           struct text *text)
{
    size_t rows = sizeof(struct client_h2_fields) + count * sizeof(struct http_field);
    struct client_h2_fields *fields = piece_take(client_h2_pieces(h2), rows + bytes);

    if (fields != NULL) {
        *fields = (struct client_h2_fields){0};
        *text = text_over((char *)fields + rows, bytes);
    }
    return fields;
}

static void add_all(struct client_h2_fields *fields, struct text *text,
                    const struct http_fields *from, bool except_upgrade)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct http_field *row = &fields->rows[fields->count];

        if (except_upgrade && client_h2_is_of_upgrade(from->rows[i].name)) {
            continue;
        }
        fields->count++;
        row->name = h2_add_name(text, from->rows[i].name);
        row->value = add_value(text, from->rows[i].value);
    }
}

static void add_number(struct client_h2_fields *fields, struct text *text, struct bytes name,
                       uint64_t number)
{
    struct http_field *row = &fields->rows[fields->count++];
    const char *from = text->at;

    row->name = name;
    text_add_number(text, number);
    row->value = text_since(text, from);
}

static struct client_h2_fields *fields_of_head(const struct client_h2 *h2,
                                               const struct answer_head *head)
{
    struct text text;
    struct client_h2_fields *fields =
        fields_new(h2, head->fields->count + FIELDS_BESIDES,
                   head->fields->bytes + (size_t)FIELDS_BESIDES * TEXT_NUMBER_MAX, &text);

    if (fields == NULL) {
        return NULL;
    }
    fields->is_interim = head->status < 200 && !head->upgrades;
    add_number(fields, &text, BYTES(":status"), head->upgrades ? 200 : head->status);
    add_all(fields, &text, head->fields, head->upgrades);
    if (head->status >= 200 && (head->framing == HTTP_LENGTH_KNOWN || head->reports_length)) {
        add_number(fields, &text, BYTES("content-length"), head->body_length);
    }
    CHECK(!text.overflowed);
    return fields;
}

static bool begin_answer(struct client_h2_stream *stream)
{
    struct client_h2_answer *answer = stream->answer;

    if (answer != NULL) {
        return true;
    }
    answer = piece_take(client_h2_pieces(stream->h2), sizeof(*answer));
    if (answer == NULL) {
        return false;
    }
    *answer = (struct client_h2_answer){.stream = stream};
    list_init(&answer->head);
    list_init(&answer->ending);
    list_init(&answer->waiting);
    stream->answer = answer;
    return true;
}

/* false: no memory. */
static bool queue_head(struct client_h2_stream *stream, struct client_h2_fields *fields)
{
    struct client_h2_fields **last;

    if (!begin_answer(stream)) {
        fields_free(stream->h2, &fields);
        return false;
    }
    last = &stream->answer->fields;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = fields;
    list_remove(&stream->answer->head);
    list_add_last(&stream->h2->heads, &stream->answer->head);
    client_h2_flush_later(stream->h2);
    return true;
}

void client_h2_send_interim(void *owner, const struct answer_head *head)
{
    struct client_h2_stream *stream = owner;
    struct client_h2_fields *fields;

    /* For a client that does not read they would pile up (RFC 9110 section 15.2). */
    if (head->status == 101 || (stream->h2->out.blocked && head->status != 100)) {
        return;
    }
    fields = fields_of_head(stream->h2, head);
    if (fields != NULL) {
        queue_head(stream, fields);
    }
}

bool client_h2_send_head(void *owner, const struct answer_head *head)
{
    struct client_h2_stream *stream = owner;
    struct client_h2_fields *fields = fields_of_head(stream->h2, head);
    bool is_empty = !head->upgrades &&
                    (head->framing == HTTP_NO_BODY || (head->framing == HTTP_LENGTH_KNOWN &&
                                                       head->body_length == 0 && !head->goes_on));

    if (fields == NULL) {
        return false;
    }
    stream->answer_has_body = !is_empty;
    stream->is_small = head->framing == HTTP_LENGTH_KNOWN && head->body_length <= SMALL_BYTES;
    fields->has_body = !is_empty;
    return queue_head(stream, fields);
}

/* What of it waits in the stream goes. */
static void drop_waiting(struct client_h2_stream *stream)
{
    struct client_h2_answer *answer = stream->answer;
    struct client_h2 *h2 = stream->h2;

    fields_free(h2, &answer->fields);
    fields_free(h2, &answer->trailers);
    h2->queued -= answer->out.length;
    buffer_queue_clear(client_h2_buffers(h2), &answer->out);
    list_remove(&answer->head);
}

void client_h2_answer_drop(struct client_h2_stream *stream)
{
    if (stream->answer != NULL) {
        drop_waiting(stream);
        list_remove(&stream->answer->ending);
        list_remove(&stream->answer->waiting);
    }
}

bool client_h2_take_back(void *owner)
{
    struct client_h2_stream *stream = owner;

    if (stream->head_handed || stream->closed) {
        return false;
    }
    if (stream->answer != NULL) {
        drop_waiting(stream);
    }
    stream->answer_ended = false;
    return true;
}

static bool hand_over(struct client_h2_stream *stream, const struct client_h2_fields *fields)
{
    struct h2_session *session = stream->h2->session;

    stream->answer->to_write++;
    if (fields->is_interim) {
        return h2_session_send_interim(session, stream->id, fields->rows, fields->count);
    }
    stream->head_handed = true;
    return h2_session_send_head(session, stream->id, fields->rows, fields->count, fields->has_body,
                                stream);
}

static void hand_heads_of(struct client_h2_answer *answer)
{
    struct client_h2_stream *stream = answer->stream;
    struct client_h2 *h2 = stream->h2;

    while (answer->fields != NULL) {
        struct client_h2_fields *fields = answer->fields;

        answer->fields = fields->next;
        fields->next = h2->handed;
        h2->handed = fields;
        if (!stream->closed && !hand_over(stream, fields)) {
            client_h2_stream_reset(stream, H2_INTERNAL_ERROR);
        }
    }
}

void client_h2_hand_heads(struct client_h2 *h2)
{
    struct link *link;

    while ((link = list_first(&h2->heads)) != NULL) {
        list_remove(link);
        hand_heads_of(CONTAINER_OF(link, struct client_h2_answer, head));
    }
}

void client_h2_free_handed(struct client_h2 *h2)
{
    fields_free(h2, &h2->handed);
}

/* --- the body ------------------------------------------------------------------------------ */

/* Of what the connection may hold, answers have a share that requests do not take from them: of all
 * answers together, in streams and for the transport. */
static size_t room_of_connection(const struct client_h2 *h2)
{
    size_t most = h2->connection->listener->budgets.h2_buffer;
    size_t waits = h2->queued + h2->out.queue.length;
    size_t share = most / ANSWERS_SHARE > waits ? most / ANSWERS_SHARE - waits : 0;
    size_t held;

    if (share >= STREAM_ROOM_BYTES) {
        return share;
    }
    held = client_h2_reckoned(h2);
    return most > held + share ? most - held : share;
}

/* A stream whose window is closed is a slow reader: its room is that of its window. */
static size_t room_of(const struct client_h2_stream *stream)
{
    const struct client_h2 *h2 = stream->h2;
    size_t queued = stream->answer->out.length;
    size_t most = STREAM_ROOM_BYTES;
    size_t room = queued < most ? most - queued : 0;
    size_t left = room_of_connection(h2);
    bool may_wait = stream->is_small || queued == 0;

    if (may_wait && left >= room) {
        return room;
    }
    if (!h2->out.blocked && !h2->paused && !stream->closed &&
        h2_session_window(h2->session, stream->id) > queued) {
        return room; /* it is written at once */
    }
    if (!may_wait) {
        return 0;
    }
    return left < room ? left : room;
}

size_t client_h2_room(void *owner)
{
    struct client_h2_stream *stream = owner;
    size_t room;

    if (!begin_answer(stream)) {
        return STREAM_ROOM_BYTES; /* its head will find no memory */
    }
    room = room_of(stream);
    if (room == 0 && list_is_empty(&stream->answer->waiting)) {
        list_add_last(&stream->h2->waiting, &stream->answer->waiting);
        client_h2_arm(stream->h2);
    }
    return room;
}

/* Without a copy in between, as far as windows and the transport allow. */
static size_t send_direct(struct client_h2_stream *stream, struct bytes bytes)
{
    struct client_h2 *h2 = stream->h2;
    size_t left;

    stream->answer->direct = bytes;
    h2_session_resume(h2->session, stream->id);
    client_h2_write(h2);
    left = stream->answer->direct.length;
    stream->answer->direct = (struct bytes){0};
    return bytes.length - left;
}

/* Before its head is handed over, the session knows nothing of its body. */
static void resume(struct client_h2_stream *stream)
{
    if (stream->head_handed) {
        h2_session_resume(stream->h2->session, stream->id);
    }
    client_h2_flush_later(stream->h2);
}

static size_t queue_body(struct client_h2_stream *stream, struct bytes bytes)
{
    struct client_h2 *h2 = stream->h2;
    size_t room = room_of(stream);

    if (bytes.length > room) {
        bytes.length = room;
    }
    if (bytes.length == 0 ||
        !buffer_queue_add(client_h2_buffers(h2), &stream->answer->out, bytes)) {
        return 0;
    }
    h2->queued += bytes.length;
    resume(stream);
    return bytes.length;
}

size_t client_h2_send_body(void *owner, struct bytes bytes, bool last)
{
    struct client_h2_stream *stream = owner;
    struct client_h2 *h2 = stream->h2;
    size_t taken = 0;

    (void)last; /* frames leave together at the end of the turn anyway */
    if (stream->closed || h2->out.broken) {
        return bytes.length;
    }
    if (bytes.length >= DIRECT_WORTH_BYTES && stream->answer->out.length == 0 && !h2->inside &&
        !h2->out.blocked) {
        taken = send_direct(stream, bytes);
    }
    if (taken < bytes.length && !stream->closed) {
        taken += queue_body(stream, bytes_skip(bytes, taken));
    }
    if (taken < bytes.length && list_is_empty(&stream->answer->waiting)) {
        list_add_last(&h2->waiting, &stream->answer->waiting);
    }
    return taken;
}

bool client_h2_send_end(void *owner, const struct http_fields *trailers)
{
    struct client_h2_stream *stream = owner;
    struct client_h2 *h2 = stream->h2;

    if (stream->closed || stream->written) {
        return true;
    }
    if (trailers != NULL && trailers->count > 0 && stream->answer_has_body) {
        struct text text;

        stream->answer->trailers = fields_new(h2, trailers->count, trailers->bytes, &text);
        if (stream->answer->trailers == NULL) {
            client_h2_stream_reset(stream, H2_INTERNAL_ERROR);
            return true;
        }
        add_all(stream->answer->trailers, &text, trailers, false);
    }
    stream->answer_ended = true;
    resume(stream);
    return false;
}

/* --- out of the stream --------------------------------------------------------------------- */

enum h2_pull client_h2_on_pull(void *owner, void *of, size_t most, size_t *length)
{
    struct client_h2 *h2 = owner;
    struct client_h2_stream *stream = of;
    const struct client_h2_answer *answer = stream->answer;
    size_t there = answer->out.length + answer->direct.length;

    if (h2->out.queue.length + H2_DATA_FRAME_MOST > TRANSPORT_WRITE_LEAST) {
        h2->paused = true;
        return H2_PULL_PAUSE;
    }
    *length = there < most ? there : most;
    if (*length < there || !stream->answer_ended) {
        return *length > 0 ? H2_PULL_SOME : H2_PULL_WAIT;
    }
    if (answer->trailers == NULL) {
        return H2_PULL_LAST;
    }
    return h2_session_send_trailers(h2->session, stream->id, answer->trailers->rows,
                                    answer->trailers->count)
               ? H2_PULL_TRAILED
               : H2_PULL_LAST;
}

/* Where its last byte stands is known once the frame is in `out` (client_h2_write). */
static void note_end(struct client_h2_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    stream->end_written = true;
    stream->answer->ends_at = 0;
    list_remove(&stream->answer->ending);
    list_add_last(&h2->ending, &stream->answer->ending);
}

static void count_out(struct client_h2_stream *stream, size_t bytes)
{
    if (stream->exchange != NULL) {
        exchange_count_out(stream->exchange, bytes);
    }
}

static bool write_queued(struct client_h2_answer *answer, size_t *length)
{
    struct client_h2 *h2 = answer->stream->h2;
    struct buffer_pool *buffers = client_h2_buffers(h2);

    while (*length > 0 && answer->out.length > 0) {
        struct bytes piece = buffer_content(answer->out.first);

        piece.length = piece.length < *length ? piece.length : *length;
        if (!outbox_add(&h2->out, buffers, piece)) {
            return false;
        }
        buffer_queue_drop(buffers, &answer->out, piece.length);
        h2->queued -= piece.length;
        *length -= piece.length;
    }
    return true;
}

bool client_h2_on_write_data(void *owner, void *of, struct bytes head, size_t length)
{
    struct client_h2 *h2 = owner;
    struct client_h2_stream *stream = of;
    struct client_h2_answer *answer = stream->answer;
    struct buffer_pool *buffers = client_h2_buffers(h2);
    size_t left = length;

    if (!outbox_add(&h2->out, buffers, head) || !write_queued(answer, &left) ||
        !outbox_add(&h2->out, buffers, bytes_first(answer->direct, left))) {
        return false;
    }
    if (left > 0) {
        answer->direct = bytes_skip(answer->direct, left);
    }
    answer->sent += length;
    count_out(stream, head.length + length);
    client_h2_earn_by_data(h2);
    if (stream->answer_ended && answer->trailers == NULL && answer->out.length == 0 &&
        answer->direct.length == 0) {
        note_end(stream);
    }
    return true;
}

/* Of an answer without a body this is all, and behind a body come trailers only. */
void client_h2_on_wrote_section(void *owner, void *of, size_t length)
{
    struct client_h2_stream *stream = of;

    (void)owner;
    if (stream == NULL) {
        return;
    }
    count_out(stream, length);
    if (stream->answer->to_write > 0) {
        stream->answer->to_write--;
        if (stream->answer->to_write > 0 || !stream->head_handed || stream->answer_has_body) {
            return;
        }
    }
    note_end(stream);
}
