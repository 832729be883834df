/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths as routes match them (RFC 3986 section 6.2.2), query lookup, authorities. What of a path
 * goes on to an origin is decided by route/path_guard. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/bytes.h"

/* What a path has that its normal form has not, and what may be read in several ways; a set. */
enum uri_mark {
    URI_DOTS = 1,     /* "." and ".." segments */
    URI_ESCAPES = 2,  /* escapes of characters that need none */
    URI_EMPTY = 4,    /* empty segments before the last one */
    URI_DOUBTFUL = 8, /* ";", "\\", and the escapes of these and of "%", "/", "?" and "#" */
};

/* Normal form: unreserved percent-escapes decoded, other escapes in upper case, "." and ".."
 * segments removed, runs of "/" made one. Returns false for what no route may match and the
 * client must hear 400 for: a bad escape, %00, a path that climbs above its root.
 * *normal points into `path` when nothing changed, else into `scratch` (at least path.length bytes). */
bool uri_normalise_path(struct bytes path, char *scratch, struct bytes *normal, unsigned *marks);

/* Only the escapes of a path that has a normal form are changed; into `scratch` (at least
 * path.length bytes). */
struct bytes uri_normalise_escapes(struct bytes path, char *scratch);

/* The value of the first `name=` in a query, compared and returned as it came (not decoded). */
bool uri_query_value(struct bytes query, struct bytes name, struct bytes *value);

/* The same whatever the spelling: name and value are compared and returned with their percent-escapes
 * decoded, once; a bad escape and "+" stay as they are. `room`: at least query.length bytes. */
bool uri_query_decoded(struct bytes query, struct bytes name, char *room, struct bytes *value);

/* Splits "host", "host:port", "[v6]:port" (RFC 3986 section 3.2). False when malformed:
 * bad characters, userinfo, empty host, port not 0 to 65535. `host` keeps v6 brackets. */
bool uri_split_authority(struct bytes authority, struct bytes *host, struct bytes *port);

#endif
