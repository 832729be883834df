/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/signal_source: a signalfd. */
#include "process/system/signal_source.h"

#include <sys/signalfd.h>
#include <unistd.h>

int signal_source_open(const sigset_t *set)
{
    return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool signal_source_read(int fd, int *number, struct who *sender)
{
    struct signalfd_siginfo facts;

    if (read(fd, &facts, sizeof(facts)) != (ssize_t)sizeof(facts)) {
        return false;
    }
    *sender = (struct who){WHO_SIGNAL, (pid_t)facts.ssi_pid, facts.ssi_uid};
    *number = (int)facts.ssi_signo;
    return true;
}

void signal_source_close(int fd, const sigset_t *set)
{
    (void)set;
    if (fd >= 0) {
        close(fd);
    }
}
