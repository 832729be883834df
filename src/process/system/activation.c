/* SPDX-License-Identifier: BSD-2-Clause */
/* The descriptors keep their numbers over a binary upgrade, so the next process reads the same
 * variables. */
#include "process/system/activation.h"

#include "base/log/log.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST 3 /* SD_LISTEN_FDS_START */
#define MOST 1024
#define NAME_MAX_BYTES 64

struct activated {
    int fd;
    char name[NAME_MAX_BYTES]; /* of $LISTEN_FDNAMES, for messages */
    struct address address;
    bool is_used;
};

struct activation {
    uint32_t count;
    struct activated sockets[];
};

static long number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    long number = text != NULL ? strtol(text, &end, 10) : 0;

    return text == NULL || end == text || *end != '\0' ? 0 : number;
}

static bool is_for_this_process(const struct handover *handover)
{
    return handover != NULL || number_in("LISTEN_PID") == (long)getpid();
}

/* The name of the socket at this place of a:b:c. */
static void copy_name(const char *names, uint32_t place, char name[static NAME_MAX_BYTES])
{
    size_t length;

    for (uint32_t i = 0; names != NULL && i < place; i++) {
        names = strchr(names, ':');
        names = names != NULL ? names + 1 : NULL;
    }
    length = names != NULL ? strcspn(names, ":") : 0;
    length = length < NAME_MAX_BYTES ? length : NAME_MAX_BYTES - 1;
    memcpy(name, length > 0 ? names : "unknown", length > 0 ? length : sizeof("unknown"));
    name[length > 0 ? length : strlen("unknown")] = '\0';
}

static void add(struct activation *activation, int fd, const char *names)
{
    struct activated *socket = &activation->sockets[activation->count];

    *socket = (struct activated){.fd = fd};
    copy_name(names, (uint32_t)(fd - FIRST), socket->name);
    if (!listener_is_one(fd) || !listener_bound_address(fd, &socket->address)) {
        log_warning(
            "descriptor %d (%s) of the service manager is no listening stream socket and is "
            "not used: set ListenStream= in its socket unit, and Accept=no",
            fd, socket->name);
        return;
    }
    activation->count++;
}

/* The process before this one passed the same descriptors on; they are known by the variables. */
static void take_from(struct handover *handover, const struct activation *activation)
{
    int fds[MOST];

    for (uint32_t i = 0; handover != NULL && i < activation->count; i++) {
        handover_take(handover, "activated", &activation->sockets[i].address, fds, MOST);
    }
}

struct activation *activation_read(struct handover *handover)
{
    long count = number_in("LISTEN_FDS");
    struct activation *activation;

    if (count <= 0 || count > MOST || !is_for_this_process(handover)) {
        return NULL;
    }
    activation = calloc(1, sizeof(*activation) + (size_t)count * sizeof(*activation->sockets));
    for (int fd = FIRST; activation != NULL && fd < FIRST + count; fd++) {
        add(activation, fd, getenv("LISTEN_FDNAMES"));
    }
    if (activation != NULL) {
        take_from(handover, activation);
    }
    return activation;
}

void activation_free(struct activation **activation)
{
    for (uint32_t i = 0; *activation != NULL && i < (*activation)->count; i++) {
        close((*activation)->sockets[i].fd);
    }
    free(*activation);
    *activation = NULL;
}

uint32_t activation_take(struct activation *activation, const struct address *address, int *fds,
                         uint32_t most)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; activation != NULL && i < activation->count && taken < most; i++) {
        struct activated *socket = &activation->sockets[i];
        int fd =
            address_equal(&socket->address, address) ? fcntl(socket->fd, F_DUPFD_CLOEXEC, 0) : -1;

        if (fd >= 0) {
            listener_adopt(fd, socket->address.any.sa_family);
            fds[taken++] = fd;
            socket->is_used = true;
        }
    }
    return taken;
}

bool activation_has(const struct activation *activation, const struct address *address)
{
    for (uint32_t i = 0; activation != NULL && i < activation->count; i++) {
        if (address_equal(&activation->sockets[i].address, address)) {
            return true;
        }
    }
    return false;
}

void activation_hand_over(const struct activation *activation, struct page *lines)
{
    for (uint32_t i = 0; activation != NULL && i < activation->count; i++) {
        handover_add(lines, "activated", &activation->sockets[i].address,
                     &activation->sockets[i].fd, 1);
    }
}

void activation_report_unused(const struct activation *activation)
{
    for (uint32_t i = 0; activation != NULL && i < activation->count; i++) {
        const struct activated *socket = &activation->sockets[i];
        char text[ADDRESS_TEXT_MAX];

        text[address_format(&socket->address, text)] = '\0';
        if (!socket->is_used) {
            log_warning("the service manager's socket %s (%s) has no listener: add `- address: %s` "
                        "to `listeners`, or take it out of the socket unit",
                        text, socket->name, text);
        }
    }
}
