/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request lets a shared cache do (RFC 9111), read out of its head once; and its conditions and ranges,
 * judged by a stored answer (RFC 9110 sections 13 and 14). */
#ifndef CACHE_CACHE_REQUEST_H
#define CACHE_CACHE_REQUEST_H

#include "cache/cache_control.h"

struct cache_request {
    struct cache_control control;
    struct bytes range; /* empty: none; also of If-Range and the conditions below */
    struct bytes if_range;
    struct bytes if_none_match;
    struct bytes if_modified_since;
    bool has_authorization;
    bool has_cookie;
    bool is_odd; /* has what is left to the origin: If-Match, a field twice, an event stream */
};

void cache_request_read(const struct http_request *request, struct cache_request *facts);

/* If-None-Match, or without it If-Modified-Since: the client has it already (304). */
bool cache_is_not_modified(const struct cache_request *request, struct bytes etag,
                           struct bytes last_modified);

enum cache_range { CACHE_WHOLE, CACHE_PART, CACHE_NO_PART };
/* One range of bytes; of several, of other units and of what is not well-formed the whole goes.
 * `last_modified`: empty where it is a weak validator. */
enum cache_range cache_range_find(const struct cache_request *request, struct bytes etag,
                                  struct bytes last_modified, uint64_t length, uint64_t *first,
                                  uint64_t *count);

#endif
