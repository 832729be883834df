/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/own_process by looking at each descriptor that may be open, by the memory that the machine
 * has, and by setuid and setgid, which for root change all three ids. */
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

uint64_t memory_given(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
}

void memory_return_large(void)
{
}

bool identity_is_user(uid_t uid)
{
    return getuid() == uid && geteuid() == uid;
}

bool identity_is_group(gid_t gid)
{
    return getgid() == gid && getegid() == gid;
}

bool identity_set_group(gid_t gid)
{
    return setgid(gid) == 0;
}

bool identity_set_user(uid_t uid)
{
    return setuid(uid) == 0;
}

bool identity_forbid_dumps(bool forbid)
{
    (void)forbid;
    return true;
}

bool identity_forbid_new_privileges(void)
{
    return true;
}
