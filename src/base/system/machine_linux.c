/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/machine as Linux tells it. */
#include "base/system/machine.h"

#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define BEHIND_OTHERS 10 /* nice value */

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
void machine_put_behind_others(void)
{
    setpriority(PRIO_PROCESS, 0, BEHIND_OTHERS);
}

void machine_return_holes(void)
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
