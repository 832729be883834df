/* SPDX-License-Identifier: BSD-2-Clause */
/* A claim is a lock on a file beside the socket's, which goes with the claim. Binding to another
 * name and renaming would do without, but the socket would go by that name ever after. */
#include "net/socket_file.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "net/socket_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".lock"
#define LOCK_CHECK_MS 10
#define LOCK_CHECKS 200

struct lock_path {
    char text[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(SUFFIX)];
};

static struct lock_path lock_path_of(const struct address *address)
{
    struct lock_path path;

    snprintf(path.text, sizeof(path.text), "%s" SUFFIX, address->local.sun_path);
    return path;
}

/* Others hold it for some microseconds. Who holds it for longer is no start of a gateway, and must not
 * hold this one for ever. */
static bool take_lock(int fd)
{
    const struct timespec pause = {0, LOCK_CHECK_MS * 1000000};

    for (int i = 0; i < LOCK_CHECKS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    errno = EBUSY;
    return false;
}

/* In a folder where all may write, another user may have made it first, to hold it. */
static bool is_ours(int fd)
{
    struct stat facts;

    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (facts.st_uid == geteuid() || facts.st_uid == 0);
}

static void report_held(const char *path, int fd)
{
    long holder = lock_holder(fd);

    if (holder > 0) {
        log_error(
            "process %ld holds the lock file %s, for two seconds already: end it, or move the "
            "socket to a folder where only the gateway may write",
            holder, path);
    } else {
        log_error("another process holds the lock file %s, for two seconds already: end it (lsof "
                  "says which), or move the socket to a folder where only the gateway may write",
                  path);
    }
}

/* After a wait, this may be the lock of a file that went with the claim before. */
static bool is_gone(int fd)
{
    struct stat facts;

    return fstat(fd, &facts) == 0 && facts.st_nlink == 0;
}

/* 0, or an error; EAGAIN: it is to be opened anew. */
static int take(const char *path, int fd)
{
    int failure;

    if (!is_ours(fd)) {
        return unlink(path) == 0 ? EAGAIN : EPERM;
    }
    if (take_lock(fd)) {
        return is_gone(fd) ? EAGAIN : 0;
    }
    failure = errno;
    if (failure == EBUSY) {
        report_held(path, fd);
    }
    return failure;
}

static int lock(const struct address *address)
{
    struct lock_path path = lock_path_of(address);

    for (;;) {
        int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        int failure;

        if (fd < 0) {
            return -1;
        }
        failure = take(path.text, fd);
        if (failure == 0) {
            return fd;
        }
        close(fd);
        if (failure != EAGAIN) {
            errno = failure;
            return -1;
        }
    }
}

/* One whose line is full is no reason to wait: EAGAIN, it stands. */
static bool has_no_listener(const struct address *address)
{
    int fd = descriptor_socket(AF_UNIX, SOCK_STREAM);
    bool refused =
        fd >= 0 && connect(fd, &address->any, address->length) < 0 && errno == ECONNREFUSED;

    if (fd >= 0) {
        close(fd);
    }
    return refused;
}

/* A plain file refuses connections, too, and is not ours to remove: it is none here. */
void socket_file_note(const struct address *address, struct socket_file *file)
{
    struct stat facts;

    *file = (struct socket_file){0};
    if (lstat(address->local.sun_path, &facts) == 0 && S_ISSOCK(facts.st_mode)) {
        *file = (struct socket_file){facts.st_dev, facts.st_ino, facts.st_ctim};
    }
}

int socket_file_claim(const struct address *address)
{
    struct socket_file there;
    int claim = lock(address);

    if (claim < 0) {
        return -1;
    }
    socket_file_note(address, &there);
    if (there.number != 0 && has_no_listener(address)) {
        unlink(address->local.sun_path);
    }
    return claim;
}

void socket_file_end_claim(const struct address *address, int claim)
{
    struct lock_path path = lock_path_of(address);

    unlink(path.text);
    close(claim);
}

/* One that others made may have the number of the one that is gone, but not its time. */
static bool is_same(const struct socket_file *a, const struct socket_file *b)
{
    return a->device == b->device && a->number == b->number &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

void socket_file_remove(const struct address *address, const struct socket_file *file)
{
    struct socket_file there;
    int claim = lock(address);

    socket_file_note(address, &there);
    if (there.number != 0 && (is_same(&there, file) || has_no_listener(address))) {
        unlink(address->local.sun_path);
    }
    if (claim >= 0) {
        socket_file_end_claim(address, claim);
    }
}
