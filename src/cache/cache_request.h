/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request lets a shared cache do (RFC 9111): read out of its head once. */
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

#endif
