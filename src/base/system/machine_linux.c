/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/machine as Linux tells it. */
#include "base/system/machine.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOWER_NICE 10 /* nice value */

long machine_usable_cpus(void)
{
    cpu_set_t set;
    long count = 0;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        count = CPU_COUNT(&set);
    } else {
        count = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
    }
    return count < 1 ? 1 : count;
}

void machine_name_thread(pthread_t thread, const char *name)
{
    pthread_setname_np(thread, name);
}

/* Linux has a nice value for each thread, other than POSIX. */
void machine_lower_priority(void)
{
    setpriority(PRIO_PROCESS, 0, LOWER_NICE);
}

void machine_trim_heap(void)
{
    malloc_trim(0);
}

size_t machine_memory_room(void *piece)
{
    return malloc_usable_size(piece);
}

void machine_keep_from_cores(void *pages, size_t size)
{
    madvise(pages, size, MADV_DONTDUMP);
}

int machine_memory_file(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC);
}

/* Through /proc, which has a link for each descriptor of the process. */
int machine_open_again(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, flags);
}

/* Numbers of /proc/self/stat, proc(5), behind the command's name, from the state (0) on. */
enum { STAT_THREADS = 17, STAT_VIRTUAL_BYTES = 20, STAT_RESIDENT_PAGES = 21, STAT_COUNT };

bool machine_process_sizes(struct process_sizes *sizes)
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
