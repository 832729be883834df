/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths as routes match them, and query and cookie lookup. Forwarding uses the path as it
 * came; only matching and logs use the normal form (RFC 3986 section 6.2.2). */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/bytes.h"

/* Normal form: unreserved percent-escapes decoded, other escapes in upper case, "." and ".."
 * segments removed, runs of "/" made one. Returns false for what no route may match and the
 * client must hear 400 for: a bad escape, %00, a path that climbs above its root.
 * *normal points into `path` when nothing changed, else into `scratch` (at least path.length bytes). */
bool uri_normalise_path(struct bytes path, char *scratch, struct bytes *normal);

/* The value of the first `name=` in a query, compared and returned as it came (not decoded). */
bool uri_query_value(struct bytes query, struct bytes name, struct bytes *value);

/* Splits "host", "host:port", "[v6]:port" (RFC 3986 section 3.2). False when malformed:
 * bad characters, userinfo, empty host, port not 0 to 65535. `host` keeps v6 brackets. */
bool uri_split_authority(struct bytes authority, struct bytes *host, struct bytes *port);

#endif
