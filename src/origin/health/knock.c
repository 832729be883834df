/* SPDX-License-Identifier: BSD-2-Clause */
/* One dial with a deadline. */
#include "origin/health/knock.h"

#include "net/dial.h"
#include "origin/service/service_private.h"

#include <errno.h>

#define KNOCK_MS 2000

static struct loop *loop_of(const struct origin *origin)
{
    return origin->directory->bench->loop;
}

static void stop(struct origin *origin)
{
    alarm_clear(loop_of(origin), &origin->knock.alarm);
    if (origin->knock.service != NULL) {
        transport_close(&origin->knock.transport);
        origin->knock.service = NULL;
    }
}

static void end(struct origin *origin, const char *why)
{
    struct service *service = origin->knock.service;

    stop(origin);
    origin->knock.knocked(origin, service, why);
}

static void on_ready(int fd, short what, void *owner)
{
    struct origin *origin = owner;
    int error = dial_error(fd);

    (void)what;
    loop_tell_time(loop_of(origin));
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

void origin_knock(struct origin *origin, struct service *service, origin_knocked *knocked)
{
    struct knock *knock = &origin->knock;
    int fd = dial(&origin->address);

    if (fd < 0 || !transport_start_tcp(&knock->transport, loop_of(origin), fd, WATCH_WRITABLE,
                                       on_ready, origin)) {
        knocked(origin, service, reason_of(errno));
        return;
    }
    knock->service = service;
    knock->knocked = knocked;
    alarm_set(loop_of(origin), &knock->alarm, KNOCK_MS, on_timeout, origin);
}

void origin_knock_cancel(struct origin *origin)
{
    if (origin->knock.service != NULL) {
        stop(origin);
        atomic_store_explicit(&origin->entry->knocking, false, memory_order_release);
    }
}
