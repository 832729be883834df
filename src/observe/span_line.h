/* SPDX-License-Identifier: BSD-2-Clause */
/* The spans of one finished exchange as OTLP/JSON, a line each: one of the exchange (SERVER) and one
 * of each attempt (CLIENT). Called by exchange/spans.c on a worker's loop, for exchanges that are
 * sampled. Attribute names are those of OpenTelemetry's HTTP conventions (stable since 1.23) where
 * they have one, "turnpike." otherwise. Header values, query and body are never in a span. */
#ifndef OBSERVE_SPAN_LINE_H
#define OBSERVE_SPAN_LINE_H

#include "base/text.h"
#include "http/trace_context.h"
#include "observe/outcome.h"

/* What a span needs beyond the outcome; filled by exchange/. */
struct span_facts {
    struct trace_context own;       /* of the exchange's span */
    char parent_id[SPAN_ID_LENGTH]; /* if has_parent */
    bool has_parent;
    bool has_link; /* a client's own context, which is not believed, became a link */
    struct trace_context link;
    struct bytes authority;     /* that the client asked for, with its port if it named one */
    struct bytes pattern;       /* the path that the route matches; empty: any */
    bool pattern_is_prefix;     /* and what is below it */
    struct bytes origin_target; /* that attempts ask for, without its query */
    struct bytes origin_scheme;
    struct {
        char span_id[SPAN_ID_LENGTH];
        uint32_t began_us; /* from the exchange's start */
        uint32_t ended_us;
    } tries[OUTCOME_ATTEMPTS_MAX];
};

/* Adds a line a span; `text` has overflowed where they do not fit in it. */
void span_line_format(struct text *text, const struct outcome *outcome,
                      const struct span_facts *facts);

#endif
