/* SPDX-License-Identifier: BSD-2-Clause */
/* The process log on stderr: one write a line, so that lines of threads do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static _Atomic int least_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

static void log_line(enum log_level level, const char *format, va_list arguments)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm parts;
    int length;
    int more;

    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    length = snprintf(line, sizeof(line), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s ",
                      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000, level_names[level]);
    more = vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, arguments);
    if (more < 0) {
        return;
    }
    length += more;
    if (length > (int)sizeof(line) - 2) {
        length = (int)sizeof(line) - 2;
    }
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)length) < 0) {
        return; /* nowhere left to say it */
    }
}

#define LOG_FUNCTION(name, level) \
    void name(const char *format, ...) \
    { \
        va_list arguments; \
        va_start(arguments, format); \
        log_line(level, format, arguments); \
        va_end(arguments); \
    }

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
