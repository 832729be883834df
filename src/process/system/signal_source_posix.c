/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/signal_source: a handler that writes into a pipe. libevent's signals would not tell
 * the sender, which the audit log names. */
#include "process/system/signal_source.h"

#include "base/system/descriptor.h"

#include <errno.h>
#include <unistd.h>

#define SIGNALS_END 32 /* those with a meaning have numbers below */

struct word {
    int number;
    pid_t pid;
    uid_t uid;
};

static int ring = -1; /* the end that handlers write to */

/* Pieces so short are written as a whole or not at all; a full pipe has many of them already. */
static void on_signal(int number, siginfo_t *facts, void *unused)
{
    const struct word word = {number, facts->si_pid, facts->si_uid};
    int before = errno;

    (void)unused;
    (void)!write(ring, &word, sizeof(word));
    errno = before;
}

static void handle(const sigset_t *set, bool ours)
{
    struct sigaction action = {.sa_flags = 0};

    sigemptyset(&action.sa_mask);
    if (ours) {
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        action.sa_sigaction = on_signal;
    } else {
        action.sa_handler = SIG_DFL;
    }
    for (int number = 1; number < SIGNALS_END; number++) {
        if (sigismember(set, number) == 1) {
            sigaction(number, &action, NULL);
        }
    }
}

int signal_source_open(const sigset_t *set)
{
    int ends[2];

    if (!descriptor_pipe(ends)) {
        return -1;
    }
    ring = ends[1];
    handle(set, true);
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
    return ends[0];
}

bool signal_source_read(int fd, int *number, struct who *sender)
{
    struct word word;

    if (read(fd, &word, sizeof(word)) != (ssize_t)sizeof(word)) {
        return false;
    }
    *sender = (struct who){WHO_SIGNAL, word.pid, word.uid};
    *number = word.number;
    return true;
}

/* Threads that started meanwhile do not block them: what comes to one of those is for nothing. */
void signal_source_close(int fd, const sigset_t *set)
{
    if (fd >= 0) {
        pthread_sigmask(SIG_BLOCK, set, NULL);
        handle(set, false);
        close(fd);
        close(ring);
        ring = -1;
    }
}
