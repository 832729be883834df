/* SPDX-License-Identifier: BSD-2-Clause */
/* A signalfd: it tells the sender, and waits in the same place as everything else. */
#include "process/system/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

struct signals {
    struct watch watch;
    int fd;
    signal_came *came;
    void *owner;
};

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(set, handled[i]);
    }
}

void signals_block(void)
{
    sigset_t set;

    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file as long as may be fails its write, and ends no process */
}

static void on_signal(int fd, short what, void *owner)
{
    struct signals *signals = owner;
    struct signalfd_siginfo facts;

    (void)what;
    if (read(fd, &facts, sizeof(facts)) == (ssize_t)sizeof(facts)) {
        const struct who sender = {WHO_SIGNAL, (pid_t)facts.ssi_pid, facts.ssi_uid};

        signals->came(signals->owner, (int)facts.ssi_signo, &sender);
    }
}

struct signals *signals_watch(struct loop *loop, signal_came *came, void *owner)
{
    struct signals *signals = calloc(1, sizeof(*signals));
    sigset_t set;

    if (signals == NULL) {
        return NULL;
    }
    fill_set(&set);
    signals->came = came;
    signals->owner = owner;
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0 ||
        !loop_watch(loop, &signals->watch, signals->fd, WATCH_READABLE, on_signal, signals)) {
        signals_free(&signals);
    }
    return signals;
}

void signals_free(struct signals **signals)
{
    if (*signals == NULL) {
        return;
    }
    watch_stop(&(*signals)->watch);
    if ((*signals)->fd >= 0) {
        close((*signals)->fd);
    }
    free(*signals);
    *signals = NULL;
}
