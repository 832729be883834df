/* SPDX-License-Identifier: BSD-2-Clause */
/* The first look at a file's bytes, before any YAML: is it text that people and programs
 * read alike? Called by config/load. */
#ifndef CONFIG_YAML_SOURCE_CHECK_H
#define CONFIG_YAML_SOURCE_CHECK_H

#include "config/errors.h"

#define SOURCE_BYTES_MAX (16u * 1024 * 1024)

/* Takes a byte order mark off *source. False, with an error, for what is too large, is not
 * UTF-8, or holds control characters or line breaks that editors do not show as such. */
bool config_source_check(struct bytes *source, struct config_errors *errors);

#endif
