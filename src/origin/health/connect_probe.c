/* SPDX-License-Identifier: BSD-2-Clause */
/* One dial with a deadline. */
#include "origin/health/connect_probe.h"

#include "net/dial.h"
#include "origin/service/service_private.h"

#include <errno.h>

#define CONNECT_PROBE_MS 2000

static struct loop *loop_of(const struct origin *origin)
{
    return origin->directory->worker_context->loop;
}

static void stop(struct origin *origin)
{
    alarm_clear(loop_of(origin), &origin->connect_probe.alarm);
    if (origin->connect_probe.service != NULL) {
        transport_close(&origin->connect_probe.transport);
        origin->connect_probe.service = NULL;
    }
}

static void end(struct origin *origin, const char *why)
{
    struct service *service = origin->connect_probe.service;

    stop(origin);
    origin->connect_probe.connect_probed(origin, service, why);
}

static void on_ready(int fd, short what, void *owner)
{
    struct origin *origin = owner;
    int error = dial_error(fd);

    (void)what;
    loop_read_clock(loop_of(origin));
    end(origin, error != 0 ? strerror(error) : NULL);
}

static void on_timeout(void *owner)
{
    end(owner, "it does not accept connections");
}

/* Where it is we who cannot open a connection, the origin is given the benefit of the doubt. */
static const char *reason_of(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS
               ? NULL
               : strerror(error);
}

void origin_connect_probe(struct origin *origin, struct service *service,
                          origin_connect_probed *connect_probed)
{
    struct connect_probe *connect_probe = &origin->connect_probe;
    int fd = dial(&origin->address);

    if (fd < 0 || !transport_start_tcp(&connect_probe->transport, loop_of(origin), fd,
                                       WATCH_WRITABLE, on_ready, origin)) {
        connect_probed(origin, service, reason_of(errno));
        return;
    }
    connect_probe->service = service;
    connect_probe->connect_probed = connect_probed;
    alarm_set(loop_of(origin), &connect_probe->alarm, CONNECT_PROBE_MS, on_timeout, origin);
}

void origin_connect_probe_cancel(struct origin *origin)
{
    if (origin->connect_probe.service != NULL) {
        stop(origin);
        atomic_store_explicit(&origin->entry->connect_probing, false, memory_order_release);
    }
}
