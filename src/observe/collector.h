/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a batch of spans to the collector: one POST over a connection of its own. Blocks, for no
 * longer than the target's timeout and the lookup of its name take: called by the exporter's thread
 * (span_exporter.c) alone. */
#ifndef OBSERVE_COLLECTOR_H
#define OBSERVE_COLLECTOR_H

#include "config/settings.h"
#include "observe/collector_answer.h"

#include <stdatomic.h>
#include <sys/types.h>

/* How a connection speaks TLS: handed over by process/, since no TLS is known here. Sockets do not
 * block; where a call does not do what it is asked for, errno says why, and EAGAIN that it is to be
 * made again after a poll() for *events. */
struct collector_tls_ops {
    void *(*begin)(void *dialer, int fd, const char *name); /* NULL: out of memory */
    bool (*handshake)(void *connection, short *events);
    ssize_t (*receive)(void *connection, void *into, size_t room, short *events);
    ssize_t (*send)(void *connection, struct bytes bytes, short *events);
    const char *(*problem)(const void *connection); /* why it failed */
    void (*end)(void *connection);
    void (*forget)(void *dialer); /* no caller begins with it any more */
};

struct collector_tls {
    const struct collector_tls_ops *ops; /* NULL: plain */
    void *dialer;
};

/* How long a call may take. */
struct collector_patience {
    unsigned most_ms;
    const _Atomic bool *stops; /* once this is set, no more than: */
    unsigned stop_ms;
};

void collector_post(const struct tracing_settings *to, const struct collector_tls *tls,
                    struct bytes body, const struct collector_patience *patience,
                    struct collector_answer *answer);

#endif
