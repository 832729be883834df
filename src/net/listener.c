/* SPDX-License-Identifier: BSD-2-Clause */
/* The accept loop: at most a batch a turn, so that a burst of new clients does not keep the
 * established ones waiting. */
#include "net/listener.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "net/socket_facts.h"
#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 32
#define BACKLOG 65535 /* the kernel cuts it to net.core.somaxconn */
#define PAUSE_MS 100
#define SILENT_SECONDS 1
#define REPORT_AGAIN_US (60 * 1000000ull) /* without a pause: up and down is one story */

struct listener {
    struct loop *loop;
    struct watch watch;
    struct alarm pause;
    int fd;
    int batch; /* how many to try for in a turn: 1 unless more wait behind one another */
    bool held; /* by listener_pause */
    uint64_t exhausted_us; /* when last; 0: never */
    listener_accepted *accepted;
    void *owner;
    struct listener *next; /* of the same address; nearly never */
};

static bool set_options(int fd, sa_family_t family)
{
    const int yes = 1;

    if (family == AF_UNIX) {
        return true;
    }
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    }
    /* Accepted sockets inherit it: one system call less for each connection. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    /* Clients speak first, so a connection is worth waking up for once its first bytes are there:
     * a third less CPU for a connection with one request. One that says nothing comes after a
     * second all the same. */
    listening_defer(fd, SILENT_SECONDS);
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0;
}

/* The kernel asks for the option of both when the second one binds: without it this bind fails if
 * another socket listens there already, and with it from then on ours may follow. */
static bool bind_to(int fd, const struct address *address, bool alone)
{
    bool local = address->any.sa_family == AF_UNIX;

    return (local || alone || listening_share_port(fd)) &&
           bind(fd, &address->any, address->length) == 0 && (local || listening_share_port(fd));
}

static bool bind_and_listen(int fd, const struct address *address, mode_t mode, bool alone)
{
    bool local = address->any.sa_family == AF_UNIX;

    return set_options(fd, address->any.sa_family) && bind_to(fd, address, alone) &&
           (!local || chmod(address->local.sun_path, mode) == 0) && listen(fd, BACKLOG) == 0;
}

static bool open_local(int fd, const struct address *address, mode_t mode)
{
    int claim = socket_file_claim(address);
    bool listens = claim >= 0 && bind_and_listen(fd, address, mode, false);
    int failure = errno;

    if (claim >= 0) {
        socket_file_end_claim(address, claim);
    }
    errno = failure;
    return listens;
}

static int open_at(const struct address *address, mode_t mode, bool alone)
{
    sa_family_t family = address->any.sa_family;
    int fd = descriptor_socket(family, SOCK_STREAM);
    int failure;

    if (fd < 0) {
        return -1;
    }
    if (family == AF_UNIX ? open_local(fd, address, mode)
                          : bind_and_listen(fd, address, mode, alone)) {
        return fd;
    }
    failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

int listener_open(const struct address *address, mode_t mode)
{
    return open_at(address, mode, false);
}

int listener_open_alone(const struct address *address, mode_t mode)
{
    return open_at(address, mode, true);
}

void listener_adopt(int fd, sa_family_t family)
{
    const int yes = 1;

    if (family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        listening_defer(fd, SILENT_SECONDS);
    }
}

bool listener_is_one(int fd)
{
    int kind = 0;
    int listens = 0;
    socklen_t size = sizeof(kind);

    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

int listener_try(const struct address *address)
{
    sa_family_t family = address->any.sa_family;
    int fd = family == AF_UNIX ? -1 : descriptor_blocking_socket(family, SOCK_STREAM);
    int failure = 0;

    if (family == AF_UNIX) {
        return 0;
    }
    if (fd < 0 || !set_options(fd, family) || bind(fd, &address->any, address->length) < 0) {
        failure = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return failure;
}

bool listener_bound_address(int fd, struct address *address)
{
    address->length = sizeof(address->local);
    return getsockname(fd, &address->any, &address->length) == 0;
}

/* Whatever made it pause may keep the loop from watching it, too: it would not be called again
 * then. */
static void on_pause_over(void *owner)
{
    struct listener *listener = owner;

    if (!listener->held && !watch_change(&listener->watch, WATCH_READABLE)) {
        alarm_set(listener->loop, &listener->pause, PAUSE_MS, on_pause_over, listener);
    }
}

static void pause_for_descriptors(struct listener *listener)
{
    uint64_t now_us = loop_now(listener->loop);

    if (listener->exhausted_us == 0 || now_us >= listener->exhausted_us + REPORT_AGAIN_US) {
        log_warning("no file descriptor left for a new connection: accepting pauses until some "
                    "are closed (raise the limit, LimitNOFILE= or ulimit -n, or set "
                    "limits.max_connections below it)");
    }
    listener->exhausted_us = now_us;
    if (watch_is_on(&listener->watch)) { /* it is not, once the listener ends */
        watch_change(&listener->watch, 0);
        alarm_set(listener->loop, &listener->pause, PAUSE_MS, on_pause_over, listener);
    }
}

/* false: none waits, or none can be taken now. */
static bool accept_one(struct listener *listener)
{
    struct address from;
    int accepted;

    from.length = sizeof(from.local);
    accepted = descriptor_accept(listener->fd, &from.any, &from.length);
    if (accepted >= 0) {
        listener->accepted(listener->owner, accepted, &from);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_for_descriptors(listener);
        return false;
    }
    /* EAGAIN: none. The others are errors of one connection, gone with it. */
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void on_readable(int fd, short what, void *owner)
{
    struct listener *listener = owner;

    (void)fd;
    (void)what;
    loop_note_event(listener->loop); /* maybe the first after a long wait */
    for (int i = 0; i < listener->batch; i++) {
        if (listener->held || !accept_one(listener)) {
            listener->batch = 1;
            return;
        }
    }
    /* Trying for one more than there is costs a system call: only a full batch grows. */
    if (listener->batch < BATCH) {
        listener->batch *= 2;
    }
}

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *owner)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL) {
        return NULL;
    }
    listener->loop = loop;
    listener->batch = 1;
    listener->fd = fd;
    listener->accepted = accepted;
    listener->owner = owner;
    if (!loop_watch(loop, &listener->watch, fd, WATCH_READABLE, on_readable, listener)) {
        free(listener);
        return NULL;
    }
    return listener;
}

bool listener_join(struct listener *listener, int fd)
{
    struct listener *more = listener_new(listener->loop, fd, listener->accepted, listener->owner);

    if (more == NULL) {
        return false;
    }
    more->next = listener->next;
    listener->next = more;
    return true;
}

int listener_descriptor(const struct listener *listener)
{
    return listener->fd;
}

void listener_take_silent(struct listener *listener)
{
    for (; listener != NULL; listener = listener->next) {
        listening_defer(listener->fd, 0);
    }
}

/* No more than can wait at once: clients who keep coming must not keep the worker. */
static void accept_what_waits(struct listener *listener)
{
    for (int i = 0; i < BACKLOG && accept_one(listener); i++) {
    }
}

/* The kernel resets what comes between the last accept and close: nothing else is done there. */
static void end(struct listener **listener, bool accepts)
{
    struct listener *each = *listener;

    *listener = NULL;
    while (each != NULL) {
        struct listener *next = each->next;

        watch_stop(&each->watch);
        if (accepts) {
            accept_what_waits(each);
        }
        close(each->fd);
        alarm_clear(each->loop, &each->pause);
        free(each);
        each = next;
    }
}

void listener_free(struct listener **listener)
{
    end(listener, true);
}

void listener_discard(struct listener **listener)
{
    end(listener, false);
}

void listener_pause(struct listener *listener)
{
    for (; listener != NULL; listener = listener->next) {
        listener->held = true;
        watch_change(&listener->watch, 0);
    }
}

void listener_resume(struct listener *listener)
{
    for (; listener != NULL; listener = listener->next) {
        listener->held = false;
        if (!alarm_is_set(&listener->pause)) {
            on_pause_over(listener);
        }
    }
}
