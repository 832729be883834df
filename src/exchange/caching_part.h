/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXCHANGE_CACHING_PART_H
#define EXCHANGE_CACHING_PART_H

#include "cache/cache_request.h"
#include "config/settings.h"

/* What the cache is to know of the request. The cookies of waiting rooms do not count. */
void caching_part_read(const struct route_settings *route, const struct http_request *request,
                       struct cache_request *facts);

/* Why a request with these facts takes no part, in words that go on from "the request takes no part:", never
 * freed. NULL: it does, as far as the request itself says. */
const char *caching_part_refused(const struct caching_settings *settings,
                                 const struct http_request *request,
                                 const struct cache_request *facts);

#endif
