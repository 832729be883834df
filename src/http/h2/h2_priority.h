/* SPDX-License-Identifier: BSD-2-Clause */
/* The priority that a client asks for (RFC 9218). */
#ifndef HTTP_H2_H2_PRIORITY_H
#define HTTP_H2_H2_PRIORITY_H

#include "base/bytes.h"

#define H2_URGENCY_USUAL 3
#define H2_URGENCY_LAST 7

struct h2_priority {
    uint8_t urgency; /* 0: first */
    bool incremental;
};

/* Of the value of a Priority field. What cannot be read counts as if it were not there. */
struct h2_priority h2_priority_of(struct bytes value);

#endif
