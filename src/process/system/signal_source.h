/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals as something to read, with their sender. Used by process/system/signals, one a process. */
#ifndef PROCESS_SYSTEM_SIGNAL_SOURCE_H
#define PROCESS_SYSTEM_SIGNAL_SOURCE_H

#include "config/reload_order.h"

#include <signal.h>

/* Those of the set, which is blocked. A descriptor that is readable once one has come; -1 with errno. */
int signal_source_open(const sigset_t *set);
/* false: none has come. A sender that is unknown is process 0. */
bool signal_source_read(int fd, int *number, struct who *sender);
/* From now on they wait again. Harmless for -1. */
void signal_source_close(int fd, const sigset_t *set);

#endif
