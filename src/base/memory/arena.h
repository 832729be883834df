/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is given back all at once: the settings of one snapshot live in one arena.
 * Not for the data path. Allocation failure ends the process at start and is checked
 * by the loader at reload (arena_failed). */
#ifndef BASE_MEMORY_ARENA_H
#define BASE_MEMORY_ARENA_H

#include "base/bytes.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **arena);

/* Zeroed, aligned for any type; NULL only when memory is out (and arena_failed says so). */
void *arena_take(struct arena *arena, size_t size);
/* A NUL-terminated copy. */
char *arena_copy(struct arena *arena, struct bytes bytes);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool arena_failed(const struct arena *arena);

#endif
