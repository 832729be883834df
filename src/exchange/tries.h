/* SPDX-License-Identifier: BSD-2-Clause */
/* The tries of one exchange to have its request answered by an origin. */
#ifndef EXCHANGE_TRIES_H
#define EXCHANGE_TRIES_H

#include "net/timer.h"

struct exchange;

/* It leaves the queue: the first attempt is made. */
void tries_begin(struct exchange *exchange);
/* The wait before another try is over. */
void tries_backoff_over(struct timer *timer);

#endif
