/* SPDX-License-Identifier: BSD-2-Clause */
/* base/system/wakeup: a futex. */
#include "base/system/wakeup.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void wakeup_send(_Atomic uint32_t *wakeup)
{
    atomic_fetch_add_explicit(wakeup, 1, memory_order_release);
    syscall(SYS_futex, wakeup, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void wakeup_wait(_Atomic uint32_t *wakeup, uint32_t seen, unsigned timeout_ms)
{
    struct timespec most = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};

    syscall(SYS_futex, wakeup, FUTEX_WAIT_PRIVATE, seen, timeout_ms != 0 ? &most : NULL, NULL, 0);
}
