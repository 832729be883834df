/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays on the heap that grow while a registry is read, whose length is not known before. Their rows
 * begin with a name (const char *), by which they are sorted and found. */
#ifndef CONTROL_PAGES_ROWS_H
#define CONTROL_PAGES_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Room for one more behind `count` rows of `size` bytes; `rows` is the address of the pointer to them, which
 * may change. false: out of memory, and it is as it was. */
bool rows_grow(void *rows, size_t count, size_t size);
void rows_sort(void *rows, size_t count, size_t size);
/* NULL: there is none. The rows are sorted. */
void *rows_find(const void *rows, size_t count, size_t size, const char *name);

#endif
