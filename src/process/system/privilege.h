/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives up what is no longer needed once every listener is bound. Called once at start, before
 * any thread exists: two of the settings below belong to a thread and are inherited by those
 * it starts. */
#ifndef PROCESS_SYSTEM_PRIVILEGE_H
#define PROCESS_SYSTEM_PRIVILEGE_H

#include <stdbool.h>

/* Becomes `user` with its groups, for good (NULL: stays who we are), and keeps programs that
 * might be run from gaining privileges. Without `core_dumps` no core is written and no process
 * of the same user may look into this one. false after saying why in the log. */
bool privilege_drop(const char *user, bool core_dumps);

/* Before a file is read that another user may have written, as root only: becomes that user for
 * good, so that the file gives no user more rights than that user has. Stays root for a file that
 * only root can have put there. false after log_error. */
bool privilege_yield_to_owner(const char *path);

#endif
