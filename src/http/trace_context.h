/* SPDX-License-Identifier: BSD-2-Clause */
/* Where in a trace a request stands, as W3C Trace Context has it in the field traceparent: read from
 * requests and written into those to origins. Ids are kept as the hex digits they travel as. */
#ifndef HTTP_TRACE_CONTEXT_H
#define HTTP_TRACE_CONTEXT_H

#include "base/bytes.h"

#define TRACE_ID_LENGTH 32
#define SPAN_ID_LENGTH 16
#define TRACEPARENT_LENGTH (2 + 1 + TRACE_ID_LENGTH + 1 + SPAN_ID_LENGTH + 1 + 2)

struct trace_context {
    char trace_id[TRACE_ID_LENGTH]; /* lower case, never all zeros */
    char span_id[SPAN_ID_LENGTH];   /* likewise */
    bool sampled;
};

/* False for what is not well-formed (sections 3.2.2 and 4.3): the request then stands in no trace. Of a
 * later version what is known is taken. */
bool trace_context_parse(struct bytes value, struct trace_context *context);
/* Version 00. `out` has TRACEPARENT_LENGTH bytes. */
void trace_context_format(const struct trace_context *context, char *out);
/* Sixteen digits of a number; 1 in place of 0. */
void trace_context_put_id(char *out, uint64_t number);

#endif
