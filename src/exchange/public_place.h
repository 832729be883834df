/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of an answer that name the origin, turned to the place that the client knows. Used by
 * exchange/forward where a route has `rewrite_location: true`. */
#ifndef EXCHANGE_PUBLIC_PLACE_H
#define EXCHANGE_PUBLIC_PLACE_H

#include "base/text.h"
#include "config/settings.h"
#include "http/fields.h"

struct public_place {
    const struct route_settings *route;
    struct bytes origin; /* its name, as in the file: "10.0.0.1:80" */
    bool origin_tls;
    struct bytes sent;      /* Host, as the origin got it */
    struct bytes scheme;    /* that the client used */
    struct bytes authority; /* the same; empty where it named none */
};

/* Location, Content-Location and Set-Cookie are changed where they name the origin or a path below
 * the route's rewrite.path_prefix; what replaces their values is written into `text`. */
void public_place_apply(const struct public_place *place, struct http_fields *fields,
                        struct text *text);

#endif
