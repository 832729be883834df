/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a chunked body. The first byte chooses how the rest is cut into pieces: however
 * it is cut, body, end and verdict are those of one piece. */
#include "base/check.h"
#include "http/h1/h1_chunked.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct reading {
    char *body;
    size_t body_length;
    size_t used; /* of the input */
    enum h1_chunked_step end;
};

/* One piece, out of an exact copy. */
static void read_piece(struct h1_chunked *chunked, const uint8_t *input, size_t length,
                       struct reading *reading)
{
    char *copy = malloc(length);
    struct bytes rest = {copy, length};
    struct bytes data = {NULL, 0};
    struct h1_problem problem = {0, NULL, NULL};

    memcpy(copy, input, length);
    while ((reading->end = h1_chunked_next(chunked, &rest, &data, &problem)) == H1_CHUNKED_DATA) {
        CHECK(data.length > 0 && data.at >= copy && data.at + data.length <= copy + length);
        memcpy(reading->body + reading->body_length, data.at, data.length);
        reading->body_length += data.length;
    }
    CHECK(rest.at + rest.length == copy + length);
    CHECK(reading->end != H1_CHUNKED_MORE || rest.length == 0);
    CHECK(reading->end != H1_CHUNKED_REJECTED || (problem.status == 400 && problem.what != NULL));
    CHECK(chunked->extension_bytes <= 4096 + 1 && chunked->line_bytes <= 256 + 1);
    reading->used += length - rest.length;
    free(copy);
}

/* Lengths of pieces by a small generator: `seed` 0 stands for one piece. */
static struct reading read_in_pieces(const uint8_t *input, size_t length, uint32_t seed)
{
    struct reading reading = {malloc(length + 1), 0, 0, H1_CHUNKED_MORE};
    struct h1_chunked chunked;
    size_t at = 0;

    h1_chunked_init(&chunked);
    while (at < length && reading.end == H1_CHUNKED_MORE) {
        size_t piece = length - at;

        if (seed != 0) {
            seed = seed * 1664525u + 1013904223u;
            piece = (seed >> 24) % 23;
            piece = piece < length - at ? piece : length - at;
        }
        read_piece(&chunked, input + at, piece, &reading);
        at += piece;
    }
    return reading;
}

static void check_same(const struct reading *a, const struct reading *b)
{
    CHECK(a->end == b->end);
    CHECK(a->body_length == b->body_length);
    CHECK(memcmp(a->body, b->body, a->body_length) == 0);
    CHECK(a->used == b->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct reading whole;
    struct reading pieces;

    if (length == 0) {
        return 0;
    }
    whole = read_in_pieces(input + 1, length - 1, 0);
    pieces = read_in_pieces(input + 1, length - 1, input[0] + 1u);
    check_same(&whole, &pieces);
    CHECK(whole.body_length <= length);
    free(whole.body);
    free(pieces.body);
    return 0;
}
