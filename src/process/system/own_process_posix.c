/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/own_process by looking at each descriptor that may be open. */
#include "process/system/own_process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MOST 65536

char *own_process_path(const char *named)
{
    char *path = strchr(named, '/') != NULL ? realpath(named, NULL) : NULL;

    return path != NULL ? path : strdup(named);
}

uint64_t own_process_descriptors(void)
{
    long limit = sysconf(_SC_OPEN_MAX);
    uint64_t count = 0;

    for (int fd = 0; fd < (limit > 0 && limit < LOOK_MOST ? limit : LOOK_MOST); fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}
