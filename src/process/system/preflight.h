/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands between a good configuration and a start on this machine, told as warnings: the file
 * may be meant for another machine, or for a moment when folders are there and ports are free.
 * Opens nothing that would be left behind. Called for -t, and its first part at each start. */
#ifndef PROCESS_SYSTEM_PREFLIGHT_H
#define PROCESS_SYSTEM_PREFLIGHT_H

#include "config/settings.h"

/* Logs what the file says and hardly means, and waiting rooms whose places no restart keeps. One thread
 * only, as below, while the process is root. */
void preflight_log_warnings(const struct settings *settings);
/* Looks at folders, ports and the state directory. One thread only: where `user` is set and the
 * process is root, it asks as that user, and is root again. */
void preflight_check(const struct settings *settings);

#endif
