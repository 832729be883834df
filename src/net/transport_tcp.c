/* SPDX-License-Identifier: BSD-2-Clause */
/* The transport that is a plain stream socket, TCP or Unix. */
#include "net/transport.h"

#include "net/socket_facts.h"

#include <sys/socket.h>
#include <unistd.h>

static ssize_t tcp_read(struct transport *transport, void *into, size_t room)
{
    ssize_t count;

    do {
        count = socket_receive(transport->fd, into, room);
    } while (count < 0 && errno == EINTR);
    return count;
}

static ssize_t tcp_write(struct transport *transport, const struct iovec *from, int count)
{
    ssize_t written;

    do {
        written = socket_send(transport->fd, from, count);
    } while (written < 0 && errno == EINTR);
    return written;
}

static void tcp_finish(struct transport *transport)
{
    shutdown(transport->fd, SHUT_WR);
}

static void tcp_close(struct transport *transport, bool clean)
{
    (void)clean;
    close(transport->fd);
}

static bool tcp_is_stale(struct transport *transport)
{
    return transport_has_input(transport);
}

static const struct transport_ops tcp_ops = {
    .scheme = {"http", 4},
    .plain = true,
    .read = tcp_read,
    .write = tcp_write,
    .finish = tcp_finish,
    .close = tcp_close,
    .is_stale = tcp_is_stale,
};

bool transport_start_tcp(struct transport *transport, struct loop *loop, int fd, short wanted,
                         watch_ready *ready, void *owner)
{
    transport->ops = &tcp_ops;
    transport->fd = fd;
    transport->wanted = wanted;
    transport->holds = false;
    transport->ends = false;
    memset(&transport->watch, 0, sizeof(transport->watch));
    if (!loop_watch(loop, &transport->watch, fd, wanted, ready, owner)) {
        watch_stop(&transport->watch);
        close(fd);
        transport->fd = -1;
        return false;
    }
    return true;
}
