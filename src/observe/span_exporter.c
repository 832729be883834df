/* SPDX-License-Identifier: BSD-2-Clause */
/* The exporter's thread and the rings of the workers.
 *
 *   worker 1 ─ ring ─┐
 *   worker 2 ─ ring ─┼─ exporter's thread ─ POST ─ collector
 *   worker n ─ ring ─┘  about once a second, sooner where a ring is half full
 *
 * A batch that the collector does not take is kept and sent again a few times, more slowly each time;
 * meanwhile the rings fill. Then it is dropped and counted, as are spans that find their ring full. */
#include "observe/span_exporter.h"

#include "base/check.h"
#include "base/log/log.h"
#include "base/memory/arena.h"
#include "base/system/clock.h"
#include "base/system/wakeup.h"
#include "observe/line_ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define SEND_EVERY_MS 1000
#define BATCH_BYTES (512u * 1024)
#define TRIES_MAX 4 /* of one batch; the pauses between them double, from SEND_EVERY_MS on */
/* At a stop the post that is under way and the last one together end before line_rings_stop gives up. */
#define UNDER_WAY_MS 500
#define LAST_POST_MS 1000
#define TELL_REJECTED_EVERY_S 60

/* Its count of what was dropped is of spans. */
struct span_ring {
    struct line_ring lines;
};
_Static_assert(sizeof(struct span_ring) == sizeof(struct line_ring), "one is cast to the other");

struct target {
    struct arena *texts;
    struct tracing_settings settings;
    struct collector_tls tls;
    const char *name; /* the gateway's */
};

struct span_exporter {
    struct line_rings rings;

    struct {
        _Atomic uint64_t exported;
        _Atomic uint64_t dropped;
        _Atomic uint64_t failures;
        pthread_mutex_t lock;
        struct target *next; /* under the lock: a new target, not yet seen; NULL: none */
    } shared;

    struct {
        struct target *target; /* NULL: none was given; its settings.to NULL: off */
        char *batch;
        struct text text; /* over it */
        uint64_t spans;   /* in it */
        bool is_closed;   /* its end is written */
        unsigned tries;
        bool failing;             /* was told, and none was taken since */
        uint64_t rejected_untold; /* spans of batches that were taken */
        time_t rejected_told_s;   /* monotonic; 0: never */
    } thread_only;
};

/* --- targets ----------------------------------------------------------------------------- */

static void target_free(struct target *target)
{
    if (target != NULL) {
        struct arena *texts = target->texts; /* the target is in it */

        if (target->tls.ops != NULL) {
            target->tls.ops->forget(target->tls.dialer);
        }
        arena_free(&texts);
    }
}

static struct target *target_new(const struct tracing_settings *settings, const char *name)
{
    struct arena *texts = arena_new();
    struct target *target = texts != NULL ? arena_take(texts, sizeof(*target)) : NULL;

    if (target != NULL) {
        target->texts = texts;
        target->settings.timeout = settings->timeout;
        target->name = arena_copy(texts, bytes_of(name));
    }
    if (target != NULL && settings->to != NULL) {
        target->settings.to = arena_copy(texts, bytes_of(settings->to));
        target->settings.authority = arena_copy(texts, bytes_of(settings->authority));
        target->settings.host = arena_copy(texts, bytes_of(settings->host));
        target->settings.port = arena_copy(texts, bytes_of(settings->port));
        target->settings.path = arena_copy(texts, bytes_of(settings->path));
    }
    if (target == NULL || arena_failed(texts)) {
        arena_free(&texts);
        return NULL;
    }
    return target;
}

static void take_next_target(struct span_exporter *exporter)
{
    struct target *next;

    pthread_mutex_lock(&exporter->shared.lock);
    next = exporter->shared.next;
    exporter->shared.next = NULL;
    pthread_mutex_unlock(&exporter->shared.lock);
    if (next != NULL) {
        target_free(exporter->thread_only.target);
        exporter->thread_only.target = next;
    }
}

/* --- a batch ----------------------------------------------------------------------------- */

static void add_count(_Atomic uint64_t *to, uint64_t count)
{
    atomic_fetch_add_explicit(to, count, memory_order_relaxed);
}

static void begin_batch(struct span_exporter *exporter)
{
    struct text *text = &exporter->thread_only.text;

    *text = text_over(exporter->thread_only.batch, BATCH_BYTES);
    exporter->thread_only.spans = 0;
    exporter->thread_only.tries = 0;
    exporter->thread_only.is_closed = false;
    text_add_literal(text, "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
                           "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"");
    text_add_json(text, bytes_of(exporter->thread_only.target->name));
    text_add_literal(text,
                     "\"}},{\"key\":\"service.version\",\"value\":{\"stringValue\":\""
                     "" PACKAGE_VERSION "\"}}]},\"scopeSpans\":[{\"scope\":"
                     "{\"name\":\"turnpike\",\"version\":\"" PACKAGE_VERSION "\"},\"spans\":[");
}

static void close_batch(struct span_exporter *exporter)
{
    if (!exporter->thread_only.is_closed) {
        text_add_literal(&exporter->thread_only.text, "]}]}]}\n");
        exporter->thread_only.is_closed = true;
    }
}

static size_t room_in_batch(const struct span_exporter *exporter)
{
    return (size_t)(exporter->thread_only.text.limit - exporter->thread_only.text.at);
}

/* Lines, each a span, as far as there is room for the longest one. */
static void collect_ring(struct span_exporter *exporter, struct line_ring *ring)
{
    struct text *text = &exporter->thread_only.text;

    while (line_ring_length(ring) > 0 && room_in_batch(exporter) > 2 * LINE_RING_LINE_MAX) {
        struct bytes line = line_ring_line(ring);

        if (exporter->thread_only.spans++ > 0) {
            text_add_char(text, ',');
        }
        text_add_bytes(text, bytes_first(line, line.length - 1)); /* without the newline */
        line_ring_consume(ring, line.length);
    }
}

static void collect(struct span_exporter *exporter)
{
    for (uint32_t i = 0; i < exporter->rings.count && !exporter->thread_only.is_closed; i++) {
        collect_ring(exporter, &exporter->rings.rings[i]);
    }
}

static bool much_waits(const struct span_exporter *exporter)
{
    return line_rings_length(&exporter->rings) > BATCH_BYTES / 4;
}

/* --- sending ----------------------------------------------------------------------------- */

static void report_failure(struct span_exporter *exporter, const char *why)
{
    add_count(&exporter->shared.failures, 1);
    if (!exporter->thread_only.failing) {
        log_warning(
            "tracing: %s takes no spans: %s; later ones wait, and are dropped where too many "
            "do",
            exporter->thread_only.target->settings.to, why);
        exporter->thread_only.failing = true;
    }
}

static void report_success(struct span_exporter *exporter)
{
    if (exporter->thread_only.failing) {
        log_info("tracing: %s takes spans again", exporter->thread_only.target->settings.to);
        exporter->thread_only.failing = false;
    }
}

/* A collector with a limit rejects some of each batch: a line a minute tells of all. */
static void tell_rejected(struct span_exporter *exporter, uint64_t rejected, const char *why)
{
    time_t told = exporter->thread_only.rejected_told_s;
    time_t now = (time_t)(clock_ms(CLOCK_MONOTONIC) / 1000);

    exporter->thread_only.rejected_untold += rejected;
    if (told != 0 && now - told < TELL_REJECTED_EVERY_S) {
        return;
    }
    log_warning("tracing: %s rejected %llu of the spans that it was sent: %s",
                exporter->thread_only.target->settings.to,
                (unsigned long long)exporter->thread_only.rejected_untold, why);
    exporter->thread_only.rejected_untold = 0;
    exporter->thread_only.rejected_told_s = now;
}

static void count_taken(struct span_exporter *exporter, const struct collector_answer *answer)
{
    uint64_t spans = exporter->thread_only.spans;
    uint64_t rejected = answer->rejected < spans ? answer->rejected : spans;

    add_count(&exporter->shared.exported, spans - rejected);
    if (rejected > 0) {
        add_count(&exporter->shared.dropped, rejected);
        tell_rejected(exporter, rejected, answer->why);
    }
}

static void drop_batch(struct span_exporter *exporter)
{
    add_count(&exporter->shared.dropped, exporter->thread_only.spans);
    begin_batch(exporter);
}

static unsigned pause_after(const struct span_exporter *exporter,
                            const struct collector_answer *answer)
{
    unsigned pause_ms = SEND_EVERY_MS << (exporter->thread_only.tries - 1);

    return answer->retry_after_s * 1000 > pause_ms ? answer->retry_after_s * 1000 : pause_ms;
}

/* Returns how long to wait before the next one. */
static unsigned send_batch(struct span_exporter *exporter, unsigned timeout_ms)
{
    struct text *text = &exporter->thread_only.text;
    const struct collector_patience patience = {timeout_ms, &exporter->rings.stop, UNDER_WAY_MS};
    struct collector_answer answer;

    close_batch(exporter);
    CHECK(!text->overflowed);
    collector_post(&exporter->thread_only.target->settings, &exporter->thread_only.target->tls,
                   text_since(text, text->start), &patience, &answer);
    if (answer.verdict == COLLECTOR_TOOK) {
        report_success(exporter);
        count_taken(exporter, &answer);
        begin_batch(exporter);
        return much_waits(exporter) ? 1 : SEND_EVERY_MS;
    }
    report_failure(exporter, answer.why);
    if (answer.verdict == COLLECTOR_REFUSED || ++exporter->thread_only.tries >= TRIES_MAX) {
        drop_batch(exporter);
        return SEND_EVERY_MS;
    }
    return pause_after(exporter, &answer);
}

static bool is_on(const struct span_exporter *exporter)
{
    return exporter->thread_only.target->settings.to != NULL;
}

/* Spans of exchanges that began before it was turned off have nowhere to go. */
static void drop_all(struct span_exporter *exporter)
{
    do {
        drop_batch(exporter);
        collect(exporter);
    } while (exporter->thread_only.spans > 0);
}

/* Returns how long to wait before the next turn; 0: until something happens. */
static unsigned run_turn(struct span_exporter *exporter, unsigned timeout_ms)
{
    if (!is_on(exporter)) {
        drop_all(exporter);
        return 0;
    }
    collect(exporter);
    return exporter->thread_only.spans > 0 ? send_batch(exporter, timeout_ms) : SEND_EVERY_MS;
}

static void *run_exporter(void *owner)
{
    struct span_exporter *exporter = owner;
    bool stop = false;

    take_next_target(exporter);
    begin_batch(exporter);
    while (!stop) {
        uint32_t seen = atomic_load_explicit(&exporter->rings.wakeup, memory_order_acquire);
        unsigned pause_ms;

        take_next_target(exporter);
        /* Read before collecting: what was written before the stop is collected once more. */
        stop = atomic_load_explicit(&exporter->rings.stop, memory_order_acquire);
        pause_ms = run_turn(exporter,
                            stop ? LAST_POST_MS : exporter->thread_only.target->settings.timeout);
        if (!stop) {
            wakeup_wait(&exporter->rings.wakeup, seen, pause_ms);
        }
    }
    return NULL;
}

static void start_thread(struct span_exporter *exporter)
{
    int error;

    exporter->thread_only.batch = malloc(BATCH_BYTES);
    if (exporter->thread_only.batch == NULL) {
        log_error("tracing: out of memory; no spans are sent until the next reload");
        return;
    }
    error = line_rings_start(&exporter->rings, "spans", run_exporter, exporter);
    if (error != 0) {
        log_error("tracing: cannot start its thread: %s (the limit of threads is reached: ulimit "
                  "-u, or TasksMax= of the unit); no spans are sent until the next reload",
                  strerror(error));
        free(exporter->thread_only.batch);
        exporter->thread_only.batch = NULL;
    }
}

/* --- what others ask --------------------------------------------------------------------- */

struct span_exporter *span_exporter_new(uint32_t rings)
{
    struct span_exporter *exporter = calloc(1, sizeof(*exporter));

    CHECK(rings > 0);
    if (exporter == NULL) {
        return NULL;
    }
    pthread_mutex_init(&exporter->shared.lock, NULL);
    if (!line_rings_init(&exporter->rings, rings)) {
        span_exporter_stop(&exporter);
    }
    return exporter;
}

void span_exporter_send_to(struct span_exporter *exporter, const struct tracing_settings *target,
                           const struct collector_tls *tls, const char *name)
{
    struct target *next;

    if (target->to == NULL && !exporter->rings.has_thread) {
        return;
    }
    next = target_new(target, name);
    if (next == NULL) {
        log_error("tracing: out of memory; spans go where they went before");
        if (tls->ops != NULL) {
            tls->ops->forget(tls->dialer);
        }
        return;
    }
    next->tls = *tls;
    pthread_mutex_lock(&exporter->shared.lock);
    target_free(exporter->shared.next);
    exporter->shared.next = next;
    pthread_mutex_unlock(&exporter->shared.lock);
    if (!exporter->rings.has_thread) {
        start_thread(exporter);
    }
    wakeup_send(&exporter->rings.wakeup);
}

struct span_ring *span_exporter_ring(struct span_exporter *exporter, uint32_t index)
{
    CHECK(index < exporter->rings.count);
    return (struct span_ring *)&exporter->rings.rings[index];
}

void span_exporter_write(struct span_ring *ring, const struct outcome *outcome,
                         const struct span_facts *facts)
{
    struct text text;

    if (ring == NULL) {
        return;
    }
    if (!line_ring_begin(&ring->lines, &text)) { /* which counts one */
        line_ring_count_dropped(&ring->lines, outcome->course.attempts);
        return;
    }
    span_line_format(&text, outcome, facts);
    if (text.overflowed) {
        line_ring_count_dropped(&ring->lines, 1u + outcome->course.attempts);
    } else if (line_ring_commit(&ring->lines, &text)) {
        wakeup_send(ring->lines.wakeup);
    }
}

void span_exporter_rest(struct span_ring *ring)
{
    if (ring != NULL) {
        line_ring_rest(&ring->lines);
    }
}

void span_exporter_read(const struct span_exporter *exporter, struct span_counts *counts)
{
    counts->exported = atomic_load_explicit(&exporter->shared.exported, memory_order_relaxed);
    counts->failures = atomic_load_explicit(&exporter->shared.failures, memory_order_relaxed);
    counts->dropped = atomic_load_explicit(&exporter->shared.dropped, memory_order_relaxed) +
                      line_rings_dropped(&exporter->rings);
}

void span_exporter_stop(struct span_exporter **held)
{
    struct span_exporter *exporter = *held;

    *held = NULL;
    if (exporter == NULL || !line_rings_stop(&exporter->rings)) {
        return;
    }
    line_rings_release(&exporter->rings);
    free(exporter->thread_only.batch);
    target_free(exporter->thread_only.target);
    target_free(exporter->shared.next);
    pthread_mutex_destroy(&exporter->shared.lock);
    free(exporter);
}
