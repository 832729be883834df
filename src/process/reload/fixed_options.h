/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that hold from the start of the process to its end (settings_fixed_options): what a reload
 * finds another in the file is told, and waits for the next start. */
#ifndef PROCESS_RELOAD_FIXED_OPTIONS_H
#define PROCESS_RELOAD_FIXED_OPTIONS_H

#include "config/settings.h"

/* Tells the log; and adds to the text in `line`, for the operator who asked. */
void fixed_options_report(const struct settings *first, const struct settings *now, char *line,
                          size_t size);

#endif
