/* SPDX-License-Identifier: BSD-2-Clause */
/* Values at a place in a request that the configuration names: what tells a user, what an
 * override says, an idempotency key. Pure. */
#ifndef SPLIT_REQUEST_SOURCE_H
#define SPLIT_REQUEST_SOURCE_H

#include "config/settings.h"

/* The first value there, as it came; an empty one counts as none. Of a client's address: its
 * text, and of an IPv6 one only the first 64 bits, since the rest changes by the hour. `room` has
 * ADDRESS_TEXT_MAX bytes and must live as long as *value. */
bool request_source_value(const struct request_source *source, const struct http_request *request,
                          const struct ip *client, char *room, struct bytes *value);
/* The first of several that has one; NULL: none. */
const struct request_source *request_source_first(const struct request_source *sources,
                                                  uint32_t count,
                                                  const struct http_request *request,
                                                  const struct ip *client, char *room,
                                                  struct bytes *value);

#endif
