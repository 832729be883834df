/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files about origins' health share (origin_health.c lists them). */
#ifndef ORIGIN_HEALTH_HEALTH_PRIVATE_H
#define ORIGIN_HEALTH_HEALTH_PRIVATE_H

#include "origin/service/service_private.h"

/* Of an origin's entry in the registry, which all workers share. */
#define READ(field) TALLY_READ(field)
#define WRITE(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)
#define BUMP(field) (void)atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed)
#define COUNT(field) (atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed) + 1)

static inline uint64_t now_of(const struct origin *origin)
{
    return loop_now(origin->directory->worker_context->loop);
}

static inline const struct health_settings *health_of(const struct service *service)
{
    return &service->settings->health;
}

/* --- service.c --- */

/* The mean of the times to its answers; of one that is known, it took enough of them. */
uint64_t origin_latency_us(const struct origin *origin);
bool origin_latency_is_known(const struct origin *origin);
/* The request went well. */
void origin_health_pass(struct origin_request *request);

/* --- service_review.c --- */

#define ORIGIN_SILENT_REQUESTS 10 /* given to an origin without any answer */

/* So many have been: where nobody picks, nobody would look whether it has fallen silent. */
void origin_guard_against_silence(struct origin *origin, struct service *service);

/* --- origin_health.c --- */

/* The request failed, since `what`. */
void origin_health_blame(struct origin_request *request, const char *what);
/* After failures an answer went well. */
void origin_health_note_success(struct origin *origin);

/* The two fastest, as this worker knows them; NULL where so many are not known well. */
struct leaders {
    const struct origin *first;
    const struct origin *second;
};
struct leaders service_leaders(const struct service *service);
/* The fastest of the others; NULL: no other is known well. */
const struct origin *leaders_but(const struct leaders *leaders, const struct origin *origin);
const struct origin *service_fastest_but(const struct service *service,
                                         const struct origin *origin);
/* What takes longer than this is slow, beside that other origin. */
uint64_t service_slow_limit_us(const struct service *service, const struct origin *fastest);

/* --- origin_ejection.c --- */

enum slow_rule { SLOW_ONCE_IS_FORGIVEN, SLOW_IS_ENOUGH };

/* If it serves, and its service can spare it. */
void origin_eject(struct service *service, struct origin *origin, enum slow_rule rule,
                  const char *why);
/* Not even the first half-open request is risked on an origin that accepts no connection. */
void origin_health_connect_probe(struct service *service, struct origin *origin);
/* The request that is half-open has its answer, failed, or was slow: `did`, "without an answer
 * for", as the log shall say. */
void origin_half_open_judge(struct origin_request *request, uint64_t waited_us);
void origin_half_open_failed(struct origin_request *request, enum slow_rule rule, const char *why);
void origin_half_open_was_slow(struct origin_request *request, const char *did, uint64_t waited_us);

#endif
