/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts the bytes of a connection into frames, each with its head whole. Called by h2_receiving.c alone. */
#include "http/h2/h2_frames.h"

#include <string.h>

#define PRIORITY_BYTES 5 /* the payload of a PRIORITY frame; its first four bytes are a stream */
#define FLAG_END_STREAM 0x1
#define FLAG_ACK 0x1

static struct h2_frame frame_of(const uint8_t head[H2_FRAME_HEAD_BYTES])
{
    uint8_t type = head[3];
    uint8_t flags = head[4];

    return (struct h2_frame){
        .type = type,
        .ends =
            (type == H2_FRAME_DATA || type == H2_FRAME_HEADERS) && (flags & FLAG_END_STREAM) != 0,
        .ack = (type == H2_FRAME_SETTINGS || type == H2_FRAME_PING) && (flags & FLAG_ACK) != 0,
        .stream = (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
                            (uint32_t)head[7] << 8 | head[8]),
        .length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2],
    };
}

static void begin_frame(struct h2_frame_reader *reader, struct h2_piece *piece, const uint8_t *head)
{
    const struct h2_frame frame = frame_of(head);

    piece->begins = true;
    piece->frame = frame;
    reader->left = frame.length;
    reader->prioritized =
        frame.type == H2_FRAME_PRIORITY && frame.length == PRIORITY_BYTES ? frame.stream : 0;
}

/* No dependency is followed (RFC 9113 section 5.3.2), and the library reads none. A stream that
 * depends on itself is an error all the same, and a sign of a client that is confused. */
static bool depends_on_itself(struct h2_frame_reader *reader, struct bytes payload)
{
    for (size_t at = PRIORITY_BYTES - reader->left; payload.length > 0;
         at++, payload = bytes_skip(payload, 1)) {
        reader->depends = reader->depends << 8 | (uint8_t)payload.at[0];
        if (at == 3 && (reader->depends & INT32_MAX) == (uint32_t)reader->prioritized) {
            return true;
        }
    }
    return false;
}

/* The bytes of a head that has come in several reads. */
static struct h2_piece gather_head(struct h2_frame_reader *reader, struct bytes *bytes)
{
    struct h2_piece piece = {.begins = false};
    size_t count = H2_FRAME_HEAD_BYTES - reader->head_length;

    count = count < bytes->length ? count : bytes->length;
    memcpy(reader->head + reader->head_length, bytes->at, count);
    reader->head_length += (uint8_t)count;
    *bytes = bytes_skip(*bytes, count);
    if (reader->head_length == H2_FRAME_HEAD_BYTES) {
        reader->head_length = 0;
        begin_frame(reader, &piece, reader->head);
        piece.bytes = (struct bytes){(const char *)reader->head, H2_FRAME_HEAD_BYTES};
    }
    return piece;
}

struct h2_piece h2_frame_reader_next(struct h2_frame_reader *reader, struct bytes *bytes)
{
    struct h2_piece piece = {.begins = false};
    size_t head = 0;
    size_t payload;

    if (reader->left == 0) {
        if (reader->head_length > 0 || bytes->length < H2_FRAME_HEAD_BYTES) {
            return gather_head(reader, bytes);
        }
        begin_frame(reader, &piece, (const uint8_t *)bytes->at);
        head = H2_FRAME_HEAD_BYTES;
    }
    payload = bytes->length - head < reader->left ? bytes->length - head : reader->left;
    if (reader->prioritized != 0) {
        piece.depends_on_itself =
            depends_on_itself(reader, bytes_first(bytes_skip(*bytes, head), payload));
    }
    reader->left -= payload;
    piece.bytes = bytes_first(*bytes, head + payload);
    *bytes = bytes_skip(*bytes, head + payload);
    return piece;
}
