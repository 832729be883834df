/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the HTTP/2 library, counted for each session and bounded. Called by the sessions of both
 * sides, which embed a struct h2_memory.
 *
 * A session of the library holds 25 kB before it has a stream: a frame's buffer of 16 kB, which it
 * needs while it writes only, and some 9 kB of tables that are nearly all zeros. With a pool, the
 * sessions of a worker share one frame's buffer, and their tables lie in pages that can be packed
 * while a session is idle. */
#ifndef HTTP_H2_H2_MEMORY_H
#define HTTP_H2_H2_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece_pool;
struct slab_account;
struct h2_memory_packed;

/* What the sessions of a worker share. */
struct h2_memory_pool;
/* `pieces`: where what the library asks for comes from. NULL: no memory. */
struct h2_memory_pool *h2_memory_pool_new(struct piece_pool *pieces);
void h2_memory_pool_account(struct h2_memory_pool *pool, struct slab_account *account);
void h2_memory_pool_trim(struct h2_memory_pool *pool);
/* All sessions are gone. */
void h2_memory_pool_free(struct h2_memory_pool **pool);

struct h2_memory {
    size_t held; /* bytes, but for what is shared */
    struct h2_memory_pool *pool;
    char *pages;                     /* of the pieces that the library begins with; NULL: none */
    struct h2_memory_packed *packed; /* what stands in them, while they are dropped */
    uint32_t used;                   /* bytes of pages */
    bool begins;                     /* the library is taking what it begins with */
    bool has_frame;                  /* the shared frame's buffer is lent to it */
};

/* Fills the nghttp2_mem that a session of the library is made with; *memory must stay as long as
 * that session. `pool`: NULL for a session that shares nothing. */
void h2_memory_offer(struct h2_memory *memory, struct h2_memory_pool *pool, void *offered);
/* The session was made. */
void h2_memory_begun(struct h2_memory *memory);
/* The session is gone, or could not be made. */
void h2_memory_end(struct h2_memory *memory);

/* The library must not be called until h2_memory_unpack. Nothing is lost; what is packed is packed
 * already, or stays as it is for lack of memory, is no error. */
void h2_memory_pack(struct h2_memory *memory);
void h2_memory_unpack(struct h2_memory *memory);

#endif
