/* SPDX-License-Identifier: BSD-2-Clause */
/* A counter that a thread waits for until another one raises it. */
#ifndef BASE_SYSTEM_WAKEUP_H
#define BASE_SYSTEM_WAKEUP_H

#include <stdatomic.h>
#include <stdint.h>

void wakeup_send(_Atomic uint32_t *wakeup);
/* Returns at once when it was sent since it was `seen`; it may return without that, too.
 * 0 ms: waits without end. */
void wakeup_wait(_Atomic uint32_t *wakeup, uint32_t seen, unsigned timeout_ms);

#endif
