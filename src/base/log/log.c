/* SPDX-License-Identifier: BSD-2-Clause */
/* The process log. Threads put lines into a queue; the log's own thread writes them to stderr, so
 * that a reader of stderr who stalls (a full pipe, a slow journal) holds up no other thread. */
#include "base/log/log.h"

#include "base/system/clock.h"
#include "base/system/thread.h"
#include "base/system/wakeup.h"
#include "base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_WITHIN_MS 100
#define CHECK_EVERY_MS 100 /* while stderr takes nothing: is the process to stop? */
#define LOCK_EVERY_MS 5    /* while the access log writes */
#define STOP_WITHIN_MS 2000

/* --- the queue --------------------------------------------------------------------------- */

/* Bounded and without a lock, for many producers and one reader: a thread that logs never waits, a full
 * queue drops the line and counts it. */
#define LOG_LINE_MAX 2048
#define LOG_QUEUE_LINES 256 /* a power of two */

/* `turn` says whose a slot is: the producer of position p may fill it while it equals p, the
 * reader may take it while it equals p + 1. */
struct log_slot {
    _Atomic uint64_t turn;
    uint32_t length;
    char text[LOG_LINE_MAX];
};

struct log_queue {
    _Alignas(64) _Atomic uint64_t next;    /* position that the next producer takes */
    _Alignas(64) _Atomic uint64_t taken;   /* positions that the reader has finished with */
    _Alignas(64) _Atomic uint64_t dropped; /* lines */
    struct log_slot slots[LOG_QUEUE_LINES];
};

static struct log_slot *slot_of(struct log_queue *queue, uint64_t position)
{
    return &queue->slots[position & (LOG_QUEUE_LINES - 1)];
}

static void log_queue_init(struct log_queue *queue)
{
    atomic_init(&queue->next, 0);
    atomic_init(&queue->taken, 0);
    atomic_init(&queue->dropped, 0);
    for (uint64_t i = 0; i < LOG_QUEUE_LINES; i++) {
        atomic_init(&queue->slots[i].turn, i);
    }
}

/* The slot of the next position, which is this producer's alone from now on; NULL: full. */
static struct log_slot *claim(struct log_queue *queue, uint64_t *position)
{
    *position = atomic_load_explicit(&queue->next, memory_order_relaxed);
    for (;;) {
        struct log_slot *slot = slot_of(queue, *position);
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);

        if (turn < *position) {
            return NULL;
        }
        if (turn > *position) {
            *position = atomic_load_explicit(&queue->next, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&queue->next, position, *position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            return slot;
        }
    }
}

/* Any thread. Longer lines are cut. false: the queue is full and the line was dropped. */
static bool log_queue_put(struct log_queue *queue, struct bytes line)
{
    uint64_t position;
    struct log_slot *slot = claim(queue, &position);

    if (slot == NULL) {
        atomic_fetch_add_explicit(&queue->dropped, 1, memory_order_relaxed);
        return false;
    }
    slot->length = (uint32_t)(line.length < LOG_LINE_MAX ? line.length : LOG_LINE_MAX);
    memcpy(slot->text, line.at, slot->length);
    atomic_store_explicit(&slot->turn, position + 1, memory_order_release);
    return true;
}

/* Reader: the oldest line, which stays valid until log_queue_take; empty: there is none. */
static struct bytes log_queue_first(struct log_queue *queue)
{
    uint64_t position = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    struct log_slot *slot = slot_of(queue, position);

    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != position + 1) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){slot->text, slot->length};
}

static void log_queue_take(struct log_queue *queue)
{
    uint64_t position = atomic_load_explicit(&queue->taken, memory_order_relaxed);

    atomic_store_explicit(&slot_of(queue, position)->turn, position + LOG_QUEUE_LINES,
                          memory_order_release);
    atomic_store_explicit(&queue->taken, position + 1, memory_order_release);
}

/* Any thread: no line waits. */
static bool log_queue_is_empty(struct log_queue *queue)
{
    return atomic_load_explicit(&queue->taken, memory_order_acquire) ==
           atomic_load_explicit(&queue->next, memory_order_acquire);
}

/* --- the log ----------------------------------------------------------------------------- */

static _Atomic int least_level = LOG_LEVEL_INFO;
static struct sink sink = {STDERR_FILENO, SINK_POLLED, false};
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    struct log_queue queue;
    pthread_t thread;
    _Atomic bool runs;
    _Atomic bool stop;
    _Atomic uint32_t wakeup; /* a futex: changes with each line */
    uint64_t dropped_reported;
} writer;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static enum log_format line_format = LOG_TEXT;

void log_set_format(enum log_format format)
{
    line_format = format;
}

/* systemd says which file it reads (systemd.exec(5)). */
bool log_goes_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device;
    unsigned long long inode;
    struct stat facts;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &facts) == 0 && facts.st_dev == device && facts.st_ino == inode;
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

/* --- stderr ------------------------------------------------------------------------------ */

const struct sink *log_sink(void)
{
    return &sink;
}

void log_sink_lock(void)
{
    pthread_mutex_lock(&sink_lock);
}

void log_sink_unlock(void)
{
    pthread_mutex_unlock(&sink_lock);
}

/* false: stderr failed, or took not all of the line by `deadline_ms`. A deadline that moves is
 * read again and again. */
static bool write_line(struct bytes line, const _Atomic uint64_t *deadline_ms)
{
    while (line.length > 0) {
        ssize_t written = sink_write(&sink, line);

        if (written < 0 && errno != EAGAIN) {
            return false; /* nowhere left to say it */
        }
        if (written > 0) {
            line.at += written;
            line.length -= (size_t)written;
        } else if (clock_ms(CLOCK_MONOTONIC) >= atomic_load(deadline_ms)) {
            return false;
        } else {
            sink_wait(&sink, CHECK_EVERY_MS);
        }
    }
    return true;
}

static void write_at_once(struct bytes line)
{
    _Atomic uint64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + DIRECT_WITHIN_MS;

    if (!write_line(line, &deadline_ms)) {
        atomic_fetch_add_explicit(&writer.queue.dropped, 1, memory_order_relaxed);
    }
}

/* --- how a line looks -------------------------------------------------------------------- */

/* "2025-01-31T23:59:59.123Z" */
static void add_time(struct text *line)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    int length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    length = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
                      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000);
    text_add(line, text, length > 0 ? (size_t)length : 0);
}

/* What fits; the rest of a very long line is left out. */
static void add_cut(struct text *line, struct bytes message)
{
    size_t room = (size_t)(line->limit - line->at);

    text_add_bytes(line, bytes_first(message, message.length < room ? message.length : room));
}

static void add_json(struct text *line, enum log_level level, struct bytes message)
{
    static const char end[] = "\"}";

    text_add_literal(line, "{\"time\":\"");
    add_time(line);
    text_add_literal(line, "\",\"level\":\"");
    text_add_bytes(line, bytes_of(level_names[level]));
    text_add_literal(line, "\",\"pid\":");
    text_add_number(line, (uint64_t)getpid());
    text_add_literal(line, ",\"message\":\"");
    text_add_json_cut(line, message, (size_t)(line->limit - line->at) - sizeof(end));
    text_add_literal(line, end);
}

static void add_line(struct text *line, enum log_level level, struct bytes message)
{
    static const char *const priorities[] = {"<7>", "<6>", "<4>", "<3>"}; /* of syslog */

    switch (line_format) {
    case LOG_JOURNAL:
        text_add_bytes(line, bytes_of(priorities[level]));
        add_cut(line, message);
        break;
    case LOG_JSON:
        add_json(line, level, message);
        break;
    case LOG_TEXT:
        add_time(line);
        text_add_char(line, ' ');
        text_add_number(line, (uint64_t)getpid());
        text_add_char(line, ' ');
        text_add_bytes(line, bytes_of(level_names[level]));
        text_add_char(line, ' ');
        add_cut(line, message);
        break;
    }
}

static struct bytes make_line(char room[static LOG_LINE_MAX], enum log_level level,
                              struct bytes message)
{
    struct text line = text_over(room, LOG_LINE_MAX - 1); /* room for its end */

    add_line(&line, level, message);
    *line.at++ = '\n';
    return text_since(&line, room);
}

/* --- the thread -------------------------------------------------------------------------- */

static _Atomic uint64_t give_up_at_ms = UINT64_MAX; /* moved once the process is to stop */

static void report_dropped(void)
{
    uint64_t dropped = log_dropped();
    char message[128];
    char room[LOG_LINE_MAX];
    int length;

    if (dropped == writer.dropped_reported) {
        return;
    }
    length = snprintf(message, sizeof(message),
                      "process log: %llu lines were dropped while stderr took nothing",
                      (unsigned long long)(dropped - writer.dropped_reported));
    if (write_line(make_line(room, LOG_LEVEL_WARNING, (struct bytes){message, (size_t)length}),
                   &give_up_at_ms)) {
        writer.dropped_reported = dropped;
    }
}

/* The access log holds the lock for as long as stderr takes nothing of its line. */
static bool lock_sink_in_time(void)
{
    const struct timespec pause = {0, LOCK_EVERY_MS * 1000000L};

    while (pthread_mutex_trylock(&sink_lock) != 0) {
        if (clock_ms(CLOCK_MONOTONIC) >= atomic_load(&give_up_at_ms)) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static void write_waiting(void)
{
    struct bytes line;

    while ((line = log_queue_first(&writer.queue)).length > 0) {
        if (lock_sink_in_time()) {
            if (write_line(line, &give_up_at_ms)) {
                report_dropped();
            }
            log_sink_unlock();
        }
        log_queue_take(&writer.queue);
    }
}

static void *run_writer(void *unused)
{
    bool stop = false;

    (void)unused;
    while (!stop) {
        uint32_t seen = atomic_load_explicit(&writer.wakeup, memory_order_acquire);

        /* Read before writing: what was logged before the stop is written. */
        stop = atomic_load_explicit(&writer.stop, memory_order_acquire);
        write_waiting();
        if (!stop) {
            wakeup_wait(&writer.wakeup, seen, 0);
        }
    }
    return NULL;
}

void log_open(void)
{
    sink = sink_over_shared(STDERR_FILENO);
}

bool log_start(void)
{
    int error;

    log_queue_init(&writer.queue);
    atomic_store(&writer.stop, false);
    atomic_store(&give_up_at_ms, UINT64_MAX);
    writer.dropped_reported = 0;
    error = thread_start(&writer.thread, "process-log", run_writer, NULL);
    if (error != 0) {
        errno = error;
        return false;
    }
    atomic_store_explicit(&writer.runs, true, memory_order_release);
    return true;
}

/* The sink stays open: the access log's writer may be stuck in it still. */
void log_stop(void)
{
    if (!atomic_load(&writer.runs)) {
        return;
    }
    atomic_store(&give_up_at_ms, clock_ms(CLOCK_MONOTONIC) + STOP_WITHIN_MS);
    atomic_store_explicit(&writer.stop, true, memory_order_release);
    wakeup_send(&writer.wakeup);
    pthread_join(writer.thread, NULL);
    atomic_store_explicit(&writer.runs, false, memory_order_release);
}

void log_flush(unsigned timeout_ms)
{
    const struct timespec pause = {0, 1000000};
    uint64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + timeout_ms;

    while (atomic_load(&writer.runs) && !log_queue_is_empty(&writer.queue) &&
           clock_ms(CLOCK_MONOTONIC) < deadline_ms) {
        nanosleep(&pause, NULL);
    }
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&writer.queue.dropped, memory_order_relaxed);
}

/* --- a line ------------------------------------------------------------------------------ */

static void put_line(struct bytes line)
{
    if (!atomic_load_explicit(&writer.runs, memory_order_acquire)) {
        write_at_once(line);
    } else if (log_queue_put(&writer.queue, line)) {
        wakeup_send(&writer.wakeup);
    }
}

static void log_line(enum log_level level, const char *format, va_list arguments)
{
    char message[LOG_LINE_MAX];
    char room[LOG_LINE_MAX];
    int length;

    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    length = vsnprintf(message, sizeof(message), format, arguments);
    if (length < 0) {
        return;
    }
    if (length >= (int)sizeof(message)) {
        length = (int)sizeof(message) - 1;
    }
    put_line(make_line(room, level, (struct bytes){message, (size_t)length}));
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
