/* SPDX-License-Identifier: BSD-2-Clause */
/* What a system can do for listening sockets beyond bind and listen. Used by net/listener, and by
 * those who open a socket for each worker. */
#ifndef NET_LISTENING_H
#define NET_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

/* Several sockets may listen at one address, and new connections are spread over them: each worker
 * has one. Otherwise all workers accept from one. */
bool listening_spreads(void);
/* For that; harmless where connections are not spread. false with errno. */
bool listening_share_port(int fd);
/* Connections are told once their first bytes are there, or after so many seconds. 0: at once. */
void listening_defer(int fd, int seconds);
/* Of what connections accepted from now on have not sent yet, the kernel takes about this many bytes
 * and not megabytes; what is on its way comes on top of it, as fast as the client takes it. */
void listening_bound_unsent(int fd, uint32_t bytes);

#endif
