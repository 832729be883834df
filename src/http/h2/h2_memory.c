/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_memory.h"

#include "base/check.h"
#include "base/memory/pieces.h"
#include "base/memory/slab.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* More memory than this is not had for one session: two tables of 4 KiB, the frames under way and
 * what the other side makes it queue. */
#define HELD_MOST (1024 * 1024)
/* What the library begins with, its session, two rings and the table of streams, is 9,072 bytes; of
 * that, smaller pieces are not worth a place in the pages. */
#define PAGES_BYTES 12288
#define PAGES_WORDS (PAGES_BYTES / sizeof(uint64_t))
#define PAGES_LEAST 1024
#define FRAME_LEAST (16 * 1024)

struct h2_memory_pool {
    struct slab_pool *pages;
    struct piece_pool *pieces;
    size_t frame_bytes;
    void *frame; /* lent to all sessions; stands in use only while one of them writes */
};

/* What pages hold but for zeros: a bit for each word that is not zero, and these words. */
struct h2_memory_packed {
    uint64_t map[PAGES_WORDS / 64];
    uint64_t words[];
};

/* --- of a worker --------------------------------------------------------------------------- */

struct h2_memory_pool *h2_memory_pool_new(struct piece_pool *pieces)
{
    struct h2_memory_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    pool->pieces = pieces;
    pool->pages = slab_pool_new(PAGES_BYTES);
    if (pool->pages == NULL) {
        free(pool);
        return NULL;
    }
    slab_pool_keep_from_cores(pool->pages);
    return pool;
}

void h2_memory_pool_account(struct h2_memory_pool *pool, struct slab_account *account)
{
    slab_pool_account(pool->pages, account);
}

void h2_memory_pool_trim(struct h2_memory_pool *pool)
{
    slab_pool_trim(pool->pages);
}

void h2_memory_pool_free(struct h2_memory_pool **pool)
{
    if (*pool != NULL) {
        slab_pool_free(&(*pool)->pages);
        free((*pool)->frame);
        free(*pool);
        *pool = NULL;
    }
}

/* --- what the library begins with ------------------------------------------------------------ */

static bool is_frame(const struct h2_memory *memory, const void *piece)
{
    return memory->has_frame && piece == memory->pool->frame;
}

static bool is_in_pages(const struct h2_memory *memory, const void *piece)
{
    return memory->pages != NULL && (const char *)piece >= memory->pages &&
           (const char *)piece < memory->pages + PAGES_BYTES;
}

/* NULL: it is to be had as others are. */
static void *take_frame(struct h2_memory *memory, size_t size)
{
    struct h2_memory_pool *pool = memory->pool;

    if (pool->frame == NULL) {
        pool->frame = malloc(size);
        pool->frame_bytes = size;
    }
    if (pool->frame == NULL || pool->frame_bytes < size || memory->has_frame) {
        return NULL;
    }
    memory->has_frame = true;
    return pool->frame;
}

static void *take_from_pages(struct h2_memory *memory, size_t size)
{
    size_t whole = (size + 15) / 16 * 16;
    void *piece;

    if (memory->pages == NULL) {
        memory->pages = slab_take(memory->pool->pages);
        memory->held += memory->pages != NULL ? PAGES_BYTES : 0;
    }
    if (memory->pages == NULL || memory->used + whole > PAGES_BYTES) {
        return NULL;
    }
    piece = memory->pages + memory->used;
    memory->used += (uint32_t)whole;
    return piece;
}

static void *take_at_begin(struct h2_memory *memory, size_t size)
{
    if (memory->pool == NULL || !memory->begins || size < PAGES_LEAST) {
        return NULL;
    }
    return size >= FRAME_LEAST ? take_frame(memory, size) : take_from_pages(memory, size);
}

/* --- counted --------------------------------------------------------------------------------- */

static struct piece_pool *pieces_of(const struct h2_memory *memory)
{
    return memory->pool != NULL ? memory->pool->pieces : NULL;
}

static bool may_hold(const struct h2_memory *memory, size_t before, size_t size)
{
    return size <= HELD_MOST && memory->held - before + size <= HELD_MOST;
}

static void *take_counted(size_t size, struct h2_memory *memory)
{
    void *piece = may_hold(memory, 0, size) ? piece_take(pieces_of(memory), size) : NULL;

    memory->held += piece_held(piece);
    return piece;
}

static void *take_counted_anew(void *held, size_t size, struct h2_memory *memory)
{
    size_t before = piece_held(held);
    void *piece =
        may_hold(memory, before, size) ? piece_resize(pieces_of(memory), held, size) : NULL;

    if (piece != NULL) {
        memory->held += piece_held(piece) - before;
    }
    return piece;
}

static void *take(size_t size, void *owner)
{
    void *piece = take_at_begin(owner, size);

    return piece != NULL ? piece : take_counted(size, owner);
}

static void *take_zeros(size_t number, size_t size, void *owner)
{
    size_t bytes;
    void *piece = __builtin_mul_overflow(number, size, &bytes) ? NULL : take(bytes, owner);

    return piece != NULL ? memset(piece, 0, bytes) : NULL;
}

/* Where it lay no length is known: what is behind it there is ours, too. */
static void *move_out(const void *held, size_t size, struct h2_memory *memory)
{
    size_t room = is_frame(memory, held)
                      ? memory->pool->frame_bytes
                      : (size_t)(memory->pages + PAGES_BYTES - (const char *)held);
    void *moved = take_counted(size, memory);

    return moved != NULL ? memcpy(moved, held, size < room ? size : room) : NULL;
}

static void *take_anew(void *held, size_t size, void *owner)
{
    struct h2_memory *memory = owner;

    if (held == NULL) {
        return take(size, owner);
    }
    if (is_frame(memory, held) || is_in_pages(memory, held)) {
        return move_out(held, size, memory);
    }
    return take_counted_anew(held, size, memory);
}

static void give(void *held, void *owner)
{
    struct h2_memory *memory = owner;

    if (held == NULL || is_frame(memory, held) || is_in_pages(memory, held)) {
        return;
    }
    memory->held -= piece_held(held);
    piece_give(pieces_of(memory), held);
}

/* --- of a session ---------------------------------------------------------------------------- */

void h2_memory_offer(struct h2_memory *memory, struct h2_memory_pool *pool, void *offered)
{
    memory->pool = pool;
    memory->begins = true;
    *(nghttp2_mem *)offered = (nghttp2_mem){memory, take, give, take_zeros, take_anew};
}

void h2_memory_begun(struct h2_memory *memory)
{
    memory->begins = false;
}

void h2_memory_end(struct h2_memory *memory)
{
    CHECK(memory->packed == NULL);
    if (memory->pages != NULL) {
        memory->held -= PAGES_BYTES;
        slab_give(memory->pool->pages, memory->pages);
        memory->pages = NULL;
    }
    CHECK(memory->held == 0);
}

static size_t packed_bytes(uint32_t words)
{
    return sizeof(struct h2_memory_packed) + words * sizeof(uint64_t);
}

static uint32_t words_of(const struct h2_memory_packed *packed)
{
    uint32_t words = 0;

    for (size_t i = 0; i < PAGES_WORDS / 64; i++) {
        words += (uint32_t)__builtin_popcountll(packed->map[i]);
    }
    return words;
}

/* Pages whose bytes are dropped read as zeros later, or as what they were, as the system likes:
 * either is right once the other words are put back. */
void h2_memory_pack(struct h2_memory *memory)
{
    const uint64_t *from = (const uint64_t *)(const void *)memory->pages;
    struct h2_memory_packed *packed;
    struct h2_memory_packed map = {{0}};
    uint32_t count = 0;

    if (memory->pages == NULL || memory->packed != NULL) {
        return;
    }
    for (size_t i = 0; i < PAGES_WORDS; i++) {
        map.map[i / 64] |= (uint64_t)(from[i] != 0) << i % 64;
    }
    packed = malloc(packed_bytes(words_of(&map)));
    if (packed == NULL) {
        return;
    }
    memcpy(packed->map, map.map, sizeof(map.map));
    for (size_t i = 0; i < PAGES_WORDS; i++) {
        if (from[i] != 0) {
            packed->words[count++] = from[i];
        }
    }
    memory->packed = packed;
    memory->held += packed_bytes(count);
    memory->held -= PAGES_BYTES;
    madvise(memory->pages, PAGES_BYTES, MADV_DONTNEED);
}

void h2_memory_unpack(struct h2_memory *memory)
{
    struct h2_memory_packed *packed = memory->packed;
    uint64_t *to = (uint64_t *)(void *)memory->pages;
    uint32_t count = 0;

    if (packed == NULL) {
        return;
    }
    for (size_t i = 0; i < PAGES_WORDS; i++) {
        if ((packed->map[i / 64] >> i % 64 & 1) != 0) {
            to[i] = packed->words[count++];
        }
    }
    memory->packed = NULL;
    memory->held -= packed_bytes(count);
    memory->held += PAGES_BYTES;
    free(packed);
}
