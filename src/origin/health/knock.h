/* SPDX-License-Identifier: BSD-2-Clause */
/* A look at the door of an ejected origin whose time is over: a connection, and nothing on it. Only
 * if that is accepted is a request risked. Part of a struct origin; origin_trial.c begins it on
 * whichever worker notices first, one at a time for the whole process. */
#ifndef ORIGIN_HEALTH_KNOCK_H
#define ORIGIN_HEALTH_KNOCK_H

#include "net/transport.h"

struct origin;
struct service;

/* `why` it did not accept a connection; NULL: it did. */
typedef void origin_knocked(struct origin *origin, struct service *service, const char *why);

struct knock {
    struct transport transport;
    struct alarm alarm;
    struct service *service; /* whose settings it goes by; NULL: none is on its way */
    origin_knocked *knocked;
};

/* Ends in `knocked`, maybe from inside. */
void origin_knock(struct origin *origin, struct service *service, origin_knocked *knocked);
/* Without a result. Harmless where none is on its way. */
void origin_knock_cancel(struct origin *origin);

#endif
