/* SPDX-License-Identifier: BSD-2-Clause */
/* Handing over to a new binary (SIGUSR2): starts what now lies at the path this process was
 * started from, with its arguments and all listening sockets, and waits until it says that it
 * serves. Only then does this process leave; if the new one fails, this one goes on. On the main
 * thread's loop. */
#ifndef PROCESS_UPGRADE_UPGRADE_H
#define PROCESS_UPGRADE_UPGRADE_H

#include "base/page.h"
#include "net/loop.h"

#include <sys/types.h>

struct upgrade;

/* `successor`: it serves, and this process may go; 0: there is none, go on. */
typedef void upgrade_over(void *owner, pid_t successor);

/* Remembers where the binary is, before an operator replaces it. NULL: out of memory. */
struct upgrade *upgrade_new(struct loop *loop, char **arguments, upgrade_over *over, void *owner);
void upgrade_free(struct upgrade **upgrade);
/* false, after log_error, when it could not even be started. `sockets` are handover lines. */
bool upgrade_begin(struct upgrade *upgrade, const struct page *sockets);
/* This process stops: the other one is told to. NULL and none are harmless. */
void upgrade_abandon(struct upgrade *upgrade);
bool upgrade_is_under_way(const struct upgrade *upgrade);

#endif
