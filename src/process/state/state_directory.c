/* SPDX-License-Identifier: BSD-2-Clause */
/* Choosing it, and writing files into it. */
#include "process/state/state_directory.h"

#include "base/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define REPORT_AGAIN_S 60

char *state_directory_choose(const char *configured)
{
    const char *given = getenv("STATE_DIRECTORY"); /* systemd's StateDirectory= */

    if (configured != NULL) {
        return strdup(configured);
    }
    if (given != NULL && given[0] == '/') {
        return strndup(given, strcspn(given, ":"));
    }
    return strdup(STATE_DIRECTORY_DEFAULT);
}

static struct bytes value_of(struct bytes line)
{
    const char *comment = memmem(line.at, line.length, " #", 2);
    struct bytes value =
        bytes_trim(bytes_first(line, comment != NULL ? (size_t)(comment - line.at) : line.length));

    if (value.length >= 2 && (value.at[0] == '"' || value.at[0] == '\'') &&
        value.at[value.length - 1] == value.at[0]) {
        value = (struct bytes){value.at + 1, value.length - 2};
    }
    return value;
}

char *state_directory_in_text(struct bytes text)
{
    static const struct bytes name = {"state_directory:", 16};

    while (text.length > 0) {
        struct bytes line = bytes_take_until(&text, '\n');

        if (bytes_start_with(line, name)) {
            struct bytes value = value_of(bytes_skip(line, name.length));

            return value.length > 0 && value.at[0] == '/' ? strndup(value.at, value.length) : NULL;
        }
    }
    return NULL;
}

char *state_directory_open(const char *configured)
{
    char *directory = state_directory_choose(configured);

    if (directory == NULL) {
        return NULL;
    }
    if (access(directory, W_OK | X_OK) == 0) {
        return directory;
    }
    if (configured != NULL) {
        log_warning("state_directory %s: %s; neither the last good configuration nor an audit log "
                    "is kept",
                    directory, strerror(errno));
    } else {
        log_info("no state directory (%s: %s); neither the last good configuration nor an audit "
                 "log is kept",
                 directory, strerror(errno));
    }
    free(directory);
    return NULL;
}

char *state_directory_path(const char *directory, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static bool write_all(int file, struct bytes content)
{
    while (content.length > 0) {
        ssize_t count = write(file, content.at, content.length);

        if (count < 0 && errno != EINTR) {
            return false;
        }
        content = bytes_skip(content, count > 0 ? (size_t)count : 0);
    }
    return true;
}

static bool write_file(const char *path, struct bytes content, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
    bool good;
    int failure;

    if (file < 0) {
        return false;
    }
    good = write_all(file, content) && fsync(file) == 0;
    failure = errno;
    good = close(file) == 0 && good;
    errno = good ? 0 : failure;
    return good;
}

/* Main thread and control thread; what is tried each second is told once a minute. */
static void report_failure(const char *directory, const char *name, int failure)
{
    static _Atomic time_t reported;
    time_t now = time(NULL);
    time_t before = atomic_load(&reported);

    if (now - before >= REPORT_AGAIN_S && atomic_compare_exchange_strong(&reported, &before, now)) {
        log_warning("cannot write %s/%s: %s; what it should hold would not outlive this process",
                    directory, name, strerror(failure));
    }
}

bool state_file_replace(const char *path, struct bytes content, mode_t mode)
{
    char *beside = NULL;
    bool good = asprintf(&beside, "%s.new", path) >= 0;
    int failure;

    if (good) {
        unlink(beside); /* left by a process that died, and perhaps another user's */
        good = write_file(beside, content, mode) && rename(beside, path) == 0;
    }
    failure = errno;

    free(beside);
    errno = failure;
    return good;
}

bool state_directory_write(const char *directory, const char *name, struct bytes content)
{
    char *path = state_directory_path(directory, name);
    bool good = path != NULL && state_file_replace(path, content, 0600);
    int failure = errno;

    if (!good) {
        report_failure(directory, name, failure);
    }
    free(path);
    errno = failure;
    return good;
}
