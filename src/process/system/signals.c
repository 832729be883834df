/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocking them, and telling of those that come (process/system/signal_source). */
#include "process/system/signals.h"

#include "process/system/signal_source.h"

#include <signal.h>
#include <stdlib.h>

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
    struct who sender;
    int number;

    (void)what;
    if (signal_source_read(fd, &number, &sender)) {
        signals->came(signals->owner, number, &sender);
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
    signals->fd = signal_source_open(&set);
    if (signals->fd < 0 ||
        !loop_watch(loop, &signals->watch, signals->fd, WATCH_READABLE, on_signal, signals)) {
        signals_free(&signals);
    }
    return signals;
}

void signals_free(struct signals **signals)
{
    sigset_t set;

    if (*signals == NULL) {
        return;
    }
    fill_set(&set);
    watch_stop(&(*signals)->watch);
    signal_source_close((*signals)->fd, &set);
    free(*signals);
    *signals = NULL;
}
