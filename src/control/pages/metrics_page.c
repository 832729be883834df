/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /metrics: the counters of all workers, added up. */
#include "base/log/log.h"
#include "control/endpoints.h"
#include "control/pages/merged.h"
#include "control/pages/metrics_cache.h"
#include "control/pages/metrics_rooms.h"
#include "control/pages/metrics_codes.h"
#include "control/pages/metrics_exemplars.h"
#include "control/pages/metrics_origins.h"
#include "control/pages/metrics_process.h"
#include "control/pages/metrics_splits.h"
#include "control/pages/metrics_text.h"
#include "control/pages/tls_pages.h"

#include <stdio.h>

#define CONTENT_TYPE BYTES("text/plain; version=0.0.4; charset=utf-8")
#define OPEN_NAME "application/openmetrics-text"
#define OPEN_CONTENT_TYPE BYTES(OPEN_NAME "; version=1.0.0; charset=utf-8")

static const char *const classes[METRICS_STATUS_CLASSES] = {"none", "1xx", "2xx",
                                                            "3xx",  "4xx", "5xx"};

/* --- the process ------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *help;
} events[METRICS_EVENT_COUNT] = {
#define ROW(name, metric, sentence) [METRICS_##name] = {"turnpike_" metric "_total", sentence},
    METRICS_EVENTS(ROW)
#undef ROW
};

static void add_events(struct page *page, const struct control_sources *sources)
{
    for (int i = 0; i < METRICS_EVENT_COUNT; i++) {
        metrics_text_plain(page, events[i].name, "counter", events[i].help,
                           merged_event(sources, (enum metrics_event)i));
    }
}

static void add_cuts(struct page *page, const struct control_sources *sources)
{
    static const char name[] = "turnpike_client_forced_closes_total";
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    metrics_text_family(page, name, "counter",
                        "Client connections that the gateway closed before their end, by cause.");
    for (int cause = CUT_NONE + 1; cause < CUT_CAUSE_COUNT; cause++) {
        uint64_t sum = 0;

        for (uint32_t worker = 0; worker < facts.workers; worker++) {
            sum += metrics_cuts(sources->metrics(sources->owner, worker), (enum cut_cause)cause);
        }
        metrics_text_begin(page, name, "cause", cut_cause_name((enum cut_cause)cause));
        metrics_text_end(page, sum);
    }
}

static void add_h2_faults(struct page *page, const struct control_sources *sources)
{
    static const char name[] = "turnpike_http2_requests_malformed_total";
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    metrics_text_family(page, name, "counter",
                        "Requests in HTTP/2 refused for what their fields say, by cause.");
    for (int fault = 0; fault < H2_FAULT_COUNT; fault++) {
        uint64_t sum = 0;

        for (uint32_t worker = 0; worker < facts.workers; worker++) {
            sum +=
                metrics_h2_faults(sources->metrics(sources->owner, worker), (enum h2_fault)fault);
        }
        metrics_text_begin(page, name, "cause", h2_fault_word((enum h2_fault)fault));
        metrics_text_end(page, sum);
    }
}

/* Only causes that were: a cut between two exchanges has no duration. */
static void add_cut_durations(struct page *page, const struct control_sources *sources)
{
    static const char name[] = "turnpike_client_forced_close_exchange_duration_seconds";
    struct merged merged;

    if (!merged_read(sources, METRICS_CUTS, &merged)) {
        page->failed = true;
        return;
    }
    metrics_text_family(
        page, name, "histogram",
        "From the first byte of a request to the forced close of its client, by cause.");
    for (size_t i = 0; i < merged.count; i++) {
        metrics_text_histogram(page, name, "cause", &merged.rows[i], NULL);
    }
    merged_release(&merged);
}

static void add_process(struct page *page, const struct control_sources *sources)
{
    struct control_facts facts;
    uint64_t connections = 0;
    uint64_t begun = 0;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        struct control_load load;

        sources->load(sources->owner, worker, &load);
        connections += load.connections;
        begun += load.begun;
    }
    metrics_text_family(page, "turnpike_info", "gauge", "The running version.");
    metrics_text_begin(page, "turnpike_info", "version", PACKAGE_VERSION);
    metrics_text_end(page, 1);
    metrics_text_plain(page, "turnpike_start_time_seconds", "gauge",
                       "When the process started, since 1970.", facts.started_realtime_s);
    metrics_text_plain(page, "turnpike_workers", "gauge", "Worker threads.", facts.workers);
    metrics_text_plain(page, "turnpike_stopping", "gauge", "1 once the process is stopping.",
                       facts.stopping);
    metrics_text_plain(page, "turnpike_client_connections", "gauge", "Client connections open now.",
                       connections);
    metrics_text_plain(page, "turnpike_exchanges_started_total", "counter",
                       "Requests whose head was read, or refused.", begun);
    metrics_text_plain(page, "turnpike_access_log_dropped_total", "counter",
                       "Lines of the access log that were dropped because its target is too slow.",
                       sources->dropped_lines(sources->owner));
    metrics_text_plain(page, "turnpike_process_log_dropped_total", "counter",
                       "Lines of the process log that were dropped because stderr takes nothing.",
                       log_dropped());
}

static void add_spans(struct page *page, const struct control_sources *sources)
{
    struct span_counts counts;

    if (sources->count_spans == NULL) {
        return;
    }
    sources->count_spans(sources->owner, &counts);
    metrics_text_plain(page, "turnpike_spans_exported_total", "counter",
                       "Spans that the collector of tracing.to took.", counts.exported);
    metrics_text_plain(page, "turnpike_spans_dropped_total", "counter",
                       "Spans that were dropped because the collector is too slow or refused them.",
                       counts.dropped);
    metrics_text_plain(page, "turnpike_span_posts_failed_total", "counter",
                       "POSTs of spans that the collector did not take.", counts.failures);
}

static void add_reloads(struct page *page, const struct control_sources *sources)
{
    struct reload_status status;

    if (sources->reload_status == NULL) {
        return;
    }
    sources->reload_status(sources->owner, &status);
    metrics_text_plain(page, "turnpike_config_generation", "gauge",
                       "Configurations loaded so far, the first one included.", status.generation);
    metrics_text_plain(page, "turnpike_config_loaded_time_seconds", "gauge",
                       "When the running configuration was loaded, since 1970.", status.loaded_at);
    metrics_text_plain(page, "turnpike_config_stale", "gauge",
                       "1 while the current file failed to load or was rolled back.",
                       status.last_failed || status.went_back);
    metrics_text_plain(page, "turnpike_config_unconfirmed", "gauge",
                       "1 while a reload waits for its confirmation.", status.unconfirmed);
    metrics_text_plain(page, "turnpike_reloads_total", "counter", "Successful reloads.", status.ok);
    metrics_text_plain(page, "turnpike_reloads_failed_total", "counter", "Failed reloads.",
                       status.failed);
}

/* --- families by name -------------------------------------------------------------------- */

/* What of a reading is shown, as turnpike_KIND_NAME. */
static const struct counter_row {
    const char *name;
    const char *help;
    size_t offset; /* in struct metrics_reading */
} counters[] = {
#define COUNTER(name, member, help) \
    { \
        name, help, offsetof(struct metrics_reading, member) \
    }
    COUNTER("errors_total", errors, "Exchanges that ended with an error."),
    COUNTER("received_bytes_total", bytes_in, "Bytes of requests, heads included."),
    COUNTER("sent_bytes_total", bytes_out, "Bytes of answers, heads included."),
#undef COUNTER
};

static const struct kind_row {
    enum metrics_kind kind;
    const char *label;
} kinds[] = {
    {METRICS_LISTENERS, "listener"},
    {METRICS_ROUTES, "route"},
    {METRICS_SERVICES, "service"},
};

struct name {
    char text[96];
};

static struct name name_of(const struct kind_row *kind, const char *what)
{
    struct name name;

    snprintf(name.text, sizeof(name.text), "turnpike_%s_%s", kind->label, what);
    return name;
}

static uint64_t counter_in(const struct metrics_reading *reading, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)reading + offset);
}

static void add_counters(struct page *page, const struct kind_row *kind,
                         const struct merged *merged)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        const struct name name = name_of(kind, counters[i].name);

        metrics_text_family(page, name.text, "counter", counters[i].help);
        for (size_t j = 0; j < merged->count; j++) {
            metrics_text_begin(page, name.text, kind->label, merged->rows[j].name);
            metrics_text_end(page, counter_in(&merged->rows[j], counters[i].offset));
        }
    }
}

static const char *class_word(size_t index)
{
    return classes[index];
}

static const char *end_word(size_t index)
{
    return outcome_end_name((enum outcome_end)index);
}

static void add_statuses(struct page *page, const struct kind_row *kind,
                         const struct merged *merged)
{
    const struct name name = name_of(kind, "exchanges_total");

    metrics_text_family(page, name.text, "counter",
                        "Finished exchanges by status class of the response.");
    for (size_t i = 0; i < merged->count; i++) {
        metrics_text_split(page, name.text, kind->label, merged->rows[i].name,
                           &(struct metrics_text_split){"status", class_word,
                                                        merged->rows[i].by_status,
                                                        METRICS_STATUS_CLASSES});
    }
}

/* Ten thousand routes without requests would be 300,000 lines of 0. */
static bool was_asked_for(const struct metrics_reading *reading)
{
    return reading->exchanges > 0;
}

static void add_ends(struct page *page, const struct kind_row *kind, const struct merged *merged)
{
    const struct name name = name_of(kind, "exchange_outcomes_total");

    metrics_text_family(page, name.text, "counter", "Finished exchanges by outcome.");
    for (size_t i = 0; i < merged->count; i++) {
        if (was_asked_for(&merged->rows[i])) {
            metrics_text_split(page, name.text, kind->label, merged->rows[i].name,
                               &(struct metrics_text_split){
                                   "outcome", end_word, merged->rows[i].by_end, OUTCOME_END_COUNT});
        }
    }
}

static const char *cache_word(size_t index)
{
    return outcome_cache_name((enum outcome_cache)(index + 1));
}

static bool has_cache(const struct metrics_reading *reading)
{
    uint64_t sum = 0;

    for (int i = OUTCOME_CACHE_NONE + 1; i < OUTCOME_CACHE_COUNT; i++) {
        sum += reading->by_cache[i];
    }
    return sum > 0;
}

static void add_caches(struct page *page, const struct merged *merged)
{
    static const char name[] = "turnpike_route_cache_requests_total";

    metrics_text_family(page, name, "counter", "Requests by what the cache of their route did.");
    for (size_t i = 0; i < merged->count; i++) {
        if (has_cache(&merged->rows[i])) {
            metrics_text_split(
                page, name, "route", merged->rows[i].name,
                &(struct metrics_text_split){"cache", cache_word,
                                             &merged->rows[i].by_cache[OUTCOME_CACHE_NONE + 1],
                                             OUTCOME_CACHE_COUNT - 1});
        }
    }
}

static void add_durations(struct page *page, const struct kind_row *kind,
                          const struct merged *merged, const struct exemplar_rows *exemplars)
{
    const struct name name = name_of(kind, "exchange_duration_seconds");

    metrics_text_family(page, name.text, "histogram",
                        "From the first byte of a request to the last of its answer.");
    for (size_t i = 0; i < merged->count; i++) {
        if (was_asked_for(&merged->rows[i])) {
            metrics_text_histogram(page, name.text, kind->label, &merged->rows[i],
                                   exemplar_rows_find(exemplars, merged->rows[i].name));
        }
    }
}

static void add_column(struct page *page, const struct merged *merged, const char *name,
                       const char *type, const char *help, size_t offset)
{
    metrics_text_family(page, name, type, help);
    for (size_t i = 0; i < merged->count; i++) {
        metrics_text_begin(page, name, "service", merged->rows[i].name);
        metrics_text_end(page, counter_in(&merged->rows[i], offset));
    }
}

static void add_retries(struct page *page, const struct merged *merged)
{
    add_column(page, merged, "turnpike_service_retries_total", "counter",
               "Retries after a failed attempt.", offsetof(struct metrics_reading, retries));
    add_column(page, merged, "turnpike_service_retries_denied_total", "counter",
               "Failures without a retry because retry_budget was exhausted.",
               offsetof(struct metrics_reading, retries_denied));
    add_column(page, merged, "turnpike_service_retries_left", "gauge",
               "Retries that retry_budget has left, as of the last request.",
               offsetof(struct metrics_reading, retries_left));
}

static void add_kind(struct question *question, const struct kind_row *kind, bool open)
{
    struct page *page = &question->page;
    const struct control_sources *sources = question->sources;
    struct merged *merged = &question->kept->counted;
    struct exemplar_rows exemplars = {0};

    if (!merged_read_again(sources, kind->kind, merged)) {
        page->failed = true;
        return;
    }
    if (open && !exemplar_rows_read(sources, kind->kind, &exemplars)) {
        page->failed = true;
    }
    add_statuses(page, kind, merged);
    add_counters(page, kind, merged);
    if (kind->kind == METRICS_ROUTES) {
        add_caches(page, merged);
    }
    if (kind->kind == METRICS_SERVICES) {
        add_retries(page, merged);
    }
    add_ends(page, kind, merged);
    add_durations(page, kind, merged, &exemplars);
    exemplar_rows_release(&exemplars);
    merged_let_go(merged);
}

/* A caller that understands OpenMetrics says so; a weight of zero is not looked for. */
static bool wants_open(const struct question *question)
{
    const struct http_request *request = exchange_request(question->exchange);
    const struct http_header *accept = http_find_named(&request->headers, BYTES("Accept"));

    return accept != NULL &&
           memmem(accept->value, accept->value_length, OPEN_NAME, sizeof(OPEN_NAME) - 1) != NULL;
}

static void answer_open(struct question *question)
{
    struct page open = {0};

    metrics_text_add_open(&open, page_bytes(&question->page));
    page_release(&question->page);
    question->page = open;
    question_answer(question, 200, OPEN_CONTENT_TYPE);
}

void metrics_page_answer(struct question *question)
{
    struct page *page = &question->page;
    bool open = wants_open(question);

    question_use_kept_room(question);
    add_process(page, question->sources);
    add_spans(page, question->sources);
    add_reloads(page, question->sources);
    tls_pages_add_metrics(page, question->sources);
    add_events(page, question->sources);
    add_cuts(page, question->sources);
    add_h2_faults(page, question->sources);
    add_cut_durations(page, question->sources);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        add_kind(question, &kinds[i], open);
    }
    metrics_codes_add(page, question->sources);
    metrics_origins_add(page, question->sources);
    metrics_splits_add(page, question->sources);
    metrics_cache_add(page, question->sources);
    metrics_rooms_add(page, question->sources);
    metrics_process_add(page, question->sources);
    if (open) {
        answer_open(question);
    } else {
        question_answer(question, 200, CONTENT_TYPE);
    }
}
