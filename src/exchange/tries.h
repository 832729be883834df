/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows an attempt that failed, and what clients try again. */
#ifndef EXCHANGE_TRIES_H
#define EXCHANGE_TRIES_H

#include "origin/failure.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;

/* Events of attempts, which are their owners. */
void tries_failed(void *owner, enum origin_failure failure);
void tries_give_way(void *owner);

/* The request names itself, and the same name was there a moment ago. */
bool tries_has_come_before(struct exchange *exchange);
/* Tells how the service's budget of retries stands; `made` and `denied` now. */
void tries_report(const struct exchange *exchange, uint32_t made, uint32_t denied);

#endif
