/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of limits.h share: a slot of a quota is taken and given back for a worker. Called by
 * limits.c, limits_adaptive.c, limits_connections.c and limits_waking.c only. */
#ifndef ORIGIN_POOL_LIMITS_PRIVATE_H
#define ORIGIN_POOL_LIMITS_PRIVATE_H

#include "origin/pool/limits.h"
#include "origin/service/service_private.h"

/* What a request has taken (its `slots`). */
enum {
    SLOT_OF_ORIGIN = 1,
    SLOT_OF_SERVICE = 2,
    SLOTS_OF_REQUEST = SLOT_OF_ORIGIN | SLOT_OF_SERVICE,
    SLOT_UNFINISHED = 4, /* at its origin */
    SLOT_UNFINISHED_OF_SERVICE = 8,
    SLOTS_UNFINISHED = SLOT_UNFINISHED | SLOT_UNFINISHED_OF_SERVICE,
};

static inline uint32_t limits_worker_of(const struct origin *origin)
{
    return origin->directory->worker_context->worker;
}

static inline uint64_t limits_now_of(const struct origin *origin)
{
    return loop_now(origin->directory->worker_context->loop);
}

static inline const struct service_limits_settings *
limits_settings_of(const struct origin_request *request)
{
    return &request->service->settings->limits;
}

/* Whether the limit of its service follows what is measured (`concurrency: auto`). */
static inline bool limits_is_adaptive(const struct origin_request *request)
{
    return request->service != NULL && limits_settings_of(request)->adaptive;
}

/* limits_waking.c: the need of a request that waits, or is about to (quota.h). */
unsigned limits_need_of(const struct origin_request *request);
/* One of `limit` for the request; false: its worker is marked as waiting, and looks again. */
bool limits_take_slot(const struct origin_request *request, struct quota *quota, uint32_t limit);
/* It is given back: who is due for it is woken. */
void limits_give_slot(struct origin *origin, struct quota *quota);
/* The same for one that was taken in vain: others come first. */
void limits_give_slot_on(struct origin *origin, struct quota *quota);

#endif
