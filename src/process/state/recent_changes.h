/* SPDX-License-Identifier: BSD-2-Clause */
/* The last entries of the audit log, kept in memory for those who look at the running process.
 * Filled by audit_write (process/audit), which has the lock; read through process/admin. */
#ifndef PROCESS_RECENT_CHANGES_H
#define PROCESS_RECENT_CHANGES_H

#include "control/sources.h"

#define RECENT_CHANGES 24

struct recent_change {
    struct control_past_change row; /* its texts point into `texts` */
    char *texts;                    /* malloc'd */
};

struct recent_changes {
    struct recent_change rows[RECENT_CHANGES]; /* a ring */
    uint64_t count;                            /* ever; the newest is rows[(count - 1) % size] */
};

/* Copies the texts. Without memory the entry is left out. */
void recent_changes_add(struct recent_changes *changes, const struct control_past_change *change);
/* Newest first. */
void recent_changes_read(const struct recent_changes *changes, control_past_change_seen *seen,
                         void *owner);
void recent_changes_release(struct recent_changes *changes);

#endif
