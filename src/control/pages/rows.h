/* SPDX-License-Identifier: BSD-2-Clause */
/* An array on the heap that grows while a registry is read, whose length is not known before. */
#ifndef CONTROL_PAGES_ROWS_H
#define CONTROL_PAGES_ROWS_H

#include <stddef.h>

/* Room for one more behind `count` rows of `size` bytes, of which *room fit so far: the rows, maybe
 * at another place. NULL: out of memory; they are where they were. */
void *rows_with_room(void *rows, size_t count, size_t *room, size_t size);

#endif
