/* SPDX-License-Identifier: BSD-2-Clause */
/* One finished exchange as one JSON line. Called by access_log on a worker's loop, once an
 * exchange: no allocation, no locale, no printf. Attribute names are those of OpenTelemetry's
 * HTTP conventions where it has one, "turnpike." otherwise. */
#ifndef OBSERVE_ACCESS_LINE_H
#define OBSERVE_ACCESS_LINE_H

#include "base/text.h"
#include "observe/outcome.h"

/* The usual fields, and with access_log.fields so many more. */
#define ACCESS_LINE_MAX (5440 + ACCESS_FIELDS_MAX * (ACCESS_FIELD_KEY_MAX + ACCESS_VALUE_MAX + 8))

#define ACCESS_PREFIXES 256
#define ACCESS_PREFIX_KEPT 464 /* a longer one is written anew each time */
#define ACCESS_FAILURES 32
#define ACCESS_FAILURE_KEPT 344 /* a longer one is written anew each time */

/* What the lines before had in common with this one, as text. Starts zeroed; belongs to one
 * worker. */
struct access_memory {
    uint64_t second;
    char second_text[19];  /* 2025-01-31T23:59:59; empty at first */
    struct access_prefix { /* names of the configuration, found by their addresses */
        const char *listener;
        const char *route;
        const char *service;
        const char *origin;
        size_t names_length;
        size_t length; /* with the beginning of the one attempt's record; 0: none is kept */
        char text[ACCESS_PREFIX_KEPT];
    } prefixes[ACCESS_PREFIXES];
    struct access_failure { /* what went wrong: sentences that stay, found by their addresses */
        const char *detail;
        const char *error;
        const char *fault;
        enum outcome_end end;
        enum cut_cause cut;
        uint32_t length; /* 0: none is kept */
        char text[ACCESS_FAILURE_KEPT];
    } failures[ACCESS_FAILURES];
};

/* To be called when names and sentences may have moved: after a reload. */
void access_memory_forget(struct access_memory *memory);

/* Adds the line with its newline; never more than ACCESS_LINE_MAX bytes: long fields are cut. */
void access_line_format(struct text *line, const struct outcome *outcome,
                        struct access_memory *memory);

#endif
