/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel knows of a socket beyond what is in it to be read, and what a system can do for
 * sockets beyond what all can. Used by net/, tls/tls_hello, origin/delivery, and by those who open a
 * socket for each worker. */
#ifndef NET_SOCKET_FACTS_H
#define NET_SOCKET_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* As recv and sendmsg with no flags; a send to a socket that is closed raises no signal. */
ssize_t socket_receive(int fd, void *into, size_t room);
ssize_t socket_send(int fd, const struct iovec *pieces, int count);

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

/* What the kernel knows of a TCP connection that is ending: read before it is closed. */
struct tcp_ending {
    uint64_t acked;         /* bytes that the other side's kernel has acknowledged, ever */
    uint32_t round_trip_us; /* smoothed */
    bool reset;             /* nothing can come or go any more */
};
/* false: not TCP, or a kernel that does not tell. */
bool tcp_ending_read(int fd, struct tcp_ending *ending);

/* --- listening --------------------------------------------------------------------------- */

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

/* Which process holds the lock of a file. 0: not known. */
long lock_holder(int fd);

#endif
