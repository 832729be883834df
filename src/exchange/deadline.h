/* SPDX-License-Identifier: BSD-2-Clause */
/* The time for the whole of an exchange. */
#ifndef EXCHANGE_DEADLINE_H
#define EXCHANGE_DEADLINE_H

#include "base/text.h"
#include "exchange/exchange_private.h"

#define DEADLINE_GRPC_FIELD BYTES("grpc-timeout")

/* Once the route is known, where there may be one. false: an answer was given instead. */
bool deadline_begin(struct exchange *exchange);
/* Where there is one. false: an answer was given instead. */
bool deadline_leaves_time(struct exchange *exchange);
void deadline_is_over(struct timer *timer);

/* Where there is one: tells the origin what is left, in place of the client's line, which is dropped
 * (forward.c). false: it does not fit. */
bool deadline_pass_on(const struct exchange *exchange, struct http_fields *fields,
                      struct text *text);
/* The same of gRPC, in its own field. */
bool deadline_pass_on_grpc(const struct exchange *exchange, struct http_fields *fields,
                           struct text *text);

#endif
