/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file_place.h"

#include <stdio.h>

const char *file_place_text(const struct file_place *place, char text[FILE_PLACE_TEXT_MAX])
{
    text[0] = '\0';
    if (place->file != NULL) {
        snprintf(text, FILE_PLACE_TEXT_MAX, "%s:%u:%u: ", place->file, place->line, place->column);
    }
    return text;
}
