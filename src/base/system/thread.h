/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a thread, with its name for those who look at the process from outside (at most 15
 * characters). Signals are for the main thread: all but those that a fault of the thread itself raises
 * are blocked, SIGPIPE too, which must not end the process from there. */
#ifndef BASE_SYSTEM_THREAD_H
#define BASE_SYSTEM_THREAD_H

#include <pthread.h>

/* 0, or the error. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *owner), void *owner);

#endif
