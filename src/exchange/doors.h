/* SPDX-License-Identifier: BSD-2-Clause */
/* Which clients `allow` and `deny` of a listener or route let in. Pure; for doors.c and for those who
 * explain. */
#ifndef EXCHANGE_DOORS_H
#define EXCHANGE_DOORS_H

#include "config/settings.h"

/* A client without an address (a Unix socket) is in no network. */
bool doors_let_in(const struct doors_settings *doors, const struct ip *ip);

#endif
