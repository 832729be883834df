/* SPDX-License-Identifier: BSD-2-Clause */
/* Another address of the same name, for a request that could not reach one. */
#ifndef ORIGIN_SERVICE_SIBLING_H
#define ORIGIN_SERVICE_SIBLING_H

#include "origin/origin_private.h"

/* The first in line for `origin` goes there, after a connection could not be opened. false: it is
 * not that kind of failure, or there is none. */
bool sibling_takes_over(struct origin *origin, enum origin_failure failure);

#endif
