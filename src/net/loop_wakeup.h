/* SPDX-License-Identifier: BSD-2-Clause */
/* Wakes a loop from another thread: a descriptor that is readable once one was sent. Used by net/loop. */
#ifndef NET_LOOP_WAKEUP_H
#define NET_LOOP_WAKEUP_H

#include <stdbool.h>

struct loop_wakeup {
    int fd;   /* to watch; -1: not open */
    int into; /* to write to */
};

bool loop_wakeup_open(struct loop_wakeup *wakeup); /* false with errno */
/* From any thread. false with errno: it could not be sent. */
bool loop_wakeup_send(struct loop_wakeup *wakeup);
/* false: none was sent. */
bool loop_wakeup_take(struct loop_wakeup *wakeup);
void loop_wakeup_close(struct loop_wakeup *wakeup);

#endif
