/* SPDX-License-Identifier: BSD-2-Clause */
/* The directives of Cache-Control, of a request or of an answer (RFC 9111 section 5.2, RFC 5861). */
#ifndef CACHE_CACHE_CONTROL_H
#define CACHE_CACHE_CONTROL_H

#include "http/message.h"

#define CACHE_SECONDS_MOST 2147483648u /* RFC 9111 section 1.2.2: larger ones count as this */

struct cache_seconds {
    bool said;
    uint32_t seconds; /* 0 also where the text is no number: such an answer is stale at once */
};

struct cache_control {
    bool no_store; /* also where the field is not well-formed: it may have said so */
    bool no_cache; /* also with field names: RFC 9111 section 5.2.2.4 lets us read it as without */
    bool is_private;
    bool is_public;
    bool must_revalidate;
    bool proxy_revalidate; /* the same for shared caches, but no leave to store (section 3.5) */
    bool only_if_cached;
    bool max_stale_any; /* max-stale without a number */
    struct cache_seconds max_age;
    struct cache_seconds s_maxage;
    struct cache_seconds max_stale;
    struct cache_seconds min_fresh;
    struct cache_seconds stale_while_revalidate;
    struct cache_seconds stale_if_error;
};

/* One field line; several add up, and of two numbers for one directive the less holds. */
void cache_control_read(struct bytes value, struct cache_control *control);
/* A line of Pragma (RFC 9111 section 5.4): it says no-cache, or is not well-formed. */
bool cache_pragma_forbids(struct bytes value);
/* "123" or "\"123\""; more than CACHE_SECONDS_MOST becomes that. false: no number. */
bool cache_seconds_read(struct bytes text, uint32_t *seconds);

#endif
