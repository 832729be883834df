/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the date of a field, in any of the three forms of RFC 9110 section 5.6.7. */
#ifndef CACHE_HTTP_TIME_H
#define CACHE_HTTP_TIME_H

#include "base/bytes.h"

/* Seconds since 1970. false: no date, or one before that. */
bool http_time_read(struct bytes text, int64_t *seconds);

#endif
