/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests in line for an origin that is a placeholder for a name. */
#ifndef ORIGIN_POOL_NAME_WAIT_H
#define ORIGIN_POOL_NAME_WAIT_H

#include "origin/origin_private.h"

/* A request waits in line there. */
void name_wait_watch(struct origin *origin);
/* The service has the origin no more: those of its requests that wait in line go elsewhere. */
void name_wait_leave(struct origin *origin, struct service *service);
/* DNS has an answer for the name, and the services have taken it in: those who wait for it go on. */
void name_wait_answered(struct origin_directory *directory, const char *name,
                        enum name_state state);

#endif
