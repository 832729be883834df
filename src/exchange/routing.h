/* SPDX-License-Identifier: BSD-2-Clause */
/* Which route an exchange takes, and the target that its origin gets. Called by exchange.c once the
 * request may pass; whatever it refuses it answers. */
#ifndef EXCHANGE_ROUTING_H
#define EXCHANGE_ROUTING_H

#include "exchange/exchange_private.h"

/* Sets routing.route, and routing.target where the request's own does not serve. false: an answer
 * was given instead. */
bool routing_find(struct exchange *exchange);

#endif
