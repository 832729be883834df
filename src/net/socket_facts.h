/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel knows of a socket beyond what is in it to be read. Used by net/transport and
 * tls/tls_hello. */
#ifndef NET_SOCKET_FACTS_H
#define NET_SOCKET_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* As recv and send with no flags; a send to a socket that is closed raises no signal. */
ssize_t socket_receive(int fd, void *into, size_t room);
ssize_t socket_send(int fd, const struct iovec *piece);

/* Bytes that were sent and not acknowledged; 0 where that is unknown. */
size_t socket_unacknowledged(int fd);
/* Bytes that the kernel would take now, of which it keeps no more than `unsent_most` unsent; all of
 * these where that is unknown. */
size_t socket_room(int fd, size_t unsent_most);
uint32_t socket_round_trip_ms(int fd); /* 0: unknown */
enum socket_end { SOCKET_OPEN, SOCKET_ENDED, SOCKET_GONE };
/* ENDED: the other side sends no more, though bytes of before may wait. A system that cannot tell
 * while bytes wait says OPEN. */
enum socket_end socket_look(int fd);
/* TCP has ended in both directions; false where that is unknown. */
bool socket_tcp_is_over(int fd);
/* So many of the bytes that wait go unread. */
void socket_drop_unread(int fd, size_t most);
/* The process at the other end of a Unix socket; false: it is none, or unknown. */
bool socket_tell_peer(int fd, pid_t *pid, uid_t *uid);

#endif
