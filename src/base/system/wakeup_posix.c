/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/wakeup: one condition for all wake-ups of the process, which are few; a thread whose own
 * was not sent looks, and waits again. */
#include "base/system/wakeup.h"

#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sent = PTHREAD_COND_INITIALIZER;

void wakeup_send(_Atomic uint32_t *wakeup)
{
    pthread_mutex_lock(&lock);
    atomic_fetch_add_explicit(wakeup, 1, memory_order_release);
    pthread_cond_broadcast(&sent);
    pthread_mutex_unlock(&lock);
}

static void wait_until(const struct timespec *until)
{
    if (until != NULL) {
        pthread_cond_timedwait(&sent, &lock, until);
    } else {
        pthread_cond_wait(&sent, &lock);
    }
}

void wakeup_wait(_Atomic uint32_t *wakeup, uint32_t seen, unsigned timeout_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&lock);
    if (atomic_load_explicit(wakeup, memory_order_acquire) == seen) {
        wait_until(timeout_ms != 0 ? &until : NULL);
    }
    pthread_mutex_unlock(&lock);
}
