/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/descriptor with accept4 and pipe2. */
#include "base/system/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

int descriptor_socket(int family, int type)
{
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int descriptor_blocking_socket(int family, int type)
{
    return socket(family, type | SOCK_CLOEXEC, 0);
}

int descriptor_accept(int listening, struct sockaddr *from, socklen_t *length)
{
    return accept4(listening, from, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

bool descriptor_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
}
