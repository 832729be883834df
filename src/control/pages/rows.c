/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of a page of the control endpoint, gathered before they are sorted and written (rows.h). Their
 * room doubles, so that adding a row costs the same however many there are. */
#include "control/pages/rows.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 32

bool rows_grow(void *rows, size_t count, size_t size)
{
    void *former;
    void *grown;

    if (count % ROWS_FIRST != 0 || (count & (count - 1)) != 0) {
        return true; /* only a power of two is full */
    }
    memcpy(&former, rows, sizeof(former));
    grown = realloc(former, (count > 0 ? count * 2 : ROWS_FIRST) * size);
    if (grown != NULL) {
        memcpy(rows, &grown, sizeof(grown));
    }
    return grown != NULL;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void rows_sort(void *rows, size_t count, size_t size)
{
    if (count > 1) {
        qsort(rows, count, size, compare_names);
    }
}

void *rows_find(const void *rows, size_t count, size_t size, const char *name)
{
    return count > 0 ? bsearch(&name, rows, count, size, compare_names) : NULL;
}
