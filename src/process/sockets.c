/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening and closing them, and saying where they are. */
#include "process/sockets.h"

#include "base/log.h"
#include "io/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct sockets {
    const struct settings *settings;
    uint32_t opened; /* listeners that stand */
    int *fds;        /* [worker][listener] */
};

static int *slot(const struct sockets *sockets, uint32_t worker, uint32_t listener)
{
    return &sockets->fds[worker * sockets->settings->listener_count + listener];
}

static bool is_local(const struct listener_settings *listener)
{
    return listener->address.any.sa_family == AF_UNIX;
}

static bool open_one(struct sockets *sockets, uint32_t index)
{
    const struct listener_settings *listener = &sockets->settings->listeners[index];
    struct address address = listener->address;
    char text[ADDRESS_TEXT_MAX];

    for (uint32_t worker = 0; worker < sockets->settings->workers; worker++) {
        /* One socket file, whichever worker accepts from it. */
        int fd = is_local(listener) && worker > 0 ? dup(*slot(sockets, 0, index))
                                                  : listener_open(&address, listener->socket_mode);

        if (fd < 0) {
            log_error("cannot listen on %s: %s", listener->name, strerror(errno));
            return false;
        }
        *slot(sockets, worker, index) = fd;
        /* Port 0 is whatever the first worker got. */
        if (!is_local(listener) && !listener_bound_address(fd, &address)) {
            log_error("cannot tell where %s listens: %s", listener->name, strerror(errno));
            return false;
        }
    }
    text[address_format(&address, text)] = '\0';
    log_info("listening on %s (%s)", text, listener->name);
    return true;
}

struct sockets *sockets_open(const struct settings *settings)
{
    size_t count = (size_t)settings->workers * settings->listener_count;
    struct sockets *sockets = calloc(1, sizeof(*sockets));

    if (sockets == NULL || (sockets->fds = malloc(count * sizeof(int))) == NULL) {
        log_error("out of memory");
        free(sockets);
        return NULL;
    }
    sockets->settings = settings;
    for (size_t i = 0; i < count; i++) {
        sockets->fds[i] = -1;
    }
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        if (!open_one(sockets, i)) {
            sockets_close(&sockets);
            return NULL;
        }
        sockets->opened++;
    }
    return sockets;
}

int *sockets_of_worker(struct sockets *sockets, uint32_t worker)
{
    return slot(sockets, worker, 0);
}

void sockets_close(struct sockets **held)
{
    struct sockets *sockets = *held;

    *held = NULL;
    if (sockets == NULL) {
        return;
    }
    for (uint32_t index = 0; index < sockets->settings->listener_count; index++) {
        const struct listener_settings *listener = &sockets->settings->listeners[index];

        for (uint32_t worker = 0; worker < sockets->settings->workers; worker++) {
            if (*slot(sockets, worker, index) >= 0) {
                close(*slot(sockets, worker, index));
            }
        }
        if (is_local(listener) && sockets->opened > index) {
            unlink(listener->address.local.sun_path);
        }
    }
    free(sockets->fds);
    free(sockets);
}
