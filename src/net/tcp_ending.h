/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel knows of a TCP connection that is ending: read before it is closed. */
#ifndef NET_TCP_ENDING_H
#define NET_TCP_ENDING_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_ending {
    uint64_t acked;         /* bytes that the other side's kernel has acknowledged, ever */
    uint32_t round_trip_us; /* smoothed */
    bool reset;             /* nothing can come or go any more */
};

/* false: not TCP, or a kernel that does not tell. */
bool tcp_ending_read(int fd, struct tcp_ending *ending);

#endif
