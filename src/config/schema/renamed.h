/* SPDX-License-Identifier: BSD-2-Clause */
/* Old names of options. A file that uses one gets an error that names the new one. */
#ifndef CONFIG_RENAMED_H
#define CONFIG_RENAMED_H

#include "config/schema/schema.h"

/* The path that the option `path` has now ("limits.request_buffer"); NULL: it was not renamed. */
const char *config_renamed_to(enum option_place place, const char *path);

#endif
