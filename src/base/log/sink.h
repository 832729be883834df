/* SPDX-License-Identifier: BSD-2-Clause */
/* An open file, pipe, socket or terminal that log lines go to. A target that takes nothing (a
 * reader that stalls) makes a write fail with EAGAIN instead of holding its caller in the kernel,
 * so that the caller can be woken. Used by the threads of the process log and the access log. */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include "base/bytes.h"

#include <stdbool.h>
#include <sys/types.h>

enum sink_kind {
    SINK_PLAIN,  /* a regular file: a write waits for the disk only */
    SINK_POLLED, /* may block: asked first, then given no more than a pipe takes at once */
    SINK_SOCKET, /* written with MSG_DONTWAIT */
    SINK_NON_BLOCKING,
};

struct sink {
    int fd;
    enum sink_kind kind;
    bool owned; /* fd is closed by sink_close */
};

/* A sink over `fd`, which others may share (stderr): a flag of theirs is not changed. A pipe or
 * terminal is opened once more for that, which needs the rights of its owner: call this before
 * privileges are dropped. */
struct sink sink_over_shared(int fd);
/* Takes over `fd`, which was opened with O_NONBLOCK. */
struct sink sink_over_own(int fd);
/* One try. The bytes written, or -1 with errno; EAGAIN: the target takes nothing now. */
ssize_t sink_write(const struct sink *sink, struct bytes bytes);
/* Waits until the target may take bytes, at most `timeout_ms`. */
void sink_wait(const struct sink *sink, int timeout_ms);
void sink_close(struct sink *sink);

#endif
