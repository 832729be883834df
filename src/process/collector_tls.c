/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of observe/collector.c, passed on to tls/tls_channel.c. */
#include "process/collector_tls.h"

static void *begin(void *dialer, int fd, const char *name)
{
    return tls_channel_new(dialer, fd, name);
}

static bool handshake(void *connection, short *events)
{
    return tls_channel_handshake(connection, events);
}

static ssize_t receive_bytes(void *connection, void *into, size_t room, short *events)
{
    return tls_channel_read(connection, into, room, events);
}

static ssize_t send_bytes(void *connection, struct bytes bytes, short *events)
{
    return tls_channel_write(connection, bytes, events);
}

static const char *problem(const void *connection)
{
    return tls_channel_problem(connection);
}

static void end(void *connection)
{
    struct tls_channel *channel = connection;

    tls_channel_free(&channel);
}

static void forget(void *held)
{
    struct tls_dialer *dialer = held;

    tls_dialer_unref(&dialer);
}

struct collector_tls collector_tls_of(const struct tls_store *store)
{
    static const struct collector_tls_ops ops = {
        .begin = begin,
        .handshake = handshake,
        .receive = receive_bytes,
        .send = send_bytes,
        .problem = problem,
        .end = end,
        .forget = forget,
    };
    struct tls_dialer *dialer = tls_store_collector(store);

    return dialer != NULL ? (struct collector_tls){&ops, tls_dialer_ref(dialer)}
                          : (struct collector_tls){NULL, NULL};
}
