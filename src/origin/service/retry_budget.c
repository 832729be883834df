/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums over a ring of seconds. */
#include "origin/service/retry_budget.h"

#include <string.h>

void retry_budget_advance(struct retry_budget *budget, uint64_t now_us)
{
    uint64_t slot = now_us >> RETRY_BUDGET_SHIFT;

    if (slot - budget->slot >= RETRY_BUDGET_SLOTS) {
        memset(budget, 0, sizeof(*budget));
        budget->slot = slot;
    }
    while (budget->slot < slot) {
        budget->slot++;
        budget->requests[budget->slot % RETRY_BUDGET_SLOTS] = 0;
        budget->retries[budget->slot % RETRY_BUDGET_SLOTS] = 0;
        budget->repeats[budget->slot % RETRY_BUDGET_SLOTS] = 0;
    }
}

static uint64_t sum_of(const uint32_t counts[RETRY_BUDGET_SLOTS])
{
    uint64_t sum = 0;

    for (int i = 0; i < RETRY_BUDGET_SLOTS; i++) {
        sum += counts[i];
    }
    return sum;
}

uint32_t retry_budget_left(struct retry_budget *budget,
                           const struct retry_budget_settings *settings, uint32_t workers,
                           uint64_t now_us)
{
    uint64_t repeats;
    uint64_t granted;
    uint64_t made;

    retry_budget_advance(budget, now_us);
    made = sum_of(budget->retries);
    granted = sum_of(budget->requests) * settings->percent / 100;
    repeats = sum_of(budget->repeats);
    granted = granted > repeats ? granted - repeats : 0;
    granted += ((uint64_t)settings->min_per_second * RETRY_BUDGET_SLOTS + workers - 1) / workers;
    granted = granted > made ? granted - made : 0;
    return granted < UINT32_MAX ? (uint32_t)granted : UINT32_MAX;
}

void retry_budget_take(struct retry_budget *budget, uint64_t now_us)
{
    retry_budget_advance(budget, now_us);
    budget->retries[budget->slot % RETRY_BUDGET_SLOTS]++;
}
