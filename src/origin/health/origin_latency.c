/* SPDX-License-Identifier: BSD-2-Clause */
/* How long each origin takes to the first byte of its answers, as this worker saw it, and which
 * of a service's are the fastest: the measure of what is slow beside them. */
#include "origin/health/health_private.h"

#define LATENCY_FRACTION 12 /* binary digits behind the point of a pace */
#define LATENCY_STEP 4      /* a new one counts for 1/16 */
#define PACES_ENOUGH 16     /* before they say anything */

/* The binary logarithm, so that the mean is that of ratios: one answer of half a minute among
 * those of five milliseconds does not make an origin slow, eighteen of two seconds do. */
static int32_t latency_of(uint64_t us)
{
    uint64_t x = us + 1;
    int power = 63 - __builtin_clzll(x);
    uint64_t rest = power == 0 ? 0 : x << (64 - power) >> (64 - LATENCY_FRACTION);

    return (int32_t)((uint64_t)power << LATENCY_FRACTION | rest);
}

static uint64_t us_of_latency(int32_t latency)
{
    uint64_t power = UINT64_C(1) << (latency >> LATENCY_FRACTION);

    return power +
           (power * (uint64_t)(latency & ((1 << LATENCY_FRACTION) - 1)) >> LATENCY_FRACTION);
}

uint64_t origin_latency_us(const struct origin *origin)
{
    return us_of_latency(origin->latency);
}

bool origin_latency_is_known(const struct origin *origin)
{
    return origin->paces >= PACES_ENOUGH;
}

void origin_note_latency(struct origin *origin, uint64_t us)
{
    int32_t latency = latency_of(us);

    if (origin->paces == 0) {
        origin->latency = latency;
    }
    origin->latency += (latency - origin->latency) / (1 << LATENCY_STEP);
    if (origin->paces < PACES_ENOUGH) {
        origin->paces++;
    }
}

struct leaders service_leaders(const struct service *service)
{
    struct leaders leaders = {NULL, NULL};

    for (uint32_t i = 0; i < service->count; i++) {
        const struct origin *origin = service->origins[i];

        if (!origin_latency_is_known(origin) ||
            origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            continue;
        }
        if (leaders.first == NULL || origin->latency < leaders.first->latency) {
            leaders.second = leaders.first;
            leaders.first = origin;
        } else if (leaders.second == NULL || origin->latency < leaders.second->latency) {
            leaders.second = origin;
        }
    }
    return leaders;
}

const struct origin *leaders_but(const struct leaders *leaders, const struct origin *origin)
{
    return leaders->first != origin ? leaders->first : leaders->second;
}

const struct origin *service_fastest_but(const struct service *service, const struct origin *origin)
{
    struct leaders leaders = service_leaders(service);

    return leaders_but(&leaders, origin);
}

uint64_t service_slow_limit_us(const struct service *service, const struct origin *fastest)
{
    const struct health_settings *health = health_of(service);
    uint64_t least = (uint64_t)health->slow_min_time * 1000;
    uint64_t factored = origin_latency_us(fastest) * health->slow_factor;

    return factored > least ? factored : least;
}
