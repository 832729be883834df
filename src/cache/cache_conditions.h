/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions and ranges of a request, judged by a stored answer (RFC 9110 sections 13 and 14). */
#ifndef CACHE_CACHE_CONDITIONS_H
#define CACHE_CACHE_CONDITIONS_H

#include "cache/cache_request.h"

/* If-None-Match, or without it If-Modified-Since: the client has it already (304). */
bool cache_is_not_modified(const struct cache_request *request, struct bytes etag,
                           struct bytes last_modified);

enum cache_range { CACHE_WHOLE, CACHE_PART, CACHE_NO_PART };
/* One range of bytes; of several, of other units and of what is not well-formed the whole goes. */
enum cache_range cache_range_find(const struct cache_request *request, struct bytes etag,
                                  struct bytes last_modified, uint64_t length, uint64_t *first,
                                  uint64_t *count);

#endif
