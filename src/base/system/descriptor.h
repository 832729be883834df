/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors that neither wait nor go on to children, made in one call where the system can. */
#ifndef BASE_SYSTEM_DESCRIPTOR_H
#define BASE_SYSTEM_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/socket.h>

/* All close on exec, and none waits unless it is said; -1 or false with errno. */
int descriptor_socket(int family, int type);
int descriptor_blocking_socket(int family, int type);
int descriptor_accept(int listening, struct sockaddr *from, socklen_t *length);
bool descriptor_pipe(int ends[2]); /* to read from, to write to */

#endif
