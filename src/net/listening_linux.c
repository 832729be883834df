/* SPDX-License-Identifier: BSD-2-Clause */
/* net/listening with SO_REUSEPORT and what TCP has on Linux. */
#include "net/listening.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

bool listening_spreads(void)
{
    return true;
}

bool listening_share_port(int fd)
{
    const int yes = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) == 0;
}

void listening_defer(int fd, int seconds)
{
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

/* Linux hands the option on from a listening socket to what it accepts. A Unix socket has none. */
void listening_bound_unsent(int fd, uint32_t bytes)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}
