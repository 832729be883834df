/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the service manager how the process is: systemd's notification socket ($NOTIFY_SOCKET,
 * Type=notify) and a file with the process id. Main thread. */
#ifndef PROCESS_SYSTEM_ANNOUNCE_H
#define PROCESS_SYSTEM_ANNOUNCE_H

#include <stdbool.h>
#include <sys/types.h>

/* As in sd_notify(3): "READY=1". Nothing without such a socket. */
void announce(const char *state);
/* Another process is the service's main one from now on. */
void announce_successor(pid_t successor);

/* Written in one step. false after a warning in the log. */
bool pid_file_write(const char *path);
/* Only if it still names this process. */
void pid_file_remove(const char *path);

#endif
