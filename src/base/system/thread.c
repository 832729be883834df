/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread has the mask of the one that starts it, from its first instruction on. */
#include "base/system/thread.h"

#include "base/system/machine.h"

#include <signal.h>

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *owner), void *owner)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t blocked;
    sigset_t before;
    int error;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    error = pthread_create(thread, NULL, run, owner);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        machine_name_thread(*thread, name);
    }
    return error;
}
