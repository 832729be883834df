/* SPDX-License-Identifier: BSD-2-Clause */
/* net/loop_wakeup: a pipe. */
#include "net/loop_wakeup.h"

#include "base/system/descriptor.h"

#include <errno.h>
#include <unistd.h>

bool loop_wakeup_open(struct loop_wakeup *wakeup)
{
    int ends[2];

    if (!descriptor_pipe(ends)) {
        wakeup->fd = wakeup->into = -1;
        return false;
    }
    wakeup->fd = ends[0];
    wakeup->into = ends[1];
    return true;
}

/* EAGAIN: the pipe is full of them. */
bool loop_wakeup_send(struct loop_wakeup *wakeup)
{
    return write(wakeup->into, "", 1) > 0 || errno == EAGAIN;
}

bool loop_wakeup_take(struct loop_wakeup *wakeup)
{
    char sent[256];
    bool some = false;

    while (read(wakeup->fd, sent, sizeof(sent)) > 0) {
        some = true;
    }
    return some;
}

void loop_wakeup_close(struct loop_wakeup *wakeup)
{
    if (wakeup->fd >= 0) {
        close(wakeup->fd);
        close(wakeup->into);
        wakeup->fd = wakeup->into = -1;
    }
}
