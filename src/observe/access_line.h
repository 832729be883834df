/* SPDX-License-Identifier: BSD-2-Clause */
/* One finished exchange as one JSON line. Called by access_log on a worker's loop, once an
 * exchange: no allocation, no locale, no printf. Attribute names are those of OpenTelemetry's
 * HTTP conventions where it has one, "turnpike." otherwise. */
#ifndef OBSERVE_ACCESS_LINE_H
#define OBSERVE_ACCESS_LINE_H

#include "base/text.h"
#include "observe/outcome.h"

#define ACCESS_LINE_MAX 4096

/* The last second that was written out; starts zeroed. */
struct access_second {
    uint64_t second;
    char text[19]; /* 2025-01-31T23:59:59 */
};

/* Adds the line with its newline; never more than ACCESS_LINE_MAX bytes: long fields are cut. */
void access_line_format(struct text *line, const struct outcome *outcome,
                        struct access_second *second);

#endif
