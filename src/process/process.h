/* SPDX-License-Identifier: BSD-2-Clause */
/* The running gateway: start, signals, stop. Called by main. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "config/snapshot.h"

/* Runs until SIGTERM or SIGINT; takes the snapshot over. Returns the exit status: 1 when
 * the start failed, else 0. */
int process_run(struct snapshot *snapshot);

#endif
