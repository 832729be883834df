/* SPDX-License-Identifier: BSD-2-Clause */
/* From two sources: the workers' counters (answers, failures, durations), and the registry of all
 * origins (what is under way, verdicts). */
#include "control/pages/metrics_origins.h"

#include "control/pages/merged.h"
#include "control/pages/metrics_text.h"
#include "control/pages/origin_readings.h"
#include "control/pages/srv_readings.h"
#include "origin/failure.h"

#include <ctype.h>

/* --- counters of the workers ------------------------------------------------------------- */

static void add_answers(struct page *page, const struct merged *merged)
{
    static const char *const classes[METRICS_STATUS_CLASSES] = {"none", "1xx", "2xx",
                                                                "3xx",  "4xx", "5xx"};
    static const char name[] = "turnpike_origin_responses_total";

    metrics_text_family(page, name, "counter", "Responses of the origin, by status class.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int status = 2; status < METRICS_STATUS_CLASSES; status++) {
            metrics_text_begin(page, name, METRICS_TEXT_ORIGIN, merged->rows[i].name);
            metrics_text_label(page, "status", classes[status]);
            metrics_text_end(page, merged->rows[i].by_status[status]);
        }
    }
}

/* "CONNECT_TIMEOUT" as "connect-timeout". */
static const char *failure_word(int failure, char word[static 48])
{
    static const char *const names[] = {
#define ROW(name, ...) #name,
        ORIGIN_FAILURE_TABLE(ROW)
#undef ROW
    };
    size_t length = 0;

    for (const char *at = names[failure]; *at != '\0' && length < 47; at++) {
        word[length++] = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    }
    word[length] = '\0';
    return word;
}

/* Those that happened: most origins know few of the seventeen ways. */
static void add_failures(struct page *page, const struct merged *merged)
{
    static const char name[] = "turnpike_origin_attempts_failed_total";
    char word[48];

    metrics_text_family(page, name, "counter", "Failed attempts, by failure.");
    for (size_t i = 0; i < merged->count; i++) {
        for (int failure = 0; failure < ORIGIN_FAILURE_COUNT; failure++) {
            if (merged->rows[i].by_failure[failure] > 0) {
                metrics_text_begin(page, name, METRICS_TEXT_ORIGIN, merged->rows[i].name);
                metrics_text_label(page, "failure", failure_word(failure, word));
                metrics_text_end(page, merged->rows[i].by_failure[failure]);
            }
        }
    }
}

static void add_durations(struct page *page, const struct merged *merged)
{
    static const char name[] = "turnpike_origin_response_duration_seconds";

    metrics_text_family(page, name, "histogram",
                        "From an established connection to the last byte of the response.");
    for (size_t i = 0; i < merged->count; i++) {
        if (merged->rows[i].exchanges > 0) {
            metrics_text_histogram(page, name, METRICS_TEXT_ORIGIN, &merged->rows[i], NULL);
        }
    }
}

/* --- the registry ---------------------------------------------------------------------------- */

#define VALUE(member) \
    static uint64_t member##_of(const struct origin_reading *reading) \
    { \
        return (uint64_t)reading->member; \
    }
VALUE(connections)
VALUE(http2_connections)
VALUE(http2_streams)
VALUE(in_flight)
VALUE(waiting)
VALUE(limit)
VALUE(recovery_slots)
VALUE(refused)
VALUE(requests)
VALUE(drained)
VALUE(ejected)
VALUE(probes)
VALUE(probes_failed)
#undef VALUE

static uint64_t up_of(const struct origin_reading *reading)
{
    return reading->verdict != ORIGIN_VERDICT_DOWN && reading->phase != ORIGIN_EJECTED &&
           !reading->drained;
}

/* clang-format off */
static const struct registry_row {
    const char *name;
    const char *type;
    const char *help;
    uint64_t (*value)(const struct origin_reading *reading);
} registry_rows[] = {
    {"turnpike_origin_up",                  "gauge",   "1 while the origin gets requests: not down, ejected or drained.", up_of},
    {"turnpike_origin_drained",             "gauge",   "1 while an operator drains the origin.", drained_of},
    {"turnpike_origin_connections",         "gauge",   "Connections to the origin, open or being opened.", connections_of},
    {"turnpike_origin_http2_connections",   "gauge",   "Connections to the origin that carry streams of HTTP/2.", http2_connections_of},
    {"turnpike_origin_http2_streams",       "gauge",   "Streams of HTTP/2 with a request, on these connections.", http2_streams_of},
    {"turnpike_origin_requests_in_flight",  "gauge",   "Requests that hold a connection.", in_flight_of},
    {"turnpike_origin_requests_pending",    "gauge",   "Requests that wait for a connection.", waiting_of},
    {"turnpike_origin_concurrency_limit",   "gauge",   "Requests that may be under way, with concurrency: auto; else 0.", limit_of},
    {"turnpike_origin_recovery_slots",      "gauge",   "Requests that may be under way after an outage, until its limit is whole; else 0.", recovery_slots_of},
    {"turnpike_origin_requests_refused_total", "counter", "Requests refused by concurrency: auto.", refused_of},
    {"turnpike_origin_requests_total",      "counter", "Requests begun on a connection.", requests_of},
    {"turnpike_origin_ejections_total",     "counter", "Passive-health ejections.", ejected_of},
    {"turnpike_origin_probes_total",        "counter", "Health probes.", probes_of},
    {"turnpike_origin_probes_failed_total", "counter", "Health probes that failed.", probes_failed_of},
};
/* clang-format on */

static void add_registry(struct page *page, const struct origin_readings *readings)
{
    for (size_t i = 0; i < sizeof(registry_rows) / sizeof(registry_rows[0]); i++) {
        const struct registry_row *row = &registry_rows[i];

        metrics_text_family(page, row->name, row->type, row->help);
        for (size_t j = 0; j < readings->count; j++) {
            if (readings->rows[j].addresses > 0) {
                continue; /* a name: these have the numbers */
            }
            metrics_text_begin(page, row->name, METRICS_TEXT_ORIGIN, readings->rows[j].name);
            metrics_text_end(page, row->value(&readings->rows[j]));
        }
    }
}

/* --- SRV names --------------------------------------------------------------------------- */

static void add_targets(struct page *page, const struct control_sources *sources)
{
    static const char name[] = "turnpike_srv_targets";
    struct srv_readings readings;

    if (!srv_readings_take(sources, &readings)) {
        page->failed = true;
        return;
    }
    if (readings.count > 0) {
        metrics_text_family(page, name, "gauge", "Origins that the SRV name stands for.");
    }
    for (size_t i = 0; i < readings.count; i++) {
        metrics_text_begin(page, name, "srv", readings.rows[i].name);
        metrics_text_end(page, readings.rows[i].count);
    }
    srv_readings_release(&readings);
}

void metrics_origins_add(struct page *page, const struct control_sources *sources)
{
    struct origin_readings readings;
    struct merged merged;

    if (!merged_read(sources, METRICS_ORIGINS, &merged)) {
        page->failed = true;
        return;
    }
    add_answers(page, &merged);
    add_failures(page, &merged);
    add_durations(page, &merged);
    merged_release(&merged);
    if (!origin_readings_take(sources, &readings)) {
        page->failed = true;
        return;
    }
    add_registry(page, &readings);
    origin_readings_release(&readings);
    add_targets(page, sources);
}
