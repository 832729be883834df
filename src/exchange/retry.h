/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an attempt that got no answer may be made once more: a pure function of what is known.
 * RFC 9110 section 9.2.2: a proxy must not repeat what is not idempotent, unless it knows that
 * the origin cannot have seen it. */
#ifndef EXCHANGE_RETRY_H
#define EXCHANGE_RETRY_H

#include "http/message.h"
#include "origin/failure.h"

struct retry_facts {
    enum http_method method;
    enum origin_failure failure;
    uint64_t bytes_written; /* of this attempt, taken by the socket */
    uint32_t attempts;      /* made so far */
    bool answer_begun;      /* something of an answer went to the client */
    bool body_kept;         /* the request can be sent again from its start */
    bool connection_reused; /* the origin may just have closed it for being idle */
    bool other_origin;      /* the service has another one to try */
};

bool retry_is_allowed(const struct retry_facts *facts);

#endif
