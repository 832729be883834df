/* SPDX-License-Identifier: BSD-2-Clause */
/* The running gateway: start, signals, stop. Called by main. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "config/snapshot.h"

/* Builds what would run, and takes it apart again: the files that the configuration names are
 * read too. Takes the snapshot over; false after log_error. */
bool process_check(struct snapshot *snapshot);
/* Runs until SIGTERM or SIGINT; takes the snapshot over. Returns the exit status: 1 when
 * the start failed, else 0. */
int process_run(struct snapshot *snapshot);

#endif
