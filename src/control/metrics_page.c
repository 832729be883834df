/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /metrics: the counters of all workers in Prometheus's text format 0.0.4. Each family has
 * its HELP and TYPE once, before its samples. */
#include "control/endpoints.h"
#include "control/merged.h"

#include <stdio.h>

#define CONTENT_TYPE BYTES("text/plain; version=0.0.4; charset=utf-8")

/* Of the fine buckets that are kept, one a power of two is shown, from 256 us to 67 s. */
#define FIRST_EDGE_US 256
#define EDGES 19

static void add_family(struct page *page, const char *name, const char *type, const char *help)
{
    page_format(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, where backslash, quote and line feed are escaped. */
static void add_label(struct page *page, const char *name, const char *value)
{
    page_format(page, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            page_add_text(page, "\\n");
            continue;
        }
        if (*value == '\\' || *value == '"') {
            page_add_char(page, '\\');
        }
        page_add_char(page, *value);
    }
    page_add_char(page, '"');
}

static void end_sample(struct page *page, uint64_t value)
{
    page_add_char(page, ' ');
    page_add_number(page, value);
    page_add_char(page, '\n');
}

static void add_plain(struct page *page, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    add_family(page, name, type, help);
    page_add_text(page, name);
    end_sample(page, value);
}

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
        add_plain(page, events[i].name, "counter", events[i].help,
                  merged_event(sources, (enum metrics_event)i));
    }
}

static void add_cuts(struct page *page, const struct control_sources *sources)
{
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    add_family(page, "turnpike_client_cuts_total", "counter",
               "Client connections that were cut short, by cause.");
    for (int cause = CUT_NONE + 1; cause < CUT_CAUSE_COUNT; cause++) {
        uint64_t sum = 0;

        for (uint32_t worker = 0; worker < facts.workers; worker++) {
            sum += metrics_cuts(sources->metrics(sources->owner, worker), (enum cut_cause)cause);
        }
        page_add_text(page, "turnpike_client_cuts_total{");
        add_label(page, "cause", cut_cause_name((enum cut_cause)cause));
        page_add_char(page, '}');
        end_sample(page, sum);
    }
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
    add_family(page, "turnpike_info", "gauge", "The version that runs.");
    page_add_text(page, "turnpike_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    add_plain(page, "turnpike_start_time_seconds", "gauge", "When the process began, since 1970.",
              facts.started_realtime_s);
    add_plain(page, "turnpike_workers", "gauge", "Worker threads.", facts.workers);
    add_plain(page, "turnpike_stopping", "gauge", "1 once the process was told to stop.",
              facts.stopping);
    add_plain(page, "turnpike_client_connections", "gauge", "Client connections open now.",
              connections);
    add_plain(page, "turnpike_exchanges_begun_total", "counter",
              "Requests whose head was read, or refused.", begun);
    add_plain(page, "turnpike_access_log_dropped_total", "counter",
              "Lines of the access log that were dropped because its target is too slow.",
              sources->dropped_lines(sources->owner));
}

/* --- families by name -------------------------------------------------------------------- */

/* What of a reading is shown, under turnpike_KIND_.... */
struct counter_row {
    const char *name;
    const char *help;
    size_t offset; /* in struct metrics_reading */
};

#define COUNTER(name, member, help) \
    { \
        name, help, offsetof(struct metrics_reading, member) \
    }

static const struct counter_row counters[] = {
    COUNTER("errors_total", errors, "Exchanges that ended with an error."),
    COUNTER("received_bytes_total", bytes_in, "Bytes of requests, heads included."),
    COUNTER("sent_bytes_total", bytes_out, "Bytes of answers, heads included."),
};

struct kind_row {
    enum metrics_kind kind;
    const char *label;
};

static const struct kind_row kinds[] = {
    {METRICS_LISTENERS, "listener"},
    {METRICS_ROUTES, "route"},
    {METRICS_SERVICES, "service"},
};

static void begin_sample(struct page *page, const struct kind_row *kind, const char *what,
                         const char *name)
{
    page_format(page, "turnpike_%s_%s{", kind->label, what);
    add_label(page, kind->label, name);
}

static void add_kind_family(struct page *page, const struct kind_row *kind, const char *what,
                            const char *type, const char *help)
{
    char name[96];

    snprintf(name, sizeof(name), "turnpike_%s_%s", kind->label, what);
    add_family(page, name, type, help);
}

static uint64_t counter_in(const struct metrics_reading *reading, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)reading + offset);
}

static void add_counters(struct page *page, const struct kind_row *kind,
                         const struct merged *merged)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        add_kind_family(page, kind, counters[i].name, "counter", counters[i].help);
        for (size_t j = 0; j < merged->count; j++) {
            begin_sample(page, kind, counters[i].name, merged->rows[j].name);
            page_add_char(page, '}');
            end_sample(page, counter_in(&merged->rows[j], counters[i].offset));
        }
    }
}

static void add_statuses(struct page *page, const struct kind_row *kind,
                         const struct merged *merged)
{
    static const char *const classes[METRICS_STATUS_CLASSES] = {"none", "1xx", "2xx",
                                                                "3xx",  "4xx", "5xx"};

    add_kind_family(page, kind, "exchanges_total", "counter",
                    "Exchanges that are over, by the status of their answer.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int status = 0; status < METRICS_STATUS_CLASSES; status++) {
            begin_sample(page, kind, "exchanges_total", merged->rows[i].name);
            page_format(page, ",status=\"%s\"}", classes[status]);
            end_sample(page, merged->rows[i].by_status[status]);
        }
    }
}

static void add_ends(struct page *page, const struct kind_row *kind, const struct merged *merged)
{
    add_kind_family(page, kind, "exchange_ends_total", "counter",
                    "Exchanges that are over, by how they ended.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int end = 0; end < OUTCOME_END_COUNT; end++) {
            begin_sample(page, kind, "exchange_ends_total", merged->rows[i].name);
            page_format(page, ",end=\"%s\"}", outcome_end_name((enum outcome_end)end));
            end_sample(page, merged->rows[i].by_end[end]);
        }
    }
}

/* --- durations --------------------------------------------------------------------------- */

static void add_bucket(struct page *page, const struct kind_row *kind, const char *name,
                       uint64_t edge_us, uint64_t count)
{
    begin_sample(page, kind, "exchange_duration_seconds_bucket", name);
    if (edge_us == UINT64_MAX) {
        page_add_text(page, ",le=\"+Inf\"}");
    } else {
        page_format(page, ",le=\"%llu.%06llu\"}", (unsigned long long)(edge_us / 1000000),
                    (unsigned long long)(edge_us % 1000000));
    }
    end_sample(page, count);
}

/* The sum of buckets is the count: counters that are read while they grow need not agree. */
static void add_histogram(struct page *page, const struct kind_row *kind,
                          const struct metrics_reading *reading)
{
    uint64_t count = 0;
    unsigned bucket = 0;

    for (int i = 0; i < EDGES; i++) {
        uint64_t edge_us = (uint64_t)FIRST_EDGE_US << i;

        for (; metrics_duration_limit(bucket) <= edge_us; bucket++) {
            count += reading->durations[bucket];
        }
        add_bucket(page, kind, reading->name, edge_us, count);
    }
    for (; bucket < METRICS_DURATION_BUCKETS; bucket++) {
        count += reading->durations[bucket];
    }
    add_bucket(page, kind, reading->name, UINT64_MAX, count);
    begin_sample(page, kind, "exchange_duration_seconds_sum", reading->name);
    page_format(page, "} %llu.%06llu\n", (unsigned long long)(reading->duration_sum_us / 1000000),
                (unsigned long long)(reading->duration_sum_us % 1000000));
    begin_sample(page, kind, "exchange_duration_seconds_count", reading->name);
    page_add_char(page, '}');
    end_sample(page, count);
}

/* Only of what was asked for at least once: ten thousand routes would be 200,000 lines of 0. */
static void add_durations(struct page *page, const struct kind_row *kind,
                          const struct merged *merged)
{
    add_kind_family(page, kind, "exchange_duration_seconds", "histogram",
                    "From the first byte of a request to the last of its answer.");
    for (size_t i = 0; i < merged->count; i++) {
        if (merged->rows[i].exchanges > 0) {
            add_histogram(page, kind, &merged->rows[i]);
        }
    }
}

static void add_kind(struct page *page, const struct control_sources *sources,
                     const struct kind_row *kind)
{
    struct merged merged;

    if (!merged_read(sources, kind->kind, &merged)) {
        page->failed = true;
        return;
    }
    add_statuses(page, kind, &merged);
    add_counters(page, kind, &merged);
    add_ends(page, kind, &merged);
    add_durations(page, kind, &merged);
    merged_release(&merged);
}

void metrics_page_answer(struct question *question)
{
    struct page *page = &question->page;

    add_process(page, question->sources);
    add_events(page, question->sources);
    add_cuts(page, question->sources);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        add_kind(page, question->sources, &kinds[i]);
    }
    question_answer(question, 200, CONTENT_TYPE);
}
