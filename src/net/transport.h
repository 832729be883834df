/* SPDX-License-Identifier: BSD-2-Clause */
/* Ordered bytes both ways without waiting, whatever carries them. Embedded in client and
 * origin connections. Readiness-shaped: the owner is called when the descriptor is ready for
 * what it wanted, reads or writes, and says what it wants next.
 * Write first and ask for WRITABLE only after a short write: no system call is spent on
 * interest that is never needed. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "base/address.h"
#include "net/loop.h"
#include "net/socket_facts.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport;

/* What errno says where the other side sent much that brought no data: it is to be cut. */
#define TRANSPORT_FLOODED EBADMSG

/* Bytes that one write takes where the socket has room for them; over TLS hardly more. What it leaves
 * behind waits for the next turn. */
#define TRANSPORT_WRITE_LEAST (64 * 1024)

struct transport_ops {
    struct bytes scheme; /* "http" or "https" */
    bool plain;          /* what is written goes to the socket as it is */
    /* > 0 bytes, 0 at the end, -1 with errno (EAGAIN: nothing now; TRANSPORT_FLOODED). */
    ssize_t (*read)(struct transport *transport, void *into, size_t room);
    /* Bytes taken, maybe fewer than offered; -1 with errno (EAGAIN: none now). */
    ssize_t (*write)(struct transport *transport, const struct iovec *from, int count);
    /* Says to the other side that nothing more will come. */
    void (*finish)(struct transport *transport);
    /* Frees what the transport holds, and the descriptor. Not clean: the other side must be able
     * to tell that something is missing. */
    void (*close)(struct transport *transport, bool clean);
    /* Bytes that it took, and the kernel has not; NULL: none ever. */
    size_t (*kept)(const struct transport *transport);
    /* See transport_is_stale. */
    bool (*is_stale)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
    int fd; /* -1: closed */
    short wanted;
    bool holds; /* bytes that the loop cannot see: a reader is called */
    bool ends;  /* set by the owner: what it offers to the next write is the last */
    struct watch watch;
};

/* Takes over `fd`, which must be non-blocking. `ready` gets `owner` back as its last argument.
 * false with errno; the descriptor is closed then. */
bool transport_start_tcp(struct transport *transport, struct loop *loop, int fd, short wanted,
                         watch_ready *ready, void *owner);

static inline ssize_t transport_read(struct transport *transport, void *into, size_t room)
{
    return transport->ops->read(transport, into, room);
}

static inline ssize_t transport_write(struct transport *transport, const struct iovec *from,
                                      int count)
{
    return transport->ops->write(transport, from, count);
}

static inline bool transport_is_open(const struct transport *transport)
{
    return transport->fd >= 0;
}

/* Bytes that it took, and the kernel has not. */
static inline size_t transport_kept(const struct transport *transport)
{
    return transport->ops->kept != NULL ? transport->ops->kept(transport) : 0;
}

void transport_want(struct transport *transport, short wanted);
/* It is of no use any more, for a reason that the read side does not know: the owner is called, and
 * finds it closed instead of waiting for ever. What came before can still be read. */
void transport_break(struct transport *transport);
void transport_finish(struct transport *transport);
/* Harmless when closed already. */
void transport_close(struct transport *transport);
/* Closes so that the other side sees a reset: for a broken exchange that must not look whole. */
void transport_reset(struct transport *transport);
/* Bytes that the transport took and the other side has not acknowledged; 0 where that is unknown. */
size_t transport_unacknowledged(const struct transport *transport);
/* Bytes that the kernel would take now, of which it keeps no more than `unsent_most` that have not been
 * sent; 0: none before WRITABLE. An estimate; where nothing is known it is large. */
size_t transport_room(const struct transport *transport, size_t unsent_most);
/* As the kernel has seen it so far; 0 where it has not. */
uint32_t transport_round_trip_ms(const struct transport *transport);
/* Stops watching and gives the descriptor away: to another worker. */
int transport_give_up(struct transport *transport);
/* What can be told of the other side without a read: it still sends, will send no more (what it
 * sent before may wait unread), or can neither send nor hear. For connections that are not read
 * from: the loop tells nothing of them. */
enum socket_end transport_peek(const struct transport *transport);
/* Bytes that have come and wait to be read, as they are on the wire. */
size_t transport_unread(const struct transport *transport);
/* Takes what has come off the socket, unread: closing with bytes unread resets the connection, and
 * the reset may overtake an alert that says why. What is still on its way is not waited for. */
void transport_drop_unread(const struct transport *transport);
/* The address at the other end, whatever a PROXY header says; none: a Unix socket. false: it cannot
 * be told any more. */
bool transport_report_peer_ip(int fd, struct ip *ip);
/* The process at the other end of a Unix socket; false: it is none. */
bool transport_report_peer(const struct transport *transport, pid_t *pid, uid_t *uid);
/* The kernel has bytes of the other side, or its end, that were not read yet. Reads nothing. */
bool transport_has_input(const struct transport *transport);
/* True when the other side has closed or sent something unasked: not to be used again. */
bool transport_is_stale(struct transport *transport);

#endif
