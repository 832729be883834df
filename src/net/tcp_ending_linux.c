/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_INFO, whose longer form only the kernel's own header knows. Called by origin/delivery.c
 * when an attempt has failed: never on the way of a request that succeeds. */
#include "net/tcp_ending.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define STATE_CLOSE 7 /* TCP_CLOSE; the header that names it does not go with linux/tcp.h */

/* The first byte to be acknowledged was the SYN, which is none of the stream's. */
#define SYN_BYTES 1

bool tcp_ending_read(int fd, struct tcp_ending *ending)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(struct tcp_info, tcpi_bytes_received)) {
        return false;
    }
    ending->acked = info.tcpi_bytes_acked > SYN_BYTES ? info.tcpi_bytes_acked - SYN_BYTES : 0;
    ending->round_trip_us = info.tcpi_rtt;
    ending->reset = info.tcpi_state == STATE_CLOSE;
    return true;
}
