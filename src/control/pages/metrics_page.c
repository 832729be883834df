/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /metrics: the counters of all workers, added up. */
#include "control/endpoints.h"
#include "control/pages/merged.h"
#include "control/pages/metrics_families.h"
#include "control/pages/metrics_text.h"

#include <stdio.h>

#define CONTENT_TYPE BYTES("text/plain; version=0.0.4; charset=utf-8")
#define OPEN_NAME "application/openmetrics-text"
#define OPEN_CONTENT_TYPE BYTES(OPEN_NAME "; version=1.0.0; charset=utf-8")

static const struct kind_row {
    enum metrics_kind kind;
    const char *label;
} kinds[] = {
    {METRICS_LISTENERS, "listener"},
    {METRICS_ROUTES, "route"},
    {METRICS_SERVICES, "service"},
};

/* What of a reading is shown, as turnpike_KIND_NAME. */
static const struct counter_row {
    const char *name;
    const char *type;
    const char *help;
    struct metrics_text_member value;
    bool of_services; /* alone */
} counters[] = {
#define OF(member) METRICS_TEXT_MEMBER(struct metrics_reading, member)
    {"errors_total", "counter", "Exchanges that ended with an error.", OF(errors), false},
    {"received_bytes_total", "counter", "Bytes of requests, heads included.", OF(bytes_in), false},
    {"sent_bytes_total", "counter", "Bytes of answers, heads included.", OF(bytes_out), false},
    {"retries_total", "counter", "Retries after a failed attempt.", OF(retries), true},
    {"retries_denied_total", "counter",
     "Failures without a retry because retry_budget was exhausted.", OF(retries_denied), true},
    {"retries_left", "gauge", "Retries that retry_budget has left, as of the last request.",
     OF(retries_left), true},
#undef OF
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

static void add_counters(struct metrics_text *out, const struct kind_row *kind,
                         const struct merged *merged)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        const struct counter_row *row = &counters[i];
        const struct name name = name_of(kind, row->name);

        if (row->of_services && kind->kind != METRICS_SERVICES) {
            continue;
        }
        metrics_text_family(out, name.text, row->type, row->help);
        for (size_t j = 0; j < merged->count; j++) {
            metrics_text_sample(out, kind->label, merged->rows[j].name,
                                metrics_text_value(&merged->rows[j], row->value));
        }
    }
}

static const char *end_word(size_t index)
{
    return outcome_end_name((enum outcome_end)index);
}

static const char *cache_word(size_t index)
{
    return outcome_cache_name((enum outcome_cache)(index + OUTCOME_CACHE_NONE + 1));
}

/* Exchanges, told apart by a second label. */
static const struct split_row {
    const char *name;
    const char *help;
    const char *label;
    const char *(*word)(size_t index);
    struct metrics_text_member values; /* an array */
    size_t first;                      /* that is shown */
    bool always;                       /* also of names that have none */
    bool of_routes;                    /* alone */
} splits[] = {
#define OF(member) METRICS_TEXT_MEMBER(struct metrics_reading, member)
    {"exchanges_total", "Finished exchanges by status class of the response.", "status",
     metrics_text_class, OF(by_status), 0, true, false},
    {"cache_requests_total", "Requests by what the cache of their route did.", "cache", cache_word,
     OF(by_cache), OUTCOME_CACHE_NONE + 1, false, true},
    /* Ten thousand routes without requests would be 300,000 lines of 0. */
    {"exchange_outcomes_total", "Finished exchanges by outcome.", "outcome", end_word, OF(by_end),
     0, false, false},
#undef OF
};

static void add_split(struct metrics_text *out, const struct kind_row *kind,
                      const struct split_row *row, const struct merged *merged)
{
    const struct name name = name_of(kind, row->name);

    metrics_text_family(out, name.text, "counter", row->help);
    for (size_t i = 0; i < merged->count; i++) {
        const char *at = (const char *)&merged->rows[i] + row->values.offset;
        const struct metrics_text_split split = {row->label, row->word,
                                                 (const uint64_t *)(const void *)at + row->first,
                                                 row->values.size / sizeof(uint64_t) - row->first};
        uint64_t sum = 0;

        for (size_t j = 0; j < split.count; j++) {
            sum += split.values[j];
        }
        if (sum > 0 || row->always) {
            metrics_text_split(out, kind->label, merged->rows[i].name, &split);
        }
    }
}

static void add_splits(struct metrics_text *out, const struct kind_row *kind,
                       const struct merged *merged)
{
    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        if (!splits[i].of_routes || kind->kind == METRICS_ROUTES) {
            add_split(out, kind, &splits[i], merged);
        }
    }
}

static void add_durations(struct metrics_text *out, const struct kind_row *kind,
                          const struct merged *merged, const struct exemplar_rows *exemplars)
{
    const struct name name = name_of(kind, "exchange_duration_seconds");

    metrics_text_family(out, name.text, "histogram",
                        "From the first byte of a request to the last of its answer.");
    for (size_t i = 0; i < merged->count; i++) {
        if (merged->rows[i].exchanges > 0) {
            metrics_text_histogram(out, kind->label, &merged->rows[i],
                                   exemplar_rows_find(exemplars, merged->rows[i].name));
        }
    }
}

static void add_kind(struct metrics_text *out, const struct kind_row *kind,
                     struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct merged *merged = &question->kept->counted;
    struct exemplar_rows exemplars = {0};

    if (!merged_read_again(sources, kind->kind, merged)) {
        out->page->failed = true;
        return;
    }
    if (out->open && !exemplar_rows_read(sources, kind->kind, &exemplars)) {
        out->page->failed = true;
    }
    add_splits(out, kind, merged);
    add_counters(out, kind, merged);
    add_durations(out, kind, merged, &exemplars);
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

void metrics_page_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct metrics_text out = {.page = &question->page, .open = wants_open(question)};

    question_use_kept_room(question);
    metrics_process_add(&out, sources);
    metrics_tls_add(&out, sources);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        add_kind(&out, &kinds[i], question);
    }
    metrics_statuses_add(&out, sources);
    metrics_held_add(&out, sources);
    metrics_registries_add(&out, sources);
    metrics_text_finish(&out);
    question_answer(question, 200, out.open ? OPEN_CONTENT_TYPE : CONTENT_TYPE);
}
