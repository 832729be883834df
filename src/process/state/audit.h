/* SPDX-License-Identifier: BSD-2-Clause */
/* The append-only record of who changed what: one JSON line an entry, in `audit.log` of the
 * state directory, or without one in the process log. Written away from the workers' loops; any
 * thread may write (one system call a line, with O_APPEND). */
#ifndef PROCESS_STATE_AUDIT_H
#define PROCESS_STATE_AUDIT_H

#include "control/sources.h"

struct audit;

/* What was done; each field that is NULL is left out. */
struct audit_entry {
    struct who who;
    const char *action;  /* "start", "reload", "confirm", "roll back", "weight", "ramp" ... */
    const char *subject; /* the file, route or origin that it was done to */
    const char *before;  /* what held before: a fingerprint, a weight */
    const char *after;   /* what was asked for */
    const char *change;  /* in words */
    bool ok;
    const char *why; /* it failed, or was done at all */
};

/* `directory` may be NULL. NULL: out of memory. */
struct audit *audit_open(const char *directory);
void audit_close(struct audit **audit);
void audit_write(struct audit *audit, const struct audit_entry *entry);
/* The last entries, newest first; any thread. `seen` must not write to the audit log. */
void audit_read_recent(struct audit *audit, control_past_change_seen *seen, void *owner);

#endif
