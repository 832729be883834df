/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/own_process by /proc and /sys/fs/cgroup (a file that is not there limits nothing), saved
 * ids and prctl. And glibc's malloc, which left to itself keeps what a reload took. */
#include "process/system/own_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
#define LARGE_MEMORY (64 * 1024)

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

/* --- memory ------------------------------------------------------------------------------ */

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

/* With its own moving threshold, glibc would keep ever larger pieces, and a process that has
 * reloaded a large file would stay twice its size. */
void memory_return_large(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_MEMORY);
}

/* --- identity ---------------------------------------------------------------------------- */

bool identity_is_user(uid_t uid)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && real == uid && effective == uid &&
           saved == uid;
}

bool identity_is_group(gid_t gid)
{
    gid_t real, effective, saved;

    return getresgid(&real, &effective, &saved) == 0 && real == gid && effective == gid &&
           saved == gid;
}

bool identity_set_group(gid_t gid)
{
    return setresgid(gid, gid, gid) == 0;
}

bool identity_set_user(uid_t uid)
{
    return setresuid(uid, uid, uid) == 0;
}

bool identity_forbid_dumps(bool forbid)
{
    return prctl(PR_SET_DUMPABLE, forbid ? 0 : 1, 0, 0, 0) == 0;
}

bool identity_forbid_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
