/* SPDX-License-Identifier: BSD-2-Clause */
/* A claim is a lock on a file beside the socket's, which goes with the claim. Binding to another
 * name and renaming would do without, but the socket would go by that name ever after. */
#include "io/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".lock"

struct lock_path {
    char text[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(SUFFIX)];
};

static struct lock_path lock_path_of(const struct address *address)
{
    struct lock_path path;

    snprintf(path.text, sizeof(path.text), "%s" SUFFIX, address->local.sun_path);
    return path;
}

static bool take_lock(int fd)
{
    int taken;

    do {
        taken = flock(fd, LOCK_EX);
    } while (taken < 0 && errno == EINTR);
    return taken == 0;
}

/* Whoever waited may have got the lock of a file that went with the claim before. */
static bool is_gone(int fd)
{
    struct stat facts;

    return fstat(fd, &facts) == 0 && facts.st_nlink == 0;
}

static int lock(const struct address *address)
{
    struct lock_path path = lock_path_of(address);

    for (;;) {
        int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int failure;

        if (fd < 0) {
            return -1;
        }
        if (take_lock(fd) && !is_gone(fd)) {
            return fd;
        }
        failure = is_gone(fd) ? 0 : errno;
        close(fd);
        if (failure != 0) {
            errno = failure;
            return -1;
        }
    }
}

/* One whose line is full is no reason to wait: EAGAIN, it stands. */
static bool nobody_listens(const struct address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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
    if (there.number != 0 && nobody_listens(address)) {
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
    if (there.number != 0 && (is_same(&there, file) || nobody_listens(address))) {
        unlink(address->local.sun_path);
    }
    if (claim >= 0) {
        socket_file_end_claim(address, claim);
    }
}
