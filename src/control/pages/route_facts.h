/* SPDX-License-Identifier: BSD-2-Clause */
/* What a route tells beside its counts: its waiting room, and what its cache holds and did. For /v1/routes
 * and the live page. */
#ifndef CONTROL_PAGES_ROUTE_FACTS_H
#define CONTROL_PAGES_ROUTE_FACTS_H

#include "base/json.h"
#include "config/settings.h"
#include "observe/outcome.h"

/* It has some, which may change while no request comes. */
bool route_facts_are_there(const struct route_settings *route);
/* Members of the route's object; `by_cache`: its requests by what its cache did, NULL: never counted. */
void route_facts_add(struct json *json, const struct route_settings *route,
                     const uint64_t by_cache[OUTCOME_CACHE_COUNT]);

#endif
