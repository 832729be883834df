/* SPDX-License-Identifier: BSD-2-Clause */
/* One JSON line an exchange (OpenTelemetry attribute names), written by a thread of its own.
 * Each worker formats into a ring of its own (one producer, one consumer, no lock); a full
 * ring drops the line and counts it; a worker never waits. Authorization, cookies, query
 * values and bodies never reach it: struct outcome has no place for them. */
#ifndef OBSERVE_ACCESS_LOG_H
#define OBSERVE_ACCESS_LOG_H

#include "config/settings.h"
#include "observe/outcome.h"

struct access_log;      /* one a process */
struct access_log_ring; /* one a worker */

/* Starts the writer thread (none when off). NULL with errno when the file cannot be opened, and with
 * errno 0, after log_error, when there is no thread for it. `rings` is the number of workers. */
struct access_log *access_log_start(const struct access_log_settings *settings, uint32_t rings);
/* The ring of worker `index`; NULL when the log is off. */
struct access_log_ring *access_log_ring(struct access_log *log, uint32_t index);
/* From the ring's own worker only. Never blocks, never calls into the kernel. */
void access_log_write(struct access_log_ring *ring, const struct outcome *outcome);
/* Now and then: gives memory back that a burst of lines took. From the ring's own worker only. */
void access_log_rest(struct access_log_ring *ring);
/* Names of the configuration may have moved (a reload). From the ring's own worker only. */
void access_log_forget(struct access_log_ring *ring);
/* SIGUSR1: the writer opens its file again by name before its next write. Any thread. */
void access_log_reopen(struct access_log *log);
uint64_t access_log_dropped(const struct access_log *log);
/* Writes what is left (bounded to 2 s), ends the thread, frees everything. A writer that is still
 * stuck then, because its target takes nothing, is left to the end of the process. */
void access_log_stop(struct access_log **log);

#endif
