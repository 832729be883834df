/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tcp_ending where the kernel cannot tell: the delivery of what was sent is unknown then. */
#include "net/tcp_ending.h"

bool tcp_ending_read(int fd, struct tcp_ending *ending)
{
    (void)fd;
    (void)ending;
    return false;
}
