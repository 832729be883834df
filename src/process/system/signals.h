/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals as events of the main thread's loop, with their sender. Blocked in every thread that
 * starts after signals_block. */
#ifndef PROCESS_SYSTEM_SIGNALS_H
#define PROCESS_SYSTEM_SIGNALS_H

#include "config/reload_order.h"
#include "net/loop.h"

struct signals;

typedef void signal_came(void *owner, int number, const struct who *sender);

/* Before any thread starts. */
void signals_block(void);
/* NULL: out of memory or descriptors. */
struct signals *signals_watch(struct loop *loop, signal_came *came, void *owner);
void signals_free(struct signals **signals);

#endif
