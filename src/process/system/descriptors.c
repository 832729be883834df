/* SPDX-License-Identifier: BSD-2-Clause */
/* The soft limit (often 1024, for the sake of select) is no limit for an epoll loop. */
#include "process/system/descriptors.h"

#include "base/log/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#define OF_PROCESS \
    28 /* standard streams, the main loop, logs, files of the state directory, control */
#define OF_WORKER 6 /* its loop, what wakes it, a client and its origin */

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

bool descriptors_suffice(uint64_t limit, uint32_t workers, uint32_t listeners)
{
    uint64_t least = OF_PROCESS + (uint64_t)workers * (OF_WORKER + listeners);

    if (limit == 0 || limit >= least) {
        return true;
    }
    log_error("cannot start: the process may open %" PRIu64
              " file descriptors and needs at least %" PRIu64 " with workers: %" PRIu32
              "; raise the limit (LimitNOFILE= of the service, or ulimit -n); each "
              "connection takes one more, or two with its origin's",
              limit, least, workers);
    return false;
}
