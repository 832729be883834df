/* SPDX-License-Identifier: BSD-2-Clause */
/* The process log: what operators read (start, stop, reload, warnings), one line each, on stderr.
 * Not for exchanges; those are observe/access_log. May be called from any thread and never waits:
 * a thread of its own writes, and lines that stderr does not take are dropped and counted. Before
 * log_start and after log_stop a line is written at once, or given up after 100 ms.
 * Never given header values, query strings or bodies. */
#ifndef BASE_LOG_LOG_H
#define BASE_LOG_LOG_H

#include "base/log/sink.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* How a line looks: with its time, pid and level in words; for systemd's journal, which has time and
 * pid itself, with the level as syslog's priority; as a JSON object. */
enum log_format { LOG_TEXT, LOG_JOURNAL, LOG_JSON };
/* Before other threads run. */
void log_set_format(enum log_format format);
/* stderr is a stream to systemd's journal. */
bool log_goes_to_journal(void);

void log_set_level(enum log_level least);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes stderr one that blocks no thread. Once, as root still and before other threads run. */
void log_open(void);
/* Starts the thread that writes. false with errno: lines go on being written at once. */
bool log_start(void);
/* Writes what waits, for at most 2 s, and ends the thread. */
void log_stop(void);
/* Waits until the lines so far are written, at most `timeout_ms`: before the process aborts. */
void log_flush(unsigned timeout_ms);
/* Lines dropped so far because stderr took nothing. */
uint64_t log_dropped(void);

/* stderr, for the access log that goes there too. A line of one log does not get into a line of
 * the other while each holds the lock until its line is whole. */
const struct sink *log_sink(void);
void log_sink_lock(void);
void log_sink_unlock(void);

#endif
