/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of one file that an operator names. Called by config/yaml/source_files. */
#ifndef CONFIG_FILE_BYTES_H
#define CONFIG_FILE_BYTES_H

#include "base/bytes.h"

#include <stdint.h>

/* malloc'd, also for an empty file; NULL: *why says what failed. Waits patience_ms at most for the
 * end of what a pipe's writer writes. */
char *config_file_bytes(const char *path, uint32_t patience_ms, struct bytes *bytes,
                        const char **why);

#endif
