/* SPDX-License-Identifier: BSD-2-Clause */
/* A place in a configuration file, kept with a setting, so that a problem that shows only later (a
 * file that does not load, an address that is taken) is told with file, line and column. */
#ifndef BASE_FILE_PLACE_H
#define BASE_FILE_PLACE_H

#include <stdint.h>

struct file_place {
    const char *file; /* NULL: the setting stands in no file; owned by who keeps the settings */
    uint32_t line;    /* both count from 1 */
    uint32_t column;
};

#define FILE_PLACE_TEXT_MAX 512

/* "FILE:LINE:COLUMN: ", terminated, to stand before a sentence; empty without a place. */
const char *file_place_text(const struct file_place *place, char text[FILE_PLACE_TEXT_MAX]);

#endif
