/* SPDX-License-Identifier: BSD-2-Clause */
/* How many retries a service gets, so that a sick one is not asked ever more: a share of the
 * requests of the last 8 seconds, and a few beside. What clients send again by themselves is taken
 * off the share, not off the few: clients cannot take all of the budget away. Each worker counts its own: shares add up to
 * the share of all, and the few are divided. Part of a struct service; exchange/attempt.c notes
 * requests, exchange/tries.c takes retries. Knows no clock: every call brings the time. */
#ifndef ORIGIN_SERVICE_RETRY_BUDGET_H
#define ORIGIN_SERVICE_RETRY_BUDGET_H

#include "config/settings.h"

#define RETRY_BUDGET_SLOTS 8
#define RETRY_BUDGET_SHIFT 20 /* a slot is 1.05 s: a shift instead of a division */

/* Zeroed: no request yet. */
struct retry_budget {
    uint64_t slot; /* the present one, counted from the beginning of time */
    uint32_t requests[RETRY_BUDGET_SLOTS];
    uint32_t retries[RETRY_BUDGET_SLOTS];
    uint32_t repeats[RETRY_BUDGET_SLOTS]; /* that clients sent again */
};

/* Forgets what is too old. */
void retry_budget_advance(struct retry_budget *budget, uint64_t now_us);

/* A request, at its first attempt; `is_repeat`: its client has sent it before. True when another
 * second has begun. In service.c, beside what else each request counts. */
bool retry_budget_note_request(struct retry_budget *budget, bool is_repeat, uint64_t now_us);

/* How many retries it has left; `workers` share the settings' least. */
uint32_t retry_budget_left(struct retry_budget *budget,
                           const struct retry_budget_settings *settings, uint32_t workers,
                           uint64_t now_us);
/* One is made. */
void retry_budget_take(struct retry_budget *budget, uint64_t now_us);

#endif
