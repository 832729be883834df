/* SPDX-License-Identifier: BSD-2-Clause */
/* Twice as many each time. */
#include "control/pages/rows.h"

#include <stdlib.h>

#define ROWS_FIRST 32

void *rows_with_room(void *rows, size_t count, size_t *room, size_t size)
{
    size_t more = *room > 0 ? *room * 2 : ROWS_FIRST;

    if (count < *room) {
        return rows;
    }
    rows = realloc(rows, more * size);
    if (rows != NULL) {
        *room = more;
    }
    return rows;
}
