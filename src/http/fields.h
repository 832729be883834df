/* SPDX-License-Identifier: BSD-2-Clause */
/* A message head as it is to be sent: decided by exchange/forward, written by h1 and h2 of
 * client/ and origin/, which add only what their framing needs. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/bytes.h"
#include "http/message.h"

#define HTTP_FIELDS_MAX (HTTP_HEADERS_MAX + 64)

struct http_field {
    struct bytes name;
    struct bytes value;
};

struct http_fields {
    uint32_t count;
    size_t bytes; /* the rows take no more than this in HTTP/1, each with ": " and CRLF */
    struct http_field rows[HTTP_FIELDS_MAX];
};

struct request_head {
    struct bytes method;
    struct bytes target;
    struct bytes authority; /* becomes Host */
    enum http_framing framing;
    uint64_t body_length;
    bool upgrades;       /* Upgrade is among the fields and Connection must name it */
    bool takes_trailers; /* its client said so (TE), and the origin is told */
    bool binds;          /* the origin may take all of the connection for this client's */
    const struct http_fields *fields; /* without framing, connection and Host fields */
};

struct answer_head {
    uint16_t status;
    struct bytes reason;
    enum http_framing framing;
    uint64_t body_length; /* HTTP_LENGTH_KNOWN; also told for HEAD and 304 */
    bool reports_length;  /* of the body that a GET would have had: HEAD and 304 only */
    bool upgrades;
    bool goes_on; /* trailers may follow, also where there is no body */
    const struct http_fields *fields;
};

static inline void http_fields_clear(struct http_fields *fields)
{
    fields->count = 0;
    fields->bytes = 0;
}

/* false: no room left. */
static inline bool http_fields_add(struct http_fields *fields, struct bytes name,
                                   struct bytes value)
{
    if (fields->count == HTTP_FIELDS_MAX) {
        return false;
    }
    fields->bytes += name.length + value.length + 4;
    fields->rows[fields->count++] = (struct http_field){name, value};
    return true;
}

/* Takes out all with that name. */
static inline void http_fields_drop(struct http_fields *fields, struct bytes name)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < fields->count; i++) {
        if (!bytes_equal_fold(fields->rows[i].name, name)) {
            fields->rows[kept++] = fields->rows[i];
        }
    }
    fields->count = kept;
}

#endif
