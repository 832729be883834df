/* SPDX-License-Identifier: BSD-2-Clause */
/* The access log's writer thread and what workers and process/ may ask of it.
 *
 *   worker 1 ─ ring ─┐
 *   worker 2 ─ ring ─┼─ writer thread ─ file, stderr or syslog
 *   worker n ─ ring ─┘   about every 50 ms, sooner when busy, or when the wake-up rings
 *
 * Where the target cannot take more, only the writer waits; rings fill, lines are dropped and
 * counted, and a line {"dropped":N} says so as soon as the target takes lines again. Nothing
 * is taken out of a ring before the target has it. */
#include "observe/access_log.h"

#include "base/check.h"
#include "base/log/log.h"
#include "base/log/sink.h"
#include "base/system/wakeup.h"
#include "base/text.h"
#include "observe/access_line.h"
#include "observe/line_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define COLLECT_EVERY_MS 50
#define COLLECT_SOONEST_MS 2
#define COLLECT_BYTES (96u * 1024) /* wanted at a time, where there are more in 50 ms */
#define REST_MS 400                /* between two looks when nothing has come for a while */
#define RETRY_AFTER_MS 1000        /* a target that failed */
#define CHECK_EVERY_MS 100         /* while a target takes nothing: is it to be opened again? */

/* Of one worker. */
struct access_log_ring {
    struct line_ring *lines;
    struct access_memory memory; /* the worker's */
};

struct access_log {
    enum access_log_target target;
    struct line_rings rings;
    struct access_log_ring *of_workers; /* as many */

    struct {
        _Atomic bool reopen;
        _Atomic uint64_t lost; /* lines given up half written, when the file was reopened */
    } shared;

    struct {
        char *path;
        const struct sink *sink; /* `file`, or the one of stderr */
        struct sink file;
        uint32_t ring;    /* where writing goes on */
        bool inside_line; /* the last byte written was not a newline */
        bool failing;     /* an error has been reported and nothing was written since */
        uint64_t dropped_reported;
        char notice[64];
        size_t notice_length;
        size_t notice_written;
    } writer_only;
};

/* --- the target -------------------------------------------------------------------------- */

/* Non-blocking for a pipe without a reader, which would hold up the start, or the writer: it is an
 * error (ENXIO). */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* Waits for a target that takes nothing, until the operator has it opened again (SIGUSR1): -1 with
 * EAGAIN then. */
static ssize_t write_patiently(struct access_log *log, struct bytes piece)
{
    for (;;) {
        ssize_t written = sink_write(log->writer_only.sink, piece);

        if (written >= 0 || errno != EAGAIN ||
            atomic_load_explicit(&log->shared.reopen, memory_order_acquire)) {
            return written;
        }
        sink_wait(log->writer_only.sink, CHECK_EVERY_MS);
    }
}

static ssize_t write_some(struct access_log *log, struct bytes piece)
{
    if (log->target != ACCESS_LOG_SYSLOG) {
        return write_patiently(log, piece);
    }
    syslog(LOG_INFO, "%.*s", (int)piece.length - 1, piece.at); /* without the newline */
    return (ssize_t)piece.length;
}

/* Returns the bytes written, 0 when the target failed; says so once until it works again. */
static size_t write_piece(struct access_log *log, struct bytes piece)
{
    ssize_t written = write_some(log, piece);

    if (written < 0 && errno == EAGAIN) {
        return 0; /* it is opened again first */
    }
    if (written <= 0) {
        if (!log->writer_only.failing) {
            log_error("access log: cannot write: %s", strerror(errno));
        }
        log->writer_only.failing = true;
        return 0;
    }
    if (log->writer_only.failing) {
        log_info("access log: writing again");
        log->writer_only.failing = false;
    }
    return (size_t)written;
}

/* --- collecting -------------------------------------------------------------------------- */

/* Takes what is there now and no more, so that a busy worker does not keep the writer from
 * the other rings. false when the target failed. */
static bool write_ring(struct access_log *log, struct line_ring *ring)
{
    size_t left = line_ring_length(ring);

    while (left > 0) {
        struct bytes piece =
            log->target == ACCESS_LOG_SYSLOG ? line_ring_line(ring) : line_ring_piece(ring);
        size_t written;

        if (piece.length > left) {
            piece.length = left;
        }
        written = write_piece(log, piece);
        if (written == 0) {
            return false;
        }
        log->writer_only.inside_line = piece.at[written - 1] != '\n';
        line_ring_consume(ring, written);
        left -= written;
    }
    return true;
}

/* Begins with the ring at which the target failed last, since a line of it may be half done. */
static bool write_rings(struct access_log *log)
{
    for (uint32_t i = 0; i < log->rings.count; i++) {
        if (!write_ring(log, &log->rings.rings[log->writer_only.ring])) {
            return false;
        }
        log->writer_only.ring = (log->writer_only.ring + 1) % log->rings.count;
    }
    return true;
}

static void prepare_notice(struct access_log *log)
{
    uint64_t dropped = access_log_dropped(log);
    struct text notice = text_over(log->writer_only.notice, sizeof(log->writer_only.notice));

    if (dropped == log->writer_only.dropped_reported) {
        return;
    }
    text_add_literal(&notice, "{\"dropped\":");
    text_add_number(&notice, dropped - log->writer_only.dropped_reported);
    text_add_literal(&notice, "}\n");
    log->writer_only.dropped_reported = dropped;
    log->writer_only.notice_length = text_length(&notice);
    log->writer_only.notice_written = 0;
}

static bool write_notice(struct access_log *log)
{
    while (log->writer_only.notice_written < log->writer_only.notice_length) {
        struct bytes rest = {log->writer_only.notice + log->writer_only.notice_written,
                             log->writer_only.notice_length - log->writer_only.notice_written};
        size_t written = write_piece(log, rest);

        if (written == 0) {
            return false;
        }
        log->writer_only.notice_written += written;
    }
    return true;
}

static bool write_lines(struct access_log *log)
{
    if (!write_notice(log) || !write_rings(log)) {
        return false;
    }
    prepare_notice(log);
    return write_notice(log);
}

/* The process log writes to stderr as well: neither gets into a line of the other. */
static bool write_all(struct access_log *log)
{
    bool shares = log->target == ACCESS_LOG_STDERR && line_rings_length(&log->rings) > 0;
    bool written;

    if (shares) {
        log_sink_lock();
    }
    written = write_lines(log);
    if (shares) {
        log_sink_unlock();
    }
    return written;
}

/* --- reopening --------------------------------------------------------------------------- */

/* The beginning of these lines stayed in the old file. */
static void forget_half_written(struct access_log *log)
{
    struct line_ring *ring = &log->rings.rings[log->writer_only.ring];

    if (log->writer_only.inside_line) {
        line_ring_consume(ring, line_ring_line(ring).length);
        log->writer_only.inside_line = false;
        atomic_fetch_add_explicit(&log->shared.lost, 1, memory_order_relaxed);
    }
    if (log->writer_only.notice_written < log->writer_only.notice_length) {
        log->writer_only.notice_written = 0;
    }
}

static void reopen_file(struct access_log *log)
{
    int file;

    if (log->target != ACCESS_LOG_FILE) {
        return;
    }
    file = open_file(log->writer_only.path);
    if (file < 0) {
        log_error("access log: cannot reopen %s, going on with the old file: %s",
                  log->writer_only.path, strerror(errno));
        return;
    }
    sink_close(&log->writer_only.file);
    log->writer_only.file = sink_over_own(file);
    forget_half_written(log);
}

/* --- the thread -------------------------------------------------------------------------- */

/* `waiting` have come in the pause before. Two megabytes at once keep a worker that shares the
 * processor from its clients for a millisecond, and are no longer in the cache. */
static unsigned next_pause(unsigned pause_ms, size_t waiting)
{
    uint64_t next = COLLECT_EVERY_MS;

    if (waiting == 0) {
        return pause_ms < REST_MS / 2 ? pause_ms * 2 : REST_MS;
    }
    if (pause_ms > COLLECT_EVERY_MS) {
        pause_ms = COLLECT_EVERY_MS;
    }
    if (waiting > (uint64_t)COLLECT_BYTES * pause_ms / COLLECT_EVERY_MS) {
        next = (uint64_t)COLLECT_BYTES * pause_ms / waiting;
    }
    return next > COLLECT_SOONEST_MS ? (unsigned)next : COLLECT_SOONEST_MS;
}

static void *run_writer(void *owner)
{
    struct access_log *log = owner;
    unsigned pause_ms = COLLECT_EVERY_MS;
    bool stop = false;

    while (!stop) {
        uint32_t seen = atomic_load_explicit(&log->rings.wakeup, memory_order_acquire);
        bool written;

        /* Read before collecting: what was logged before the stop is collected once more. */
        stop = atomic_load_explicit(&log->rings.stop, memory_order_acquire);
        if (atomic_exchange_explicit(&log->shared.reopen, false, memory_order_acq_rel)) {
            reopen_file(log);
        }
        pause_ms = next_pause(pause_ms, line_rings_length(&log->rings));
        written = write_all(log);
        if (!stop) {
            wakeup_wait(&log->rings.wakeup, seen, written ? pause_ms : RETRY_AFTER_MS);
        }
    }
    return NULL;
}

/* --- starting ---------------------------------------------------------------------------- */

static bool open_target(struct access_log *log, const struct access_log_settings *settings)
{
    switch (settings->target) {
    case ACCESS_LOG_FILE:
        log->writer_only.path = strdup(settings->path);
        if (log->writer_only.path == NULL) {
            return false;
        }
        log->writer_only.file = sink_over_own(open_file(settings->path));
        log->writer_only.sink = &log->writer_only.file;
        return log->writer_only.file.fd >= 0;
    case ACCESS_LOG_SYSLOG:
        openlog("turnpike", LOG_PID | LOG_NDELAY, LOG_DAEMON);
        return true;
    case ACCESS_LOG_STDERR:
        log->writer_only.sink = log_sink();
        return true;
    default:
        return true;
    }
}

static bool make_rings(struct access_log *log, uint32_t count)
{
    log->of_workers = calloc(count, sizeof(*log->of_workers));
    if (log->of_workers == NULL || !line_rings_init(&log->rings, count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        log->of_workers[i].lines = &log->rings.rings[i];
    }
    return true;
}

static void free_log(struct access_log *log)
{
    line_rings_release(&log->rings);
    free(log->of_workers);
    sink_close(&log->writer_only.file);
    if (log->target == ACCESS_LOG_SYSLOG) {
        closelog();
    }
    free(log->writer_only.path);
    free(log);
}

struct access_log *access_log_start(const struct access_log_settings *settings, uint32_t rings)
{
    struct access_log *log = calloc(1, sizeof(*log));
    int error;

    if (log == NULL) {
        return NULL;
    }
    log->target = settings->target;
    log->writer_only.file = sink_over_own(-1);
    if (settings->target == ACCESS_LOG_OFF) {
        return log;
    }
    CHECK(rings > 0);
    if (!open_target(log, settings) || !make_rings(log, rings)) {
        error = errno;
        free_log(log);
        errno = error;
        return NULL;
    }
    error = line_rings_start(&log->rings, "access-log", run_writer, log);
    if (error != 0) {
        log_error("cannot start the thread of the access log: %s (the limit of threads is reached: "
                  "ulimit -u, or TasksMax= of the unit)",
                  strerror(error));
        free_log(log);
        errno = 0;
        return NULL;
    }
    return log;
}

/* --- what others ask --------------------------------------------------------------------- */

struct access_log_ring *access_log_ring(struct access_log *log, uint32_t index)
{
    if (log->target == ACCESS_LOG_OFF) {
        return NULL;
    }
    CHECK(index < log->rings.count);
    return &log->of_workers[index];
}

void access_log_write(struct access_log_ring *ring, const struct outcome *outcome)
{
    struct text line;

    if (ring == NULL || !line_ring_begin(ring->lines, &line)) {
        return;
    }
    access_line_format(&line, outcome, &ring->memory);
    if (line_ring_commit(ring->lines, &line)) {
        wakeup_send(ring->lines->wakeup);
    }
}

void access_log_rest(struct access_log_ring *ring)
{
    if (ring != NULL) {
        line_ring_rest(ring->lines);
    }
}

void access_log_forget(struct access_log_ring *ring)
{
    if (ring != NULL) {
        access_memory_forget(&ring->memory);
    }
}

void access_log_reopen(struct access_log *log)
{
    atomic_store_explicit(&log->shared.reopen, true, memory_order_release);
    wakeup_send(&log->rings.wakeup);
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return atomic_load_explicit(&log->shared.lost, memory_order_relaxed) +
           line_rings_dropped(&log->rings);
}

void access_log_stop(struct access_log **log)
{
    if (*log == NULL) {
        return;
    }
    if (line_rings_stop(&(*log)->rings)) {
        free_log(*log);
    }
    *log = NULL;
}
