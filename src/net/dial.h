/* SPDX-License-Identifier: BSD-2-Clause */
/* Begins connections to origins. Called by origin/origin_connection. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/address.h"

/* A non-blocking socket on its way to `address`; -1 with errno when that failed at once.
 * The connection stands when the descriptor becomes writable and dial_error returns 0. */
int dial(const struct address *address);
/* The errno that ended connecting, 0 when it succeeded. */
int dial_error(int fd);
/* It is we who have no descriptor or memory left: that says nothing about the other side. */
bool dial_lacks_resources(int error);

#endif
