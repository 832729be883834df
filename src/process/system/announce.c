/* SPDX-License-Identifier: BSD-2-Clause */
/* One datagram a state; a few bytes in a file. */
#include "process/system/announce.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "process/state/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void announce(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path != NULL ? strlen(path) : 0;
    int fd;

    if (length == 0 || length >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* of the abstract namespace */
    }
    fd = descriptor_blocking_socket(AF_UNIX, SOCK_DGRAM);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
        log_warning("the service manager is not told '%.*s' at %s ($NOTIFY_SOCKET): %s",
                    (int)strcspn(state, "\n"), state, path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

void announce_successor(pid_t successor)
{
    char state[48];

    snprintf(state, sizeof(state), "MAINPID=%ld", (long)successor);
    announce(state);
}

bool pid_file_write(const char *path)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    bool good = state_file_replace(path, (struct bytes){text, (size_t)length}, 0644);

    if (!good) {
        log_warning("pid_file: cannot write %s: %s; let the user that the process starts as write "
                    "to its folder",
                    path, strerror(errno));
    }
    return good;
}

void pid_file_remove(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[24] = "";

    if (file < 0) {
        return;
    }
    if (read(file, text, sizeof(text) - 1) > 0 && strtol(text, NULL, 10) == (long)getpid()) {
        unlink(path);
    }
    close(file);
}
