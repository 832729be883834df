/* SPDX-License-Identifier: BSD-2-Clause */
/* A run of bytes that grows at its end and shrinks at its start. Without memory the oracle ends. */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *pile_room(struct pile *pile, size_t length)
{
    if (pile->start > 0 && pile->start == pile->end) {
        pile->start = pile->end = 0;
    }
    if (pile->start > 0 && pile->capacity - pile->end < length) {
        memmove(pile->memory, pile->memory + pile->start, pile_length(pile));
        pile->end -= pile->start;
        pile->start = 0;
    }
    while (pile->capacity - pile->end < length) {
        pile->capacity = pile->capacity == 0 ? 4096 : pile->capacity * 2;
        pile->memory = realloc(pile->memory, pile->capacity);
        if (pile->memory == NULL) {
            abort();
        }
    }
    return pile->memory + pile->end;
}

void pile_add(struct pile *pile, const void *bytes, size_t length)
{
    if (length > 0) {
        memcpy(pile_room(pile, length), bytes, length);
        pile->end += length;
    }
}

void pile_format(struct pile *pile, const char *form, ...)
{
    char text[512];
    va_list list;
    int length;

    va_start(list, form);
    length = vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    if (length < 0 || (size_t)length >= sizeof(text)) {
        abort();
    }
    pile_add(pile, text, (size_t)length);
}

void pile_drop(struct pile *pile, size_t length)
{
    pile->start += length;
}

void pile_free(struct pile *pile)
{
    free(pile->memory);
    *pile = (struct pile){0};
}
