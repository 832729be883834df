/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange's place in a trace, where `tracing` is on: which trace, whether it is sampled, what its
 * origins are told of it (W3C Trace Context), and its spans. Called by exchange.c, attempt.c and
 * forward.c, each time only for an exchange that has a span. */
#ifndef EXCHANGE_SPANS_H
#define EXCHANGE_SPANS_H

#include "exchange/forward.h"
#include "observe/span_exporter.h"

struct exchange_span {
    struct span_facts facts; /* facts.own.sampled: spans are written */
    char *target;            /* room for facts.origin_target; NULL: none */
};

/* Once the client is known. Without memory the exchange goes on without a span; what cannot be read as
 * a request has none. */
void spans_begin(struct exchange *exchange);
/* The last one of its attempts. */
void spans_attempt_begins(struct exchange *exchange);
void spans_attempt_ends(struct exchange *exchange);
/* The outcome is whole. */
void spans_write(const struct exchange *exchange);

/* What origins are asked for; copied, without its query. */
void spans_note_target(const struct exchange *exchange, struct bytes target);
/* traceparent, of the attempt that is about to be sent. */
bool spans_add_field(const struct exchange *exchange, struct forward_page *page);

#endif
