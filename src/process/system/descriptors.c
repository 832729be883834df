/* SPDX-License-Identifier: BSD-2-Clause */
/* The soft limit (often 1024, for the sake of select) is no limit for an epoll loop. */
#include "process/system/descriptors.h"

#include "base/log/log.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

uint64_t descriptors_raise_limit(void)
{
    struct rlimit limit;
    struct rlimit raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        log_warning("cannot read the descriptor limit: %s", strerror(errno));
        return 0;
    }
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    if (limit.rlim_cur == limit.rlim_max) {
        return limit.rlim_cur;
    }
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0) {
        log_warning("cannot raise the descriptor limit above %llu: %s",
                    (unsigned long long)limit.rlim_cur, strerror(errno));
        return limit.rlim_cur;
    }
    return raised.rlim_cur;
}
