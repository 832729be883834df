/* SPDX-License-Identifier: BSD-2-Clause */
/* net/listening where the kernel spreads nothing: SO_REUSEPORT of BSD gives all connections to the
 * socket that came last. */
#include "net/listening.h"

bool listening_spreads(void)
{
    return false;
}

bool listening_share_port(int fd)
{
    (void)fd;
    return true;
}

void listening_defer(int fd, int seconds)
{
    (void)fd;
    (void)seconds;
}

void listening_bound_unsent(int fd, uint32_t bytes)
{
    (void)fd;
    (void)bytes;
}
