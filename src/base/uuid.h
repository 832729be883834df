/* SPDX-License-Identifier: BSD-2-Clause */
/* Request ids: UUID version 7 (RFC 9562 section 5.7), so that they sort by time.
 * Made once an exchange where the client sent none, hence fast. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/system/random.h"

#define UUID_TEXT_LENGTH 36

/* `milliseconds` since the epoch. Writes UUID_TEXT_LENGTH bytes, without a NUL. */
void uuid_v7(char *out, uint64_t milliseconds, struct random *random);

#endif
