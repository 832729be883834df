/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the process keeps what shall outlive it: the last good configuration, the audit log, and
 * what was decided at run time (state_store.h).
 * Called at start, once privileges are dropped, and by `--last-good`. */
#ifndef PROCESS_STATE_STATE_DIRECTORY_H
#define PROCESS_STATE_STATE_DIRECTORY_H

#include "base/bytes.h"

#include <sys/types.h>

#define STATE_DIRECTORY_DEFAULT "/var/lib/turnpike"

/* What a file says that is bad elsewhere, as far as one line tells; NULL: nothing. malloc'd. */
char *state_directory_in_text(struct bytes text);
/* What the configuration says (may be NULL), else $STATE_DIRECTORY, else the default one. */
char *state_directory_choose(const char *configured); /* malloc'd; NULL: out of memory */
/* The same, or NULL, with a line in the log, when it is not there or may not be written to. */
char *state_directory_open(const char *configured);

/* Puts the file in place in one step: a reader sees the whole old one or the whole new one. false: errno
 * says why. */
bool state_file_replace(const char *path, struct bytes content, mode_t mode);
/* The same of one in the directory; the log says why, too, once a minute. */
bool state_directory_write(const char *directory, const char *name, struct bytes content);
char *state_directory_path(const char *directory, const char *name); /* malloc'd */

#define LAST_GOOD_FILE "last-good.yaml"

#endif
