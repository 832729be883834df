/* SPDX-License-Identifier: BSD-2-Clause */
/* The service manager's watchdog ($WATCHDOG_USEC, sd_watchdog_enabled(3)): it is fed only while every
 * worker turns. Made and ended by process/process, on its loop. */
#ifndef PROCESS_WATCHDOG_H
#define PROCESS_WATCHDOG_H

#include "process/worker/worker.h"

struct watchdog;

/* NULL: the manager asks for none, or there is no memory (after a warning). `is_successor`: this
 * process took over from the one that the manager started, so $WATCHDOG_PID names that one. */
struct watchdog *watchdog_start(struct loop *loop, struct worker **workers, uint32_t count,
                                bool is_successor);
/* Another process feeds it from now on. NULL is harmless. */
void watchdog_stop(struct watchdog *watchdog);
/* After the workers have ended: none of them calls back any more. */
void watchdog_free(struct watchdog **watchdog);

#endif
