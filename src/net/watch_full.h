/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine of net/watch does when the kernel watches no more descriptors for its user. */
#ifndef NET_WATCH_FULL_H
#define NET_WATCH_FULL_H

#include <time.h>

/* One a thread; zeroed at first. */
struct watch_full {
    time_t reported; /* 0: never */
};

/* Tells operators, once a minute at most, and makes errno ENOMEM: to callers it is memory that is
 * short, and no fault of the other side. */
void watch_full_note(struct watch_full *full);

#endif
