/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields of a trailer section go on, and those of a request while it waits. An origin or a
 * client may merge trailers into the head (RFC 9110 section 6.5.1), so a field that a head may not
 * carry on does not go on here either. */
#ifndef EXCHANGE_TRAILERS_H
#define EXCHANGE_TRAILERS_H

#include "exchange/exchange_private.h"

/* Copies those of the request's trailers that go on: the bytes that `trailers` points to are read
 * over by the client's next request. Called once the body is whole. false: no memory. */
bool trailers_keep(struct exchange *exchange, const struct http_headers *trailers);
/* Those that were kept (request_body.trailers), as rows that stay valid while the exchange lives. */
const struct http_fields *trailers_kept(const struct exchange *exchange,
                                        struct http_fields *fields);
/* Those of an answer, as rows that are valid as long as `trailers`; NULL: there are none. */
const struct http_fields *trailers_of_answer(const struct exchange *exchange,
                                             const struct http_headers *trailers,
                                             struct http_fields *fields);

#endif
