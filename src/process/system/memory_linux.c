/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/memory, read from /proc and /sys/fs/cgroup: a file that is not there limits nothing. And glibc's malloc,
 * which left to itself keeps what a reload took. */
#include "process/system/memory.h"

#include "base/bytes.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
#define LARGE_MEMORY (64 * 1024)

/* A number that is the whole file; UINT64_MAX for "max" and for no file. */
static uint64_t read_number(const char *path)
{
    char text[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    uint64_t number;
    char *end;

    if (fd >= 0) {
        close(fd);
    }
    if (length <= 0) {
        return UINT64_MAX;
    }
    text[length] = '\0';
    number = strtoull(text, &end, 10);
    return end == text ? UINT64_MAX : number;
}

/* Of a group and of all that it is in. `path` is cut shorter as it goes. */
static uint64_t least_of_groups(const char *root, char *path, const char *file)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        char name[1024];
        char *slash = strrchr(path, '/');
        uint64_t own;

        snprintf(name, sizeof(name), "%s%s/%s", root, path, file);
        own = read_number(name);
        least = own < least ? own : least;
        if (slash == NULL) {
            return least;
        }
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::/path" (version 2), "9:memory:/path" (version 1). In a
 * container the path may be one that only the host sees; the root is looked at in any case. */
static uint64_t cgroup_limit(void)
{
    FILE *groups = fopen("/proc/self/cgroup", "re");
    uint64_t least = UINT64_MAX;
    char line[512];

    while (groups != NULL && fgets(line, sizeof(line), groups) != NULL) {
        char *kinds = strchr(line, ':');
        char *path = kinds != NULL ? strchr(kinds + 1, ':') : NULL;
        uint64_t limit = UINT64_MAX;

        if (path == NULL) {
            continue;
        }
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (kinds[1] == '\0') {
            limit = least_of_groups(CGROUPS, path, "memory.max");
        } else if (strcmp(kinds + 1, "memory") == 0) {
            limit = least_of_groups(CGROUPS "/memory", path, "memory.limit_in_bytes");
        }
        least = limit < least ? limit : least;
    }
    if (groups != NULL) {
        fclose(groups);
    }
    return least;
}

uint64_t memory_given(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    uint64_t group = cgroup_limit();

    return group < machine ? group : machine;
}

/* The second number of /proc/self/statm, in pages. */
uint64_t memory_resident(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    long page = sysconf(_SC_PAGESIZE);
    char *second;

    if (fd >= 0) {
        close(fd);
    }
    if (length <= 0 || page <= 0) {
        return 0;
    }
    text[length] = '\0';
    second = strchr(text, ' ');
    return second != NULL ? strtoull(second, NULL, 10) * (uint64_t)page : 0;
}

/* With its own moving threshold, glibc would keep ever larger pieces, and a process that has
 * reloaded a large file would stay twice its size. */
void memory_return_large(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_MEMORY);
}
