/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll_ctl as it is when fs.epoll.max_user_watches is reached. */
#include "full_epoll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

bool full_epoll;

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (full_epoll && operation == EPOLL_CTL_ADD) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}
