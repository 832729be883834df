/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client says of media types (Accept, RFC 9110 section 12.5.1). Called where an answer of our own
 * has more than one form. Pure. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/message.h"

/* How much the client wants this media type, in thousandths; 0: not at all, or it does not name the type. A
 * wildcard names none. */
unsigned http_accept_weight(const struct http_headers *headers, struct bytes type);

#endif
