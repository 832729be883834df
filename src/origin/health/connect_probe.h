/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCP connection to an ejected origin whose time is over, with nothing sent on it. A request is
 * risked only if the origin accepts it. Part of a struct origin; origin_half_open.c begins it on
 * whichever worker notices first, one at a time for the whole process. */
#ifndef ORIGIN_HEALTH_CONNECT_PROBE_H
#define ORIGIN_HEALTH_CONNECT_PROBE_H

#include "net/transport.h"

struct origin;
struct service;

/* `why` the origin did not accept a connection; NULL: it did. */
typedef void origin_connect_probed(struct origin *origin, struct service *service, const char *why);

struct connect_probe {
    struct transport transport;
    struct alarm alarm;
    struct service *service; /* whose settings it goes by; NULL: none is on its way */
    origin_connect_probed *connect_probed;
};

/* Ends in `connect_probed`, which may be called before this returns. */
void origin_connect_probe(struct origin *origin, struct service *service,
                          origin_connect_probed *connect_probed);
/* Without a result. Harmless where none is on its way. */
void origin_connect_probe_cancel(struct origin *origin);

#endif
