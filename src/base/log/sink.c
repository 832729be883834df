/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes that do not block, whatever kind of file the operator gave. */
#include "base/log/sink.h"

#include "base/system/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK belongs to the open file description, which stderr shares with the parent process
 * and others; a description of our own leaves theirs as it is. */
static struct sink opened_again(int fd)
{
    int own = machine_open_again(fd, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (own < 0) {
        return (struct sink){fd, SINK_POLLED, false};
    }
    return (struct sink){own, SINK_NON_BLOCKING, true};
}

struct sink sink_over_shared(int fd)
{
    struct stat about;

    if (fstat(fd, &about) < 0 || S_ISREG(about.st_mode)) {
        return (struct sink){fd, SINK_PLAIN, false};
    }
    if (S_ISSOCK(about.st_mode)) {
        return (struct sink){fd, SINK_SOCKET, false};
    }
    return opened_again(fd);
}

struct sink sink_over_own(int fd)
{
    return (struct sink){fd, SINK_NON_BLOCKING, true};
}

/* A pipe that is writable has room for PIPE_BUF bytes (pipe(7)), unless another process fills it
 * in between: then this write waits for the reader. */
static ssize_t write_polled(int fd, struct bytes bytes)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};

    if (poll(&writable, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, bytes.at, bytes.length < PIPE_BUF ? bytes.length : PIPE_BUF);
}

static ssize_t write_once(const struct sink *sink, struct bytes bytes)
{
    switch (sink->kind) {
    case SINK_SOCKET:
        return send(sink->fd, bytes.at, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_POLLED:
        return write_polled(sink->fd, bytes);
    default:
        return write(sink->fd, bytes.at, bytes.length);
    }
}

ssize_t sink_write(const struct sink *sink, struct bytes bytes)
{
    ssize_t written;

    do {
        written = write_once(sink, bytes);
    } while (written < 0 && errno == EINTR);
    return written;
}

void sink_wait(const struct sink *sink, int timeout_ms)
{
    struct pollfd writable = {.fd = sink->fd, .events = POLLOUT};

    poll(&writable, 1, timeout_ms);
}

void sink_close(struct sink *sink)
{
    if (sink->owned && sink->fd >= 0) {
        close(sink->fd);
    }
    sink->fd = -1;
}
