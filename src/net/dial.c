/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets towards origins: non-blocking, without Nagle's delay. */
#include "net/dial.h"

#include "base/system/descriptor.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

int dial(const struct address *address)
{
    const int yes = 1;
    int fd = descriptor_socket(address->any.sa_family, SOCK_STREAM);
    int failure;

    if (fd < 0) {
        return -1;
    }
    if (address->any.sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    if (connect(fd, &address->any, address->length) == 0 || errno == EINPROGRESS) {
        return fd;
    }
    failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

int dial_error(int fd)
{
    int failure = 0;
    socklen_t length = sizeof(failure);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0) {
        return errno;
    }
    return failure;
}

bool dial_lacks_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}
