/* SPDX-License-Identifier: BSD-2-Clause */
/* net/lock_holder by /proc/locks. */
#include "net/lock_holder.h"

#include <stdio.h>
#include <sys/stat.h>

long lock_holder(int fd)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat facts;
    char line[256];
    long holder = 0;

    if (locks == NULL || fstat(fd, &facts) < 0) {
        facts.st_ino = 0;
    }
    while (locks != NULL && holder == 0 && fgets(line, sizeof(line), locks) != NULL) {
        unsigned long long number;
        long pid;

        if (sscanf(line, "%*s FLOCK %*s %*s %ld %*x:%*x:%llu", &pid, &number) == 2 &&
            number == facts.st_ino) {
            holder = pid;
        }
    }
    if (locks != NULL) {
        fclose(locks);
    }
    return holder;
}
