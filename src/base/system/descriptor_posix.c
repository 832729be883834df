/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/descriptor by fcntl: two calls more for each. A child that is started between them
 * would inherit it. */
#include "base/system/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool prepare(int fd, bool waits)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | (waits ? 0 : O_NONBLOCK)) == 0;
}

static int prepared(int fd, bool waits)
{
    int failure;

    if (fd < 0 || prepare(fd, waits)) {
        return fd;
    }
    failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

int descriptor_socket(int family, int type)
{
    return prepared(socket(family, type, 0), false);
}

int descriptor_blocking_socket(int family, int type)
{
    return prepared(socket(family, type, 0), true);
}

int descriptor_accept(int listening, struct sockaddr *from, socklen_t *length)
{
    return prepared(accept(listening, from, length), false);
}

bool descriptor_pipe(int ends[2])
{
    if (pipe(ends) < 0) {
        return false;
    }
    if (prepare(ends[0], false) && prepare(ends[1], false)) {
        return true;
    }
    close(ends[0]);
    close(ends[1]);
    return false;
}
