/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a configuration's files: the main one and those that its `include` names, as one text
 * (config/yaml/parts.h). Called at a start, by -t, at a reload, and by turnpikectl. */
#ifndef CONFIG_SOURCE_FILES_H
#define CONFIG_SOURCE_FILES_H

#include "base/bytes.h"

#include <stdint.h>

struct config_errors;

/* How long -t and a start wait for the writer of a pipe (`-c <(...)`); a thread that others wait
 * for gives no time. */
#define CONFIG_PATIENCE_MS 10000

/* malloc'd, or NULL with errors: the main file or an included one cannot be read. A text that has
 * its included files already, as the last good configuration has, comes back as it is. */
char *config_read_file(const char *path, uint32_t patience_ms, struct bytes *source,
                       struct config_errors **errors);

#endif
