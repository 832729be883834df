/* SPDX-License-Identifier: BSD-2-Clause */
/* What was changed at run time and is not in the file. */
#ifndef CONTROL_PAGES_DIFFERENCES_H
#define CONTROL_PAGES_DIFFERENCES_H

#include "base/json.h"
#include "control/sources.h"

/* A list "differs_from_file" with a line for each, if there is any. */
void differences_add(struct json *json, const struct control_sources *sources,
                     const struct settings *settings);
/* A list "overrides_ended" of the weights that an operator set and that would end with that file, if there is
 * any: it may be a way back that an operator counts on. */
void overrides_ended_add(struct json *json, const struct control_sources *sources,
                         const struct settings *wanted);
/* A list "stopped_ramps" of those that a person must let go on, if there is any. */
void stopped_ramps_add(struct json *json, const struct control_sources *sources);

#endif
