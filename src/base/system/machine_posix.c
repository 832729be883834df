/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/machine as any system tells it: threads stay without names, and a file in memory is one
 * of the temporary folder whose name goes at once. */
#include "base/system/machine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

long machine_usable_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : count;
}

void machine_name_thread(pthread_t thread, const char *name)
{
    (void)thread;
    (void)name;
}

void machine_lower_priority(void)
{
}

void machine_trim_heap(void)
{
}

size_t machine_memory_room(void *piece)
{
    (void)piece;
    return 0;
}

void machine_keep_from_cores(void *pages, size_t size)
{
    (void)pages;
    (void)size;
}

int machine_memory_file(const char *name)
{
    char path[] = "/tmp/turnpike-XXXXXX";
    int fd = mkstemp(path);

    (void)name;
    if (fd >= 0) {
        unlink(path);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

/* /dev/fd gives the same description again. */
int machine_open_again(int fd, int flags)
{
    (void)fd;
    (void)flags;
    return -1;
}

/* The metrics that show them are left out. */
bool machine_process_sizes(struct process_sizes *sizes)
{
    *sizes = (struct process_sizes){0};
    return false;
}
