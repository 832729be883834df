/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the requests that wait for an origin goes first: the class of each, and the client that it
 * is in turn for. Called by attempt.c where anything of that can matter. */
#ifndef EXCHANGE_PRECEDENCE_H
#define EXCHANGE_PRECEDENCE_H

struct exchange;
struct origin_request;

/* `priority` is filled with the route's already. */
void precedence_fill(const struct exchange *exchange, struct origin_request *request);

#endif
