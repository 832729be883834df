/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of /proc, proc(5). */
#include "base/system/process_sizes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers of /proc/self/stat behind the command's name, from the state (0) on. */
enum { STAT_THREADS = 17, STAT_VIRTUAL_BYTES = 20, STAT_RESIDENT_PAGES = 21, STAT_COUNT };

bool process_sizes_read(struct process_sizes *sizes)
{
    uint64_t numbers[STAT_COUNT] = {0};
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    char *at;

    if (fd >= 0) {
        close(fd);
    }
    text[length > 0 ? length : 0] = '\0';
    at = strrchr(text, ')');
    for (int i = 0; at != NULL && i < STAT_COUNT; i++) {
        at = strchr(at + 1, ' ');
        numbers[i] = at != NULL ? strtoull(at + 1, NULL, 10) : 0;
    }
    *sizes = (struct process_sizes){
        .resident_bytes = numbers[STAT_RESIDENT_PAGES] * (uint64_t)sysconf(_SC_PAGESIZE),
        .virtual_bytes = numbers[STAT_VIRTUAL_BYTES],
        .threads = numbers[STAT_THREADS],
    };
    return at != NULL;
}
