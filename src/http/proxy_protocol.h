/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a PROXY protocol header, version 1 or 2, at the start of a connection.
 * Called by client/client_connection on listeners that say so. No sockets. */
#ifndef HTTP_PROXY_PROTOCOL_H
#define HTTP_PROXY_PROTOCOL_H

#include "base/address.h"

enum proxy_protocol_verdict {
    PROXY_PROTOCOL_COMPLETE,
    PROXY_PROTOCOL_INCOMPLETE,
    PROXY_PROTOCOL_REJECTED
};

/* On COMPLETE *consumed counts the header and *has_source tells whether it names a client
 * (LOCAL and UNKNOWN do not; v2 AF_UNIX does not). At most 536 bytes are ever needed
 * (v2 headers longer than that are rejected). */
enum proxy_protocol_verdict proxy_protocol_parse(struct bytes input, size_t *consumed,
                                                 bool *has_source, struct address *source,
                                                 struct address *destination);

#endif
