/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the state directory: one is read as a whole; one that cannot be read is kept under another name
 * before it is written. Called by the other files of the state store. */
#include "process/state/state_store_private.h"

#include "base/log/log.h"
#include "process/state/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const file_names[STATE_FILE_COUNT] = {
    [STATE_RAMPS] = "ramps", [STATE_CHANGES] = "changes",   [STATE_ROOMS] = "waiting-rooms",
    [STATE_PINS] = "pins",   [STATE_SECRET] = "pin-secret",
};

const char *state_file_name(enum state_file which)
{
    return file_names[which];
}

/* --- reading ------------------------------------------------------------------------------ */

static bool read_all(int file, char *to, size_t length)
{
    while (length > 0) {
        ssize_t got = read(file, to, length);

        if (got <= 0) {
            return false;
        }
        to += got;
        length -= (size_t)got;
    }
    return true;
}

/* With a NUL behind it; empty where it is not there. NULL: not readable, and *why says why. */
static char *read_file(const char *path, size_t *length, const char **why)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;
    char *content = NULL;

    *length = 0;
    if (file < 0) {
        *why = strerror(errno);
        return errno == ENOENT ? strdup("") : NULL;
    }
    if (fstat(file, &facts) < 0 || !S_ISREG(facts.st_mode)) {
        *why = "it is no regular file";
    } else {
        content = calloc(1, (size_t)facts.st_size + 1);
        *length = (size_t)facts.st_size;
        errno = content != NULL ? EIO : ENOMEM; /* EIO: it became shorter meanwhile */
        if (content == NULL || !read_all(file, content, *length)) {
            *why = strerror(errno);
            free(content);
            content = NULL;
        }
    }
    close(file);
    return content;
}

char *state_file_path(const struct state_store *state_store, enum state_file which)
{
    return state_directory_path(state_store->parts.state_directory, file_names[which]);
}

char *state_file_read(struct state_store *state_store, enum state_file which, size_t *length)
{
    char *path = state_file_path(state_store, which);
    const char *why = "out of memory";
    char *content = path != NULL ? read_file(path, length, &why) : NULL;

    if (content == NULL) {
        log_error(
            "cannot read %s: %s; what it should hold is not in force. It is kept under another "
            "name; let `user` read it, put it back while no process runs, and start again",
            path != NULL ? path : file_names[which], why);
        state_store->keep_aside[which] = true;
    }
    free(path);
    return content;
}

/* --- writing ------------------------------------------------------------------------------ */

/* Before the first write. false, with errno: it still stands in the way. */
static bool keep_aside(struct state_store *state_store, enum state_file which)
{
    char *path = state_file_path(state_store, which);
    char *aside = NULL;
    bool done = path != NULL &&
                asprintf(&aside, "%s.unreadable-%lld", path, (long long)time(NULL)) >= 0 &&
                (rename(path, aside) == 0 || errno == ENOENT);

    if (done) {
        log_warning("%s is kept as %s", path, aside);
        state_store->keep_aside[which] = false;
    }
    free(aside);
    free(path);
    return done;
}

bool state_file_may_replace(struct state_store *state_store, enum state_file which)
{
    return !state_store->keep_aside[which] || keep_aside(state_store, which);
}

bool state_file_write(struct state_store *state_store, enum state_file which, struct bytes content)
{
    return state_file_may_replace(state_store, which) &&
           state_directory_write(state_store->parts.state_directory, file_names[which], content);
}
