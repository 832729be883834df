/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/own_process by /proc. */
#include "process/system/own_process.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

char *own_process_path(const char *named)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    return length > 0 ? strndup(path, (size_t)length) : strdup(named);
}

uint64_t own_process_descriptors(void)
{
    DIR *open_ones = opendir("/proc/self/fd");
    uint64_t count = 0;

    while (open_ones != NULL && readdir(open_ones) != NULL) {
        count++;
    }
    if (open_ones != NULL) {
        closedir(open_ones);
    }
    return count > 3 ? count - 3 : 0; /* ".", "..", and itself */
}
