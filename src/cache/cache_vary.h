/* SPDX-License-Identifier: BSD-2-Clause */
/* Vary (RFC 9110 section 12.5.5): which fields of a request choose among the answers to it. */
#ifndef CACHE_CACHE_VARY_H
#define CACHE_CACHE_VARY_H

#include "base/text.h"
#include "http/message.h"

/* Names only, and of none of the fields that the gateway writes for each request by itself: of those
 * no client can have the same. */
bool cache_vary_is_plain(struct bytes value);
/* The names of all Vary fields, each followed by ','. */
void cache_vary_add_names(const struct http_headers *headers, struct text *text);
/* What a request has in the fields of these names: two requests with the same text may get the same
 * answer. */
void cache_vary_add_key(struct bytes names, const struct http_headers *headers, struct text *text);

#endif
