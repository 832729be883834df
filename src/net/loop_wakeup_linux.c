/* SPDX-License-Identifier: BSD-2-Clause */
/* net/loop_wakeup: an eventfd. */
#include "net/loop_wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool loop_wakeup_open(struct loop_wakeup *wakeup)
{
    wakeup->fd = wakeup->into = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return wakeup->fd >= 0;
}

/* EAGAIN: more have been sent than it counts. */
bool loop_wakeup_send(struct loop_wakeup *wakeup)
{
    const uint64_t one = 1;

    return write(wakeup->into, &one, sizeof(one)) > 0 || errno == EAGAIN;
}

bool loop_wakeup_take(struct loop_wakeup *wakeup)
{
    uint64_t count;

    return read(wakeup->fd, &count, sizeof(count)) > 0;
}

void loop_wakeup_close(struct loop_wakeup *wakeup)
{
    if (wakeup->fd >= 0) {
        close(wakeup->fd);
        wakeup->fd = wakeup->into = -1;
    }
}
