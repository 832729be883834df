/* SPDX-License-Identifier: BSD-2-Clause */
/* The running gateway: start, signals, stop. Called by main. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "config/snapshot.h"

/* Runs until SIGTERM or SIGINT; takes the snapshot over. Returns the exit status: 0 when
 * nothing was cut, 1 when the start failed, 2 when the drain deadline cut something. */
int process_run(struct snapshot *snapshot);

#endif
