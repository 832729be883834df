/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of memory of any size for one worker: small ones come out of slabs of a few sizes, as fast
 * as from a slab; larger ones from malloc, and small ones, too, beyond the ceiling of slabs, since
 * who asks can mostly not go on without. A piece knows its size. */
#ifndef BASE_MEMORY_PIECES_H
#define BASE_MEMORY_PIECES_H

#include <stddef.h>

struct slab_account;
struct piece_pool;

struct piece_pool *piece_pool_new(void); /* NULL: out of memory */
/* Where its slabs count (slab_pool_account); what a burst had goes back (slab_pool_trim). */
void piece_pool_account(struct piece_pool *pool, struct slab_account *account);
void piece_pool_trim(struct piece_pool *pool);
/* All pieces must have been given back. */
void piece_pool_free(struct piece_pool **pool);

/* Aligned to 8 bytes; holds what its last user left. NULL: out of memory. `pool`: NULL for pieces
 * that all come from malloc. */
void *piece_take(struct piece_pool *pool, size_t size);
/* Its content moves with it; `piece` is as it was where NULL comes back: out of memory. */
void *piece_resize(struct piece_pool *pool, void *piece, size_t size);
void piece_give(struct piece_pool *pool, void *piece); /* NULL: nothing */
/* Bytes that it holds, what it costs besides included. */
size_t piece_held(const void *piece);

#endif
