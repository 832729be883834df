/* SPDX-License-Identifier: BSD-2-Clause */
/* The body of a request to an origin that speaks HTTP/1.1: written as it comes, or with what waits before
 * it; and whether the origin still takes of it when its clock has run out. Called by origin_h1.c and
 * through its table. */
#include "origin/origin_private.h"

#include "http/h1/h1_writer.h"

#define COALESCE_BYTES 2048

/* A copy of it leaves with what waits before it. false: it is not worth that, or there is no memory. */
static bool coalesce(struct origin_connection *connection, struct bytes bytes)
{
    size_t room = 0;
    char *at = NULL;

    if (connection->state != ORIGIN_CONNECTION_TUNNELS && bytes.length <= COALESCE_BYTES &&
        !outbox_is_empty(&connection->out)) {
        at = outbox_room(&connection->out, origin_connection_buffers(connection), bytes.length,
                         &room);
    }
    if (at != NULL) {
        memcpy(at, bytes.at, bytes.length);
        outbox_filled(&connection->out, bytes.length);
    }
    return at != NULL;
}

static size_t send_plain(struct origin_connection *connection, const struct bytes *pieces,
                         int count)
{
    struct iovec vectors[OUTBOX_PIECES];

    if (count == 1 && coalesce(connection, pieces[0])) {
        return pieces[0].length;
    }
    for (int i = 0; i < count; i++) {
        vectors[i] = (struct iovec){(void *)pieces[i].at, pieces[i].length};
    }
    return outbox_send(&connection->out, origin_connection_buffers(connection),
                       &connection->transport, vectors, count);
}

static size_t send_chunk(struct origin_connection *connection, struct bytes bytes)
{
    char line[H1_CHUNK_HEAD_MAX];
    struct text text = text_over(line, sizeof(line));

    if (connection->out.frame_left == 0) {
        h1_write_chunk_head(&text, bytes.length);
    }
    return outbox_send_frame(&connection->out, origin_connection_buffers(connection),
                             &connection->transport, (struct bytes){line, text_length(&text)},
                             bytes, BYTES(H1_CRLF));
}

static size_t send_chunks(struct origin_connection *connection, const struct bytes *pieces,
                          int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        size_t taken = 0;

        while (taken < pieces[i].length && !connection->out.blocked) {
            taken += send_chunk(connection, bytes_skip(pieces[i], taken));
        }
        total += taken;
    }
    return total;
}

size_t origin_h1_send_body(struct origin_connection *connection, const struct bytes *pieces,
                           int count)
{
    struct origin_request *request = connection->request;
    size_t taken;

    if (connection->out.blocked || pieces[0].length == 0) {
        return 0;
    }
    if (connection->request_framing == HTTP_CHUNKED &&
        connection->state != ORIGIN_CONNECTION_TUNNELS) {
        taken = send_chunks(connection, pieces, count);
    } else {
        taken = send_plain(connection, pieces, count);
    }
    origin_h1_note_written(connection);
    if (connection->request != NULL && connection->out.blocked) {
        reserve_client_came(connection);
        origin_connection_want(connection);
        origin_h1_mind_the_request(connection);
    }
    if (connection->state == ORIGIN_CONNECTION_TUNNELS) {
        origin_connection_set_clock(connection, request->timeouts->tunnel_idle);
    }
    return taken;
}

static bool add_trailers(struct origin_connection *connection, const struct http_fields *trailers)
{
    char memory[H1_LAST_CHUNK_MAX];

    return outbox_add(&connection->out, origin_connection_buffers(connection),
                      h1_write_last_chunk(memory, trailers));
}

bool origin_h1_add_last_chunk(struct origin_connection *connection,
                              const struct http_fields *trailers)
{
    return trailers == NULL ? outbox_add(&connection->out, origin_connection_buffers(connection),
                                         BYTES(H1_LAST_CHUNK))
                            : add_trailers(connection, trailers);
}

/* --- its clock ----------------------------------------------------------------------------- */

/* The kernel calls a socket writable once a good part of what it holds was taken; what it still holds
 * tells of less. true: less is left than when this was last asked. */
static bool takes(struct origin_connection *connection)
{
    size_t before = connection->left_checked;

    connection->left_checked = transport_unacknowledged(&connection->transport);
    return connection->out.blocked && connection->left_checked < before;
}

static bool still_takes(struct origin_connection *connection)
{
    if (!takes(connection)) {
        return false;
    }
    origin_connection_set_clock(connection, connection->request->timeouts->send_idle);
    return true;
}

/* An answer may begin before its request is whole, and then wait for that. While the origin takes
 * more of it, or the client is slow to bring more and has the clock, the origin has not stopped; nor
 * has it if the last of the request went out only since the clock was set. */
static bool still_sends(struct origin_connection *connection)
{
    bool awaits_client = !connection->request_whole && !connection->out.blocked;
    bool moved = takes(connection) || connection->out.written != connection->written_checked;

    connection->written_checked = connection->out.written;
    if (!moved && !awaits_client) {
        return false;
    }
    origin_connection_set_clock(connection, connection->request->timeouts->response_idle);
    return true;
}

bool origin_h1_goes_on(struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_AWAITS_HEAD
               ? origin_connection_need_not_hurry(connection) || still_takes(connection)
               : still_sends(connection);
}
