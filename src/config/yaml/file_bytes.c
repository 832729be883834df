/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a file or a pipe as a whole, in bounded time and memory. */
#include "config/yaml/file_bytes.h"

#include "base/system/clock.h"
#include "config/yaml/source_check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* false: nothing came in time. */
static bool await_more(int file, int64_t until_ms)
{
    struct pollfd waits = {.fd = file, .events = POLLIN};
    int64_t left_ms;

    while ((left_ms = until_ms - (int64_t)clock_ms(CLOCK_MONOTONIC)) > 0) {
        if (poll(&waits, 1, (int)left_ms) != 0) {
            return true;
        }
    }
    return false;
}

/* All of a file, one byte more than a configuration may have at most, so that the check
 * after it sees what is too large. -1: errno says why; ETIMEDOUT: a pipe, and not all came. */
static ssize_t read_all(int file, char *room, size_t size, uint32_t patience_ms)
{
    int64_t until_ms = (int64_t)clock_ms(CLOCK_MONOTONIC) + patience_ms;
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(file, room + length, size - length);

        if (count == 0) {
            break;
        }
        if (count > 0) {
            length += (size_t)count;
        } else if (errno == EAGAIN && !await_more(file, until_ms)) {
            errno = ETIMEDOUT;
            return -1;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)length;
}

/* Room for a regular file's size; for others (a pipe) for the most there may be. */
static size_t room_for(int file)
{
    struct stat facts;

    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size < SOURCE_BYTES_MAX) {
        return (size_t)facts.st_size + 1;
    }
    return SOURCE_BYTES_MAX + 1;
}

static const char *reason_for(int failure)
{
    return failure == ETIMEDOUT
               ? "it is a pipe, and its writer keeps it open without writing; name a "
                 "regular file"
               : strerror(failure);
}

/* A pipe without a writer reads as empty, and opening it must not wait for one. */
char *config_file_bytes(const char *path, uint32_t patience_ms, struct bytes *bytes,
                        const char **why)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t size = file >= 0 ? room_for(file) : 0;
    char *room = file >= 0 ? malloc(size) : NULL;
    ssize_t length = room != NULL ? read_all(file, room, size, patience_ms) : -1;

    *why = NULL;
    if (length < 0) {
        *why = reason_for(errno);
    } else if ((size_t)length == size && size <= SOURCE_BYTES_MAX) {
        *why = "it grew meanwhile"; /* half of it might be valid */
    }
    if (*why != NULL) {
        free(room);
        room = NULL;
    }
    if (file >= 0) {
        close(file);
    }
    *bytes = (struct bytes){room, room != NULL ? (size_t)length : 0};
    return room;
}
