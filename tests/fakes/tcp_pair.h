/* SPDX-License-Identifier: BSD-2-Clause */
/* A real TCP connection over loopback, for tests of what a socket pair cannot do: resets, say. */
#ifndef FAKES_TCP_PAIR_H
#define FAKES_TCP_PAIR_H

/* ends[0] dialed ends[1]; neither blocks, and the caller closes both. Nothing has been said on it. */
void tcp_pair_open(int ends[2]);

#endif
