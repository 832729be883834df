/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel counts all watches of a user and has a limit for them, beside that for descriptors:
 * epoll_ctl says ENOSPC then. Called by both engines of net/watch. */
#include "net/watch_full.h"

#include "base/log/log.h"

#include <errno.h>

#define REPORT_AGAIN_S 60

void watch_full_note(struct watch_full *full)
{
    time_t now = time(NULL);

    if (full->reported == 0 || now - full->reported >= REPORT_AGAIN_S) {
        log_warning("the kernel watches no more descriptors for this user: connections are closed "
                    "(raise fs.epoll.max_user_watches)");
        full->reported = now;
    }
    errno = ENOMEM;
}
