/* SPDX-License-Identifier: BSD-2-Clause */
/* A handler that writes into a pipe, which the main thread's loop reads. libevent's signals would not tell
 * the sender, which the audit log names; a signalfd would, and only Linux has it. */
#include "process/system/signals.h"

#include "base/system/descriptor.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

struct word {
    int number;
    struct who sender;
};

struct signals {
    struct watch watch;
    int ends[2];
    signal_came *came;
    void *owner;
};

static int pipe_end = -1; /* the one that handlers write to */

/* Pieces so short are written as a whole or not at all; a full pipe has many of them already. */
static void on_signal(int number, siginfo_t *facts, void *unused)
{
    const struct word word = {number, {WHO_SIGNAL, facts->si_pid, facts->si_uid}};
    int before = errno;

    (void)unused;
    (void)!write(pipe_end, &word, sizeof(word));
    errno = before;
}

static void block(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaddset(&set, handled[i]);
    }
    pthread_sigmask(how, &set, NULL);
}

static void handle(const struct sigaction *action)
{
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        sigaction(handled[i], action, NULL);
    }
}

void signals_block(void)
{
    block(SIG_BLOCK);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file as long as may be fails its write, and ends no process */
}

/* A signal that came several times before it was looked at came once, as the kernel has it for those that
 * are pending: a terminal and a wrapper that both pass SIGINT on ask for one end, not for two. */
static void on_word(int fd, short what, void *owner)
{
    struct signals *signals = owner;
    struct word words[16];
    ssize_t length = read(fd, words, sizeof(words));
    uint64_t told = 0;

    (void)what;
    for (ssize_t i = 0; i < length / (ssize_t)sizeof(words[0]); i++) {
        uint64_t one = (uint64_t)1 << words[i].number;

        if ((told & one) == 0) {
            told |= one;
            signals->came(signals->owner, words[i].number, &words[i].sender);
        }
    }
}

struct signals *signals_watch(struct loop *loop, signal_came *came, void *owner)
{
    const struct sigaction action = {.sa_sigaction = on_signal,
                                     .sa_flags = SA_SIGINFO | SA_RESTART};
    struct signals *signals = calloc(1, sizeof(*signals));

    if (signals == NULL || !descriptor_pipe(signals->ends)) {
        free(signals);
        return NULL;
    }
    signals->came = came;
    signals->owner = owner;
    if (!loop_watch(loop, &signals->watch, signals->ends[0], WATCH_READABLE, on_word, signals)) {
        signals_free(&signals);
        return NULL;
    }
    pipe_end = signals->ends[1];
    handle(&action);
    block(SIG_UNBLOCK);
    return signals;
}

/* No other thread takes signals (base/system/thread): what comes from here on waits for the end. */
void signals_free(struct signals **signals)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};

    if (*signals == NULL) {
        return;
    }
    block(SIG_BLOCK);
    handle(&action);
    watch_stop(&(*signals)->watch);
    pipe_end = -1;
    close((*signals)->ends[0]);
    close((*signals)->ends[1]);
    free(*signals);
    *signals = NULL;
}
