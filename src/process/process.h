/* SPDX-License-Identifier: BSD-2-Clause */
/* The running gateway: start, signals, stop. Called by main. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "config/snapshot.h"

/* Builds what would run, and takes it apart again: the files that the configuration names are
 * read too. Takes the snapshot over; false after log_error. */
bool process_check(struct snapshot *snapshot);

struct process_start {
    const char *path;          /* of the configuration, read again on SIGHUP */
    struct snapshot *snapshot; /* taken over */
    struct bytes source;       /* the file that the snapshot was made from; borrowed */
    char **arguments;          /* of the command line, for an upgrade of the binary */
    bool is_last_good;         /* that was not `path`, which is bad, but the last good one */
};

/* Runs until it is told to stop. Returns the exit status: 1 when the start failed, else 0. */
int process_run(const struct process_start *start);

#endif
